"""The options of the target kubernetes, where there is no cluster."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

import kfnb as kfnb_
from kfnb.api.launch import create
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.rerun_command import rerun_command
from kfnb.api.use_cases.target_flags import target_flags
from kfnb.commands.target_options import take_target_options, target_options

KUBERNETES = ("--on", "kubernetes", "--image", "i:1", "--store", "s3://bucket/x")
ON_A_STORE = ("--on", "kubernetes", "--store", "s3://bucket/x")


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KFNB_CONFIG", str(tmp_path / "none.toml"))
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": [f"step:{name}"]},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, (name, source) in enumerate([("load", "x = 1"), ("train", "print(x)")])
    ]
    path = tmp_path / "nb.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


def test_a_dry_run_needs_no_cluster_and_leaves_no_run(kfnb: Any, notebook: Path, home: Path):
    done = kfnb(
        *("run", notebook, *KUBERNETES, "--dry-run", "--node-selector", "disk=ssd"),
        *("--toleration", "gpu=yes:NoSchedule", "--toleration", "spot", "--label", "team=x"),
    )
    assert done.exit_code == 0, done.stderr
    owner, load, train = yaml.safe_load_all(done.stdout)
    assert owner["kind"] == "ConfigMap"
    assert (load["kind"], train["kind"]) == ("Job", "Job")
    pod = train["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert [one.get("effect") for one in pod["spec"]["tolerations"]] == ["NoSchedule", None]
    assert pod["metadata"]["labels"]["team"] == "x"
    assert "&id" not in done.stdout
    assert not list(home.glob("runs/*"))
    listed = json.loads(kfnb("run", notebook, *KUBERNETES, "--dry-run", "-o", "json").stdout)
    assert [one["kind"] for one in listed["items"]] == ["ConfigMap", "Job", "Job"]


def test_a_dry_run_has_the_driver_and_what_a_claim_of_one_node_asks_of_pods(
    kfnb: Any, notebook: Path
):
    store = ("--store", "pvc:values", "--storage-access", "ReadWriteOnce", "--driver", "cluster")
    done = kfnb("run", notebook, "--on", "kubernetes", "--image", "i:1", *store, "--dry-run")
    assert done.exit_code == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    kinds = [one["kind"] for one in made]
    assert kinds == ["ConfigMap", "PersistentVolumeClaim", "Job", "Job", "Job"]
    driver, *steps = (one["spec"]["template"]["spec"] for one in made[2:])
    assert driver["serviceAccountName"] == "kfnb-driver"
    for pod in (driver, *steps):
        [term] = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dry-run",), "add --on kubernetes"),
        ((*KUBERNETES, "--toleration", "a:Never"), "--toleration expects KEY[=VALUE][:EFFECT]"),
        ((*KUBERNETES, "--label", "team"), "--label expects KEY=VALUE, not 'team'"),
        ((*KUBERNETES, "--label", "a b=c"), "cannot be a key in Kubernetes"),
        ((*KUBERNETES, "--image-pull-policy", "never"), "Always, IfNotPresent, Never"),
    ],
)
def test_what_does_not_fit_is_reported_before_the_start(
    kfnb: Any, notebook: Path, home: Path, options: tuple[str, ...], said: str
):
    done = kfnb("run", notebook, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not list(home.glob("runs/*"))


def test_options_of_a_cluster_mean_nothing_to_clean_here(kfnb: Any, notebook: Path):
    done = kfnb("clean", "--store", "s3://bucket")
    assert done.exit_code == 2
    assert "--on kubernetes" in done.stderr


def test_doctor_without_a_cluster_reports_that(kfnb: Any, notebook: Path):
    done = kfnb("doctor", *KUBERNETES)
    assert done.exit_code == 4
    assert done.stdout.startswith("MISSING")
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_that_cannot_begin_says_why_and_nothing_of_a_driver(
    kfnb: Any, notebook: Path, monkeypatch: pytest.MonkeyPatch
):
    """The driver has another working directory: a relative KUBECONFIG is still found."""
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [cluster], "contexts": [context], "current-context": "c"}
    (notebook.parent / "mine.yaml").write_text(
        yaml.safe_dump({**config, "users": [{"name": "u", "user": {"token": "t"}}]})
    )
    monkeypatch.chdir(notebook.parent)
    monkeypatch.setenv("KUBECONFIG", "mine.yaml")
    done = kfnb("run", notebook, *KUBERNETES)
    assert done.exit_code == 4
    assert "https://127.0.0.1:9 does not answer" in done.stderr
    assert "Nothing was started; retry with kfnb resume" in done.stderr
    assert "is gone" not in done.stderr


def read_back(words: list[str]) -> dict[str, Any]:
    """What a command with a cluster's options makes of some words."""
    found: dict[str, Any] = {}

    @click.command(params=target_options())
    def command(**given: Any) -> None:
        found.update(take_target_options(given))

    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    return {key: value for key, value in found.items() if value}


