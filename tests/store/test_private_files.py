"""What kfnb stores is for one person, or for the pods of one cluster, from its creation on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store import disk
from kfnb.store.blobs import open_store
from kfnb.store.remote import StoreAddress, open_remote


@pytest.fixture(autouse=True)
def no_mask() -> Iterator[None]:
    # With the usual mask, a test would not see which rights are asked for.
    before = os.umask(0)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, str]:
    found = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): oct(p.stat().st_mode & 0o7777) for p in found}


def test_a_store_is_private(tmp_path: Path) -> None:
    store = open_store(tmp_path / "home" / "store")
    store.create("manifests/run/a", b"{}")
    store.put("cache/x", b"{}")
    store.keep(store.add_bytes(b"value"))
    staging = store.staging()
    (staging / "value").write_bytes(b"other")
    store.add_blob(staging / "value")
    found = rights(tmp_path / "home")
    assert len(found) > 8
    assert set(found.values()) == {"0o700", "0o600", "0o400"}


def test_a_shared_volume_is_for_the_group_of_its_pods(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    remote = open_remote(StoreAddress((volume / "store").as_uri()))
    remote.put("runs/x/a.json", b"{}")
    remote.create("manifests/x", b"{}")
    file = tmp_path / "file"
    file.write_bytes(b"x")
    remote.upload("blobs/aa/x", file)
    found = rights(volume)
    assert {found[name] for name in ("store/runs", "store/runs/x", "store/blobs/aa")} == {"0o2770"}
    files = ("store/runs/x/a.json", "store/manifests/x", "store/blobs/aa/x")
    assert {found[name] for name in files} == {"0o660"}


def test_an_open_home_is_closed_once_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    disk.private_folder(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert "was open to other users" in capsys.readouterr().err
    disk.private_folder(home)
    assert capsys.readouterr().err == ""


def test_the_home_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    owner = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    with pytest.raises(InfrastructureError, match="belongs to another user"):
        disk.private_folder(tmp_path / "home")


def test_logs_and_folders_are_private(tmp_path: Path) -> None:
    disk.private_folders(tmp_path / "a" / "b")
    disk.private_log(tmp_path / "a" / "b" / "log").close()
    assert rights(tmp_path) == {"a": "0o700", "a/b": "0o700", "a/b/log": "0o600"}
