"""What of the cluster's making can be told without root: keys, archives, volumes, refusals."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cluster import machine, volumes
from tests.cluster.archive import Layer, assemble, pack
from tests.cluster.binaries import COMPONENTS, required
from tests.cluster.machine import Unable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o755)
    (root / "bin" / "alias").symlink_to("tool")
    return root


def test_the_same_content_makes_the_same_layer(folder: Path, tmp_path: Path) -> None:
    one, two = Layer(tmp_path / "one.tar"), Layer(tmp_path / "two.tar")
    pack(folder, one)
    (folder / "bin" / "tool").touch()
    pack(folder, two)
    assert one.digest == two.digest
    (folder / "bin" / "tool").write_text("#!/bin/ash\n")
    pack(folder, two)
    assert one.digest != two.digest


def test_an_archive_says_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    layer = Layer(tmp_path / "layer.tar")
    pack(folder, layer)
    archive = tmp_path / "image.tar"
    assemble(archive, name="localhost/x:1", layers=[layer, layer], command=["tool"], user="1000")
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        [image] = json.load(manifest)
        config = tar.extractfile(image["Config"])
        assert config
        assert json.load(config)["config"]["User"] == "1000"
    assert image["RepoTags"] == ["localhost/x:1"]
    assert image["Layers"] == [f"{layer.digest}/layer.tar"] * 2


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_every_component_says_what_it_is_built_from(component: object) -> None:
    assert (component.sources / "go.sum").stat().st_size  # type: ignore[attr-defined]
    assert component.folder.name.startswith(component.name)  # type: ignore[attr-defined]


def test_the_version_of_kubernetes_is_read_from_its_go_mod() -> None:
    [kube] = [component for component in COMPONENTS if component.name == "kube"]
    version = required(kube.sources / "go.mod", "k8s.io/kubernetes")
    assert f"gitVersion={version}" in kube.flags()


def test_a_volume_is_bound_to_the_claim_it_was_made_for(tmp_path: Path) -> None:
    claim = {
        "metadata": {"name": "c", "namespace": "n", "uid": "1-2"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    made = volumes.volume(claim, tmp_path)
    assert made["spec"]["claimRef"]["uid"] == "1-2"
    assert made["spec"]["hostPath"]["path"] == str(tmp_path / "folder-1-2")


def test_another_system_gets_a_list_of_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unable, match="needs Linux, this is darwin"):
        machine.check()


def test_a_user_without_root_gets_a_list_of_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(Unable, match="needs root"):
        machine.check()
