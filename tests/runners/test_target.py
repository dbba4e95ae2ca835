"""A target is a folder and one line: everything reaches it through the registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kfnb.api.launch import create, objects, target_findings
from kfnb.api.run_lookup import facts
from kfnb.api.use_cases.target_flags import target_flags
from kfnb.commands.target_options import take_target_options, target_options
from kfnb.errors import UsageError
from kfnb.pipeline import Diagnostic
from kfnb.runners.local.target import LocalTarget
from kfnb.runners.options import collect, given, option, options_of
from kfnb.runners.stores import same_store
from kfnb.runners.target import (
    Finding,
    Prepared,
    check_names,
    find_target,
    register,
    target_names,
    target_of,
    unregister,
)


@dataclass(frozen=True)
class MoonOptions:
    """A target that a few lines make."""

    crater: str | None = option(
        None, flag="--crater", help="Where to land.", pattern="[a-z]+", form="a crater's name"
    )
    suits: int = option(2, flag="--suits", kind="number")
    flags: tuple[str, ...] = option((), flag="--moon-flag", kind="list", items=str)
    signs: dict[str, str] = option(factory=dict, kind="table", adds=True, per_step=True)


class MoonTarget(LocalTarget):
    title = "the Moon"
    options = MoonOptions
    is_remote = True

    def merged(self, pipeline: Any, options: Any) -> MoonOptions:
        found: MoonOptions = collect(
            MoonOptions, target="moon", title=self.title, pipeline=pipeline, call=options
        )
        return found

    def check(self, pipeline: Any, options: Any) -> tuple[Diagnostic, ...]:
        self.merged(pipeline, options)
        return (Diagnostic("KFNB-W999", "warning", "there is no air", remedy="Bring some."),)

    def prepare(self, pipeline: Any, parameters: Any, options: Any) -> Prepared:
        merged = self.merged(pipeline, options)
        plain = {"crater": merged.crater, "suits": merged.suits}
        return Prepared({"moon": plain, "said": given(options)}, {"map.txt": b"dust"})

    def preview(
        self, pipeline: Any, parameters: Any, options: Any, *, timeout: float | None = None
    ) -> list[dict[str, Any]]:
        return [{"kind": "Rocket", "crater": self.merged(pipeline, options).crater}]

    def store_identity(self, facts: Any) -> tuple[Any, ...]:
        return (facts["moon"]["crater"],)

    def doctor(self, pipeline: Any, options: Any, *, fix: bool) -> Iterator[Finding]:
        yield Finding("air", "missing", "There is no air.", ("open a bottle",))


@pytest.fixture(autouse=True)
def moon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KFNB_CONFIG", str(tmp_path / "config.toml"))
    register("moon", MoonTarget())
    yield
    unregister("moon")


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": [tag]},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, (tag, source) in enumerate([("step:load", "x = 1"), ("step:fit", "print(x)")])
    ]
    path = tmp_path / "nb.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


def pipeline_of(notebook: Path) -> Any:
    import kfnb

    return kfnb.read(notebook)


def test_a_registered_target_is_listed_and_recognised_by_the_facts_of_its_runs() -> None:
    assert target_names() == ["local", "kubernetes", "moon"]
    assert target_of({"target": "moon"}) is find_target("moon")
    assert target_of({}) is find_target("local")
    with pytest.raises(UsageError, match="There is: local, kubernetes, moon"):
        find_target("mars")


def test_its_options_are_flags_of_commands_and_can_be_written_again() -> None:
    import click

    found: dict[str, Any] = {}

    @click.command(params=target_options())
    def command(**values: Any) -> None:
        found.update(given(take_target_options(values)))

    words = ["--crater", "tycho", "--suits", "3", "--moon-flag", "a", "--moon-flag", "b"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert found == {"crater": "tycho", "suits": 3, "flags": ("a", "b")}
    assert target_flags(found) == words
    help_text = CliRunner().invoke(command, ["--help"]).output
    assert "the Moon: Where to land." in help_text


def test_its_options_are_checked_wherever_they_are_written(notebook: Path, tmp_path: Path) -> None:
    plain = json.loads(notebook.read_text())
    plain["metadata"]["kfnb"] = {"targets": {"moon": {"suits": 4, "signs": {"a": "1"}}}}
    notebook.write_text(json.dumps(plain))
    (tmp_path / "config.toml").write_text('[moon]\ncrater = "plato"\nsigns = {b = "2"}\n')
    merged = find_target("moon").merged(pipeline_of(notebook), {"suits": 5})  # type: ignore[attr-defined]
    assert merged == MoonOptions(crater="plato", suits=5, signs={"a": "1", "b": "2"})
    (tmp_path / "config.toml").write_text('[moon]\ncrater = "P"\n')
    with pytest.raises(UsageError, match=r"config.toml: crater is a crater's name; not 'P'"):
        target_findings(pipeline_of(notebook), "moon")


def test_what_one_target_does_not_have_names_the_one_that_has_it() -> None:
    with pytest.raises(UsageError, match="crater can be used only with the Moon"):
        check_names("kubernetes", {"crater": "plato"})
    with pytest.raises(UsageError, match="image can be used only with Kubernetes"):
        check_names("moon", {"image": "i"})
    with pytest.raises(UsageError, match="There is no option crator"):
        check_names("moon", {"crator": "plato"})
    check_names("local", {"image": None, "tolerations": ()})


def test_a_run_on_it_has_what_it_prepared(notebook: Path) -> None:
    run = create(pipeline_of(notebook), {}, target="moon", target_options={"crater": "plato"})
    found = facts(run)
    assert (found["target"], found["moon"]["crater"]) == ("moon", "plato")
    assert found["said"] == {"crater": "plato"}
    assert (run.path / "map.txt").read_bytes() == b"dust"
    assert same_store(found, found)
    assert not same_store(found, {**found, "moon": {"crater": "tycho"}})
    assert not same_store(found, {})


def test_check_preview_and_doctor_are_its_own(notebook: Path) -> None:
    assert [found.code for found in target_findings(pipeline_of(notebook), "moon")] == ["KFNB-W999"]
    made = objects(pipeline_of(notebook), {}, target="moon", target_options={"crater": "plato"})
    assert made == [{"kind": "Rocket", "crater": "plato"}]
    (found,) = find_target("moon").doctor(None, {}, fix=False)
    assert (found.status, found.commands) == ("missing", ("open a bottle",))


def test_every_kubernetes_flag_has_a_help_text_and_is_unique() -> None:
    options = options_of(find_target("kubernetes").options)
    flags = [one.flag for one in options.values() if one.flag]
    assert len(flags) == len(set(flags))
    assert all(one.help.endswith((".", "].")) for one in options.values() if one.flag)


def test_doctor_of_this_machine_checks_kernel_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KFNB_TEMPLATES", "off")
    findings = list(find_target("local").doctor(None, {}, fix=False))
    assert [(found.check, found.status) for found in findings] == [
        *(("kernel", "ok"), ("home", "ok"), ("supervisor", "optional"))
    ]


def test_importing_the_registry_and_options_imports_no_engine_and_no_client() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from kfnb.commands import target_options as t; list(t.target_options());"
        "bad = [m for m in sys.modules if m.startswith(('kubernetes', 'kfnb.engine', 'msgspec'))];"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
