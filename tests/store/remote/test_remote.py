"""What every remote store promises, in a folder and on a real S3 server."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError, UsageError
from kfnb.store.remote import StoreAddress, open_remote


def test_records_come_back_as_they_were_put(remote):
    assert remote.get("runs/a/run.json") is None
    remote.put("runs/a/run.json", b"one")
    remote.put("runs/a/run.json", b"two")
    assert remote.get("runs/a/run.json") == b"two"
    assert remote.size("runs/a/run.json") == 3
    assert remote.size("runs/a") is None
    remote.put("runs/a/empty", b"")
    assert remote.get("runs/a/empty") == b""


def test_keys_are_found_with_size_and_age(remote):
    began = time.time()
    remote.put("runs/a/one", b"123")
    remote.put("runs/b/two", b"12345")
    found = remote.list_objects("")
    assert {key: about.size for key, about in found.items()} == {"runs/a/one": 3, "runs/b/two": 5}
    assert all(began - 60 < about.written < time.time() + 60 for about in found.values())
    assert list(remote.list_objects("runs/a")) == ["runs/a/one"]
    assert remote.list_objects("none/") == {}


def test_a_record_is_created_once(remote):
    assert remote.create("manifests/r/s.json", b"first")
    assert not remote.create("manifests/r/s.json", b"second")
    assert remote.get("manifests/r/s.json") == b"first"


def test_of_many_processes_that_create_at_once_one_succeeds(remote):
    won = []
    start = threading.Barrier(8)

    def create(number):
        start.wait()
        if remote.create("race/it", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(n).encode() for n in won] == [remote.get("race/it")]


def test_keys_are_listed_by_what_they_begin_with(remote):
    for key in ("a/1", "a/2/x", "a/2/y", "ab/1", "b"):
        remote.put(key, b"")
    assert remote.list("a/") == ["a/1", "a/2/x", "a/2/y"]
    assert remote.list("a/2/") == ["a/2/x", "a/2/y"]
    assert remote.list("a") == ["a/1", "a/2/x", "a/2/y", "ab/1"]
    assert remote.list("nothing/") == []
    assert "b" in remote.list("")


def test_what_is_deleted_is_gone(remote):
    for key in ("a/1", "a/2/x", "ab"):
        remote.put(key, b"x")
    remote.delete("a/1")
    remote.delete("a/1")
    remote.delete_all("a/")
    remote.delete_all("nothing/")
    assert remote.list("a") == ["ab"]


def test_files_are_taken_whole(remote, tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(12_000_000))
    remote.upload("blobs/aa/x", source)
    assert remote.size("blobs/aa/x") == 12_000_000
    target = tmp_path / "deep" / "target"
    assert remote.download("blobs/aa/x", target)
    assert target.read_bytes() == source.read_bytes()
    assert not remote.download("blobs/aa/nothing", tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["target"]


@pytest.mark.parametrize("key", ["", "../x", "a/../b", "/a", "a//b", "a\\b", "a\0"])
def test_keys_never_leave_the_store(remote, key):
    with pytest.raises(ValueError, match="not a key"):
        remote.put(key, b"x")


def test_a_store_that_creates_twice_is_refused(tmp_path: Path, monkeypatch):
    from kfnb.store.remote.folder import FolderRemote

    monkeypatch.setattr(FolderRemote, "create", lambda _self, _key, _data: True)
    with pytest.raises(InfrastructureError, match="create the same record"):
        open_remote(StoreAddress(tmp_path.as_uri()))


def test_a_bucket_that_is_not_there_is_named(bucket, endpoint):
    del bucket
    with pytest.raises(InfrastructureError, match='no bucket "elsewhere"'):
        open_remote(StoreAddress("s3://elsewhere/x", endpoint))


def test_wrong_credentials_are_reported_and_not_shown(bucket, endpoint, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    with pytest.raises(InfrastructureError, match="AWS_SECRET_ACCESS_KEY") as caught:
        open_remote(StoreAddress(f"s3://{bucket}/x", endpoint))
    assert "wrong-and-secret" not in str(caught.value)


def test_an_endpoint_that_does_not_answer_is_reported(monkeypatch):
    from kfnb.store.remote import s3

    monkeypatch.setattr(s3, "_TRIES", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(InfrastructureError, match="does not answer"):
        open_remote(StoreAddress("s3://bucket/x", "http://127.0.0.1:9"))


@pytest.mark.parametrize("url", ["ftp://x", "bucket/x", "s3://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError):
        open_remote(StoreAddress(url))


def test_the_address_is_read_from_the_environment():
    assert StoreAddress.from_environment({}) is None
    found = StoreAddress.from_environment({"KFNB_STORE": "s3://b/p", "KFNB_STORE_ENDPOINT": ""})
    assert found == StoreAddress("s3://b/p")