def test_options_are_written_as_they_were_typed() -> None:
    words = ["--context", "here", "--namespace", "a", "--store-client-endpoint", "service:s:80"]
    words += ["--driver", "here", "--node-selector", "disk=ssd", "--label", "team=x y"]
    words += ["--label", "a=b=c", "--annotation", "note=", "--image-pull-secret", "one"]
    words += ["--image-pull-secret", "two", "--toleration", "gpu=yes:NoSchedule"]
    words += ["--toleration", "spot", "--toleration", "x=", "--toleration", "y:NoExecute"]
    said = read_back(words)
    # As they are after a stay in run.json.
    assert target_flags(json.loads(json.dumps(said))) == words
    assert read_back(target_flags(said)) == said


def test_options_that_no_flag_can_say_are_left_out() -> None:
    said = {"ttl": 5, "affinity": {"nodeAffinity": {}}, "image": "i", "labels": {}}
    borne = [{"operator": "Exists"}, {"key": "a", "operator": "Exists", "tolerationSeconds": 5}]
    assert target_flags({**said, "tolerations": borne}) == ["--image", "i"]


def test_a_run_records_the_options_of_the_call_and_not_of_the_notebook(notebook: Path) -> None:
    plain = json.loads(notebook.read_text())
    plain["metadata"] = {"kfnb": {"targets": {"kubernetes": {"service_account": "theirs"}}}}
    notebook.write_text(json.dumps(plain))
    said = {"image": "i:1", "store": "s3://bucket/x", "labels": {"team": "a"}}
    options = {"namespace": None, "tolerations": (), **said}
    folder = create(kfnb_.read(notebook), {}, target="kubernetes", target_options=options)
    view = RunView(folder)
    assert view.about["said"] == said
    assert shlex.split(rerun_command(view)) == [
        *("kfnb", "run", str(notebook), "--on", "kubernetes", "--image", "i:1"),
        *("--store", "s3://bucket/x", "--label", "team=a"),
    ]
    assert "said" not in RunView(create(kfnb_.read(notebook), {})).about


@pytest.fixture
def cleaned(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What cleaning comes to, where it is not done; a test adds to it."""
    from kfnb.runners.kubernetes import cleaning
    from kfnb.runners.kubernetes.api import client
    from kfnb.runners.kubernetes.store import store_access

    said: dict[str, Any] = {"objects": (), "runs": (), "cached": 0, "values": 0, "bytes": 0}
    said["live"] = ()
    monkeypatch.setattr(client, "connect", lambda **_: None)
    monkeypatch.setattr(store_access, "store_of", lambda _: SimpleNamespace(remote="a store"))
    monkeypatch.setattr(cleaning, "clean", lambda *_, **__: cleaning.Cleaned(**said))
    return said


def test_cleaning_a_cluster_lists_what_stays_and_why(
    kfnb: Any, notebook: Path, cleaned: dict[str, Any]
):
    cleaned.update(live=("r1", "r2"), recent=("r2",))
    done = kfnb("clean", *ON_A_STORE)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "kept run r1: it may be executing",
        "kept run r2: another machine started it, and it was active within the last day",
        "0 values and 0 runs removed from the store: 0 B",
        "no values were removed: a run that may be executing could use them",
    ]
    cleaned.update(live=(), recent=(), fresh=2)
    assert "2 values were kept: written within" in kfnb("clean", *ON_A_STORE).stdout
    assert "is kept for a day" in " ".join(kfnb("clean", "--help").stdout.split())


@pytest.mark.parametrize("how", [("--dry-run",), ()])
def test_without_a_store_the_output_names_none(
    kfnb: Any, notebook: Path, cleaned: dict[str, Any], how: tuple[str, ...]
):
    cleaned.update(objects=("r1",))
    would = "would remove" if how else "removed"
    assert kfnb("clean", "--on", "kubernetes", *how).stdout.splitlines() == [
        f"{would} the objects of run r1",
        "only Kubernetes objects were removed, because no store was given (--store)",
    ]
