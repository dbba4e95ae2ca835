"""``kfnb doctor`` without a target: this machine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import kfnb as kfnb_itself
from kfnb.cli import this_machine
from kfnb.live import bundle


def findings(kfnb: Any, *words: str | Path, code: int = 0) -> dict[str, dict[str, Any]]:
    done = kfnb("doctor", "--json", *words)
    assert done.exit_code == code, done.output
    read = [json.loads(line) for line in done.stdout.splitlines()]
    return {finding["check"]: finding for finding in read}


def test_it_names_what_a_person_asks_about(kfnb: Any, home: Path) -> None:
    found = findings(kfnb)
    assert list(found)[:9] == [
        "python", "kernel", "home", "supervisor", "folder", "space", "temporary folder", "memory",
        "cores",
    ]  # fmt: skip
    assert sys.executable in found["python"]["sentence"]
    assert str(home) in found["home"]["sentence"]
    assert found["cluster"]["status"] == "optional"
    plain = kfnb("doctor").stdout
    assert all(finding["sentence"] in plain for finding in found.values())


def test_a_kernel_that_the_notebook_needs_is_missing(kfnb: Any, tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {"tags": ["step:a"]}}
    metadata = {"kernelspec": {"name": "nowhere", "language": "python"}}
    book = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(book))
    found = findings(kfnb, path, code=4)
    assert found["kernel"]["status"] == "missing"
    assert '"nowhere", which is not installed' in found["kernel"]["sentence"]


def test_a_new_home_is_private_and_an_open_one_is_reported(kfnb: Any, home: Path) -> None:
    assert findings(kfnb)["home"]["status"] == "ok"
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o755)
    found = findings(kfnb)["home"]
    assert found["status"] == "warning"
    assert found["commands"] == [f"chmod 700 {home}"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_little_space_and_a_long_temporary_folder_are_reported(
    kfnb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(this_machine.tempfile, "tempdir", str(long))
    monkeypatch.setattr(this_machine.shutil, "disk_usage", lambda _: Usage(9, 9, 1 << 20))
    found = findings(kfnb)
    assert found["space"]["status"] == "warning"
    assert found["space"]["commands"] == ["kfnb clean --keep 10"]
    assert "Set TMPDIR" in found["temporary folder"]["sentence"]


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, kfnb: Any) -> None:
    monkeypatch.setattr(this_machine, "_container_limit", lambda: 512 << 20)
    found = findings(kfnb)["memory"]
    assert found["status"] == "warning"
    assert "of 0.5 GB of memory" in found["sentence"]


def test_cores_are_those_that_may_be_used(kfnb: Any) -> None:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert findings(kfnb)["cores"]["sentence"].startswith(f"{usable} ")


@pytest.mark.parametrize(
    ("versions", "status", "words"),
    [
        ({}, "optional", "another one"),
        ({"jupyterlab": "4.2"}, "warning", "without jupyterlab_widgets"),
        (
            {"jupyterlab": "4.2", "jupyterlab_widgets": "1.1", "ipywidgets": "8.1"},
            "warning",
            "does not fit",
        ),
        (
            {"notebook": "7.2", "jupyterlab_widgets": "3.0.17", "ipywidgets": "8.1.9"},
            "ok",
            "notebook 7.2 can show live views",
        ),
    ],
)
def test_the_versions_of_page_and_kernel_must_fit(
    kfnb: Any, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], status: str, words: str
) -> None:
    monkeypatch.setattr(this_machine, "_version", versions.get)
    found = findings(kfnb)["jupyter"]
    assert found["status"] == status
    assert words in found["sentence"]


def test_views_that_were_not_built_say_why(kfnb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "build_problem", lambda: "The live views were not built: no node.")
    found = findings(kfnb)["live views"]
    assert (found["status"], found["sentence"][-8:]) == ("warning", "no node.")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (None, "node is not on PATH"),
        ("v18.1.0", "node 18.1.0"),
        ("v22.0.0", "node 22.0.0 is on PATH, so the live views can be built"),
    ],
)
def test_node_is_looked_for_only_where_the_live_views_were_not_built(
    kfnb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str | None, words: str
) -> None:
    monkeypatch.setattr(bundle, "build_problem", lambda: None)
    assert "node" not in findings(kfnb)
    monkeypatch.setattr(bundle, "build_problem", lambda: "The live views were not built.")
    if node is not None:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {node}\n")
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = findings(kfnb)["node"]
    assert (found["status"], found["commands"] != []) == ("warning", True)
    assert words in found["sentence"]


@pytest.mark.parametrize(
    ("page", "enabled", "status", "words"),
    [
        (None, True, "warning", "no side panel"),
        ("0.0.1", True, "warning", "The page has kfnb 0.0.1 and the server has kfnb"),
        (kfnb_itself.__version__, False, "warning", "does not load kfnb"),
        (kfnb_itself.__version__, True, "ok", "side panel and the server's part are kfnb"),
    ],
)
def test_the_versions_of_the_side_panel_and_the_server_are_compared(
    kfnb: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    page: str | None,
    enabled: bool,
    status: str,
    words: str,
) -> None:
    from jupyter_core import paths

    versions = {"jupyterlab": "4.4", "jupyterlab_widgets": "3.0.17", "ipywidgets": "8.1.9"}
    monkeypatch.setattr(this_machine, "_version", versions.get)
    monkeypatch.setattr(bundle, "build_problem", lambda: "The live views were not built.")
    assert "side panel" not in findings(kfnb)
    monkeypatch.setattr(bundle, "build_problem", lambda: None)
    package = tmp_path / "package.json"
    if page is not None:
        package.write_text(json.dumps({"version": page}))
    if enabled:
        (tmp_path / "jupyter_server_config.d").mkdir()
        (tmp_path / "jupyter_server_config.d" / "kfnb.json").write_text("{}")
    monkeypatch.setattr(paths, "jupyter_path", lambda *_: [str(package)])
    monkeypatch.setattr(paths, "jupyter_config_path", lambda: [str(tmp_path)])
    found = findings(kfnb)["side panel"]
    assert (found["status"], words in found["sentence"]) == (status, True), found


def test_a_folder_that_is_read_only_is_reported(
    kfnb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_machine.os, "access", lambda path, mode: Path(path) != tmp_path)
    monkeypatch.chdir(tmp_path)
    found = findings(kfnb)["folder"]
    assert found["status"] == "warning"
    assert str(tmp_path) in found["sentence"]
