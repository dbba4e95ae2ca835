"""A store whose truth is somewhere else does what a store here does."""

from __future__ import annotations

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store.remote import StoreAddress, open_remote
from kfnb.store.remote_store import open_remote_store


@pytest.fixture
def remote(tmp_path):
    return open_remote(StoreAddress((tmp_path / "remote").as_uri()))


@pytest.fixture
def here(tmp_path, remote):
    return open_remote_store(tmp_path / "here", remote)


@pytest.fixture
def there(tmp_path, remote):
    return open_remote_store(tmp_path / "there", remote)


def test_a_blob_that_one_adds_another_fetches(here, there, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    name = here.add_blob(file)
    assert not file.exists()
    assert there.has(name)
    assert not there.blob(name).exists()
    assert there.fetch(name).read_bytes() == b"x" * 100_000
    assert list((there.root / "staging").iterdir()) == []


def test_bytes_are_kept_there_too(here, there):
    name = here.add_bytes(b"few")
    assert there.fetch(name).read_bytes() == b"few"


def test_a_missing_or_damaged_blob_is_reported(here, remote):
    name = here.add_bytes(b"something")
    remote.put(f"blobs/{name[:2]}/{name}", b"different")
    with pytest.raises(InfrastructureError, match="damaged"):
        here.fetch(name)
    remote.delete(f"blobs/{name[:2]}/{name}")
    assert not here.keep(name)
    with pytest.raises(InfrastructureError, match="no longer in the store"):
        here.fetch(name)


def test_a_record_is_created_once_whoever_creates_it(here, there):
    assert here.create("manifests/r/s.json", b"mine")
    assert here.create("manifests/r/s.json", b"mine")  # a lost reply: it is there, and mine
    assert not there.create("manifests/r/s.json", b"yours")
    assert there.get("manifests/r/s.json") == b"mine"


def test_records_are_linked_listed_and_deleted_there(here, there):
    here.put("cache/a/1.json", b"1")
    assert there.link("cache/a/1.json", "cache/b/1.json")
    assert not there.link("cache/a/1.json", "cache/b/1.json")
    assert not there.link("cache/a/none.json", "cache/b/2.json")
    assert here.list("cache") == ["cache/a/1.json", "cache/b/1.json"]
    here.delete("cache/a/1.json")
    assert there.list("cache/") == ["cache/b/1.json"]
