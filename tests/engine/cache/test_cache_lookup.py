"""What is done is not done again; what is done again says why."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kfnb.engine.dispatch import kernels
from kfnb.home import RunFolder
from kfnb.pipeline import Options
from kfnb.store.clean import clean
from tests.runners.bench import Make, events, go, make_pipeline, quick, statuses, value, why

PARAMETERS = {"lr": 0.1, "unused": 1}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


def steps(**train: object) -> dict[str, Make]:
    """load → split → train → report, with a file, a local module and a parameter."""
    changed = dataclasses.replace(
        Make(
            "mark\nread data.csv\nvalue model m{x}",
            inputs={"x": "split"},
            outputs=["model"],
            parameters=["lr"],
            modules=["utils"],
        ),
        **train,  # type: ignore[arg-type]
    )
    return {
        "load": Make("value raw 1", outputs=["raw"]),
        "split": Make("value x {raw}", inputs={"raw": "load"}, outputs=["x"]),
        "train": changed,
        "report": Make("write report.txt done", inputs={"model": "train"}, writes=["report.txt"]),
    }


@pytest.fixture
def first(tmp_path: Path) -> RunFolder:
    """A finished run of the notebook."""
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "utils.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("x = 1\n")
    return go(make_pipeline(tmp_path, steps(), parameters=PARAMETERS))


def again(folder: Path, made: dict[str, Make] | None = None, **more: object) -> RunFolder:
    pipeline = make_pipeline(folder, made or steps(), parameters=PARAMETERS)
    return go(pipeline, **more)  # type: ignore[arg-type]


def test_nothing_changed_means_nothing_executes(first: RunFolder, tmp_path: Path) -> None:
    assert set(why(first).values()) == {"first run of this step"}
    (tmp_path / "report.txt").unlink()
    run = again(tmp_path)
    assert set(statuses(run).values()) == {"cached"}
    assert why(run)["train"] == f"nothing changed since run {first.id}"
    assert value(run, "train", "model") == "m1"
    assert (tmp_path / "report.txt").read_text() == "done"
    assert run.attempt("train", 0).executed.exists()
    third = again(tmp_path)
    assert set(statuses(third).values()) == {"cached"}


def code(folder: Path) -> dict[str, Make]:
    return steps(does="mark\nread data.csv\nvalue model n{x}")


def upstream(folder: Path) -> dict[str, Make]:
    return {**steps(), "split": dataclasses.replace(steps()["split"], does="value x 2{raw}")}


def upstream_same(folder: Path) -> dict[str, Make]:
    return {**steps(), "split": dataclasses.replace(steps()["split"], does="value x {raw}\n#")}


def data(folder: Path) -> dict[str, Make]:
    (folder / "data.csv").write_text("3,4")
    return steps()


def module(folder: Path) -> dict[str, Make]:
    (folder / "helper.py").write_text("x = 2\n")
    return steps()


def environment(folder: Path) -> dict[str, Make]:
    return steps(options=Options(env={"MODE": "fast"}))


def resources(folder: Path) -> dict[str, Make]:
    return steps(options=Options(memory="4Gi", retries=3, timeout=60.0, labels={"a": "b"}))


def wanted(folder: Path) -> dict[str, Make]:
    return steps(outputs=["model", "score"])


def switched_off(folder: Path) -> dict[str, Make]:
    return steps(options=Options(cache=False))


@pytest.mark.parametrize(
    ("change", "train", "report"),
    [
        (code, "code changed in `mark`", "input model changed (from step train)"),
        (upstream, "input x changed (from step split)", "input model changed (from step train)"),
        (upstream_same, "", ""),
        (data, "file data.csv changed", ""),
        (module, "local module helper.py changed", ""),
        (environment, "environment variable MODE changed", ""),
        (resources, "", ""),
        (wanted, 'a later step now uses the output "score"', ""),
        (switched_off, "cache:off", ""),
    ],
)
def test_a_step_that_executes_again_says_why(
    first: RunFolder,
    tmp_path: Path,
    change: Callable[[Path], dict[str, Make]],
    train: str,
    report: str,
) -> None:
    run = again(tmp_path, change(tmp_path))
    for step, reason in (("train", train), ("report", report)):
        assert statuses(run)[step] == ("succeeded" if reason else "cached"), why(run)
        assert why(run)[step] == (reason or f"nothing changed since run {first.id}")
    assert statuses(run)["load"] == "cached"


def test_a_parameter_counts_only_where_it_is_used(first: RunFolder, tmp_path: Path) -> None:
    run = again(tmp_path, parameters={"lr": 0.5, "unused": 7})
    assert why(run)["train"] == "parameter lr changed from 0.1 to 0.5"
    assert [s for s, what in statuses(run).items() if what != "cached"] == ["train"]


def test_a_run_removes_what_a_killed_driver_left_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    leftover = tmp_path / f".f3.dat.{ended.stdout.decode().strip()}-0123abcd.kfnb"
    leftover.write_text("half")
    again(tmp_path)
    assert not leftover.exists()


def test_a_variable_that_a_local_module_reads_by_name_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "utils.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text('import os\nx = os.environ.get("HELPER_MODE")\n')
    first = again(tmp_path)
    monkeypatch.setenv("OTHER_MODE", "fast")
    assert statuses(again(tmp_path))["train"] == "cached"
    monkeypatch.setenv("HELPER_MODE", "fast")
    run = again(tmp_path)
    assert why(run)["train"] == "environment variable HELPER_MODE changed"
    assert "fast" not in "".join(p.read_text() for p in run.path.rglob("*.json"))
    monkeypatch.delenv("HELPER_MODE")
    assert why(again(tmp_path))["train"] == f"nothing changed since run {first.id}"


def test_the_folder_counts_for_code_that_reads_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "data.csv").write_text("1,2")
        (folder / "utils.py").write_text("from pathlib import Path\nHERE = Path.cwd()\n")
    again(tmp_path / "one")
    other = again(tmp_path / "two")
    assert statuses(other)["load"] == "cached"
    assert statuses(other)["train"] == "succeeded"


def test_a_package_that_was_upgraded_counts(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kernels.packages("python3")["pytest"]
    monkeypatch.setattr(kernels, "packages", lambda _: {"pytest": "99"})
    run = again(tmp_path)
    assert why(run)["train"] == f"package pytest changed from {before} to 99"


@pytest.mark.parametrize(
    ("settings", "options", "reason", "cached"),
    [
        ({"cache": False}, {}, "--no-cache", []),
        ({"force": ("train", "report")}, {"from": "train"}, "--from train", ["load", "split"]),
    ],
)
def test_a_person_can_have_steps_executed_all_the_same(
    first: RunFolder,
    tmp_path: Path,
    settings: dict[str, object],
    options: dict[str, str],
    reason: str,
    cached: list[str],
) -> None:
    run = again(tmp_path, settings=quick(**settings), options=options)
    assert why(run)["train"] == reason
    assert sorted(s for s, what in statuses(run).items() if what == "cached") == cached


def test_a_file_that_the_user_changed_is_never_overwritten(
    first: RunFolder, tmp_path: Path
) -> None:
    (tmp_path / "report.txt").write_text("my notes")
    run = again(tmp_path)
    assert statuses(run)["report"] == "failed"
    assert 'file "report.txt"' in events(run, "StepFailed")[0].data.summary
    assert (tmp_path / "report.txt").read_text() == "my notes"
    run = again(tmp_path, settings=quick(overwrite_files=True))
    assert statuses(run)["report"] == "cached"
    assert (tmp_path / "report.txt").read_text() == "done"


def test_a_file_that_two_steps_write_ends_as_the_later_one_left_it(tmp_path: Path) -> None:
    made = {
        "a": Make("write log.txt a", writes=["log.txt"]),
        "b": Make("append log.txt b", after=["a"], writes=["log.txt"]),
        "c": Make(
            "read log.txt\nvalue seen {{}}", after=["b"], reads=["log.txt"], outputs=["seen"]
        ),
    }
    go(make_pipeline(tmp_path, made))
    assert (tmp_path / "log.txt").read_text() == "ab"
    run = go(make_pipeline(tmp_path, made))
    assert set(statuses(run).values()) == {"cached"}
    assert (tmp_path / "log.txt").read_text() == "ab"
    made["b"] = dataclasses.replace(made["b"], does="append log.txt B")
    run = go(make_pipeline(tmp_path, made))
    assert statuses(run) == {"a": "cached", "b": "succeeded", "c": "succeeded"}
    assert (tmp_path / "log.txt").read_text() == "aB"


def test_an_attempt_that_failed_half_way_through_a_file_is_repeated_from_its_old_content(
    tmp_path: Path,
) -> None:
    made = {
        "a": Make("write log.txt a", writes=["log.txt"]),
        "b": Make(
            "append log.txt b\nfail 1", after=["a"], writes=["log.txt"], options=Options(retries=1)
        ),
    }
    run = go(make_pipeline(tmp_path, made))
    assert statuses(run) == {"a": "succeeded", "b": "succeeded"}, events(run)
    assert (tmp_path / "log.txt").read_text() == "ab"


def test_a_removed_run_leaves_its_results_in_the_cache(first: RunFolder, tmp_path: Path) -> None:
    second = again(tmp_path)
    cleaned = clean(keep=1, grace=0)
    assert cleaned.runs == (first.id,)
    assert not first.path.exists()
    assert set(statuses(again(tmp_path)).values()) == {"cached"}
    assert value(second, "train", "model") == "m1"


def test_a_cache_whose_values_are_gone_executes_again(first: RunFolder, tmp_path: Path) -> None:
    for blob in (tmp_path / "home" / "store" / "blobs").glob("*/*"):
        blob.unlink()
    run = again(tmp_path)
    assert why(run)["load"] == "its values were removed from the cache"
    assert "cached" not in statuses(run).values()


def test_a_crash_between_taking_a_result_and_saying_so_does_no_harm(
    first: RunFolder, tmp_path: Path
) -> None:
    from kfnb.runners import create_run
    from kfnb.store import manifest_key, open_store
    from tests.runners.bench import drive

    run = create_run(make_pipeline(tmp_path, steps(), parameters=PARAMETERS), settings=quick())
    store = open_store(tmp_path / "home" / "store")
    store.create(manifest_key(run.id, "load"), b"{half")
    assert drive(run) == "succeeded"
    assert set(statuses(run).values()) == {"cached"}
