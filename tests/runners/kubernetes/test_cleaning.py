"""Which values and records cleaning takes for nobody's, told from what a namespace and store hold."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone

import pytest

from kfnb.engine.core.event_types import RunCancelled
from kfnb.engine.journal.file_journal import Journal
from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder, runs_folder
from kfnb.runners.kubernetes.cleaning import clean
from kfnb.runners.kubernetes.objects import names
from kfnb.store import Failure, Manifest, hash_bytes
from kfnb.store.remote.folder import FolderRemote

OLD = 10 * 86_400


class Namespace:
    """Objects by kind; notes what is deleted."""

    def __init__(self, **objects):
        self.objects, self.deleted = objects, []

    def list(self, kind, *, selector="", fields=""):
        return {"items": self.objects.get(kind, [])}

    def delete(self, kind, name, *, uid=None, grace=None):
        self.deleted.append((kind, name, uid))


@pytest.fixture
def remote(tmp_path, monkeypatch):
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    return FolderRemote(tmp_path / "store")


def stamp(ago):
    return datetime.fromtimestamp(time.time() - ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(run, ago=OLD):
    metadata = {"name": f"kfnb-{run}", "uid": run, "labels": names.labels(run)}
    return {"metadata": {**metadata, "creationTimestamp": stamp(ago)}, "data": {"run": run}}


def put(remote, key, data, ago=OLD):
    remote.put(key, data)
    then = time.time() - ago
    os.utime(remote.root / key, (then, then))


def value(remote, data, ago=OLD):
    name = hash_bytes(data)
    put(remote, f"blobs/{name[:2]}/{name}", data, ago)
    return name


def record(remote, run, log, ago=OLD):
    failure = Failure(kind="user", summary="x", log=log)
    put(remote, f"failed/{run}/s-1.json", failure.to_json(), ago)


def left(remote):
    return {remote.get(key) for key in remote.list("blobs/")}


def test_values_that_a_record_refers_to_stay_and_so_do_young_ones(remote):
    record(remote, "r1", value(remote, b"used"))
    value(remote, b"unused")
    value(remote, b"young", ago=60)
    space = Namespace(ConfigMap=[owner("r1")])
    done = clean(space, remote, dry_run=True)
    assert (done.objects, done.values, done.bytes) == (("r1",), 1, 6)
    assert done.fresh == 1
    assert not space.deleted
    clean(space, remote)
    assert space.deleted == [("ConfigMap", "kfnb-r1", "r1")]
    assert left(remote) == {b"used", b"young"}
    done = clean(Namespace(), remote, keep=0)
    assert done.runs == ("r1",)
    assert left(remote) == {b"young"}
    assert not remote.list("failed/")


def test_the_newest_and_the_young_keep_their_records(remote):
    for run, ago in (("r1", 30), ("r2", 20), ("r3", 10)):
        record(remote, run, value(remote, run.encode(), ago * 86_400), ago * 86_400)
    assert clean(Namespace(), remote, keep=1, older_than=15 * 86_400).runs == ("r1", "r2")
    assert {key.split("/")[1] for key in remote.list("failed/")} == {"r3"}


def test_the_newest_runs_of_each_notebook_are_kept_and_one_may_be_chosen(remote):
    for run, path in (("r1", "a"), ("r2", "b"), ("r3", "a")):
        record(remote, run, value(remote, run.encode()))
        put(remote, f"runs/{run}/run.json", json.dumps({"notebook": f"/{path}.ipynb"}).encode())
    done = clean(Namespace(), remote, keep=1, dry_run=True)
    assert (done.runs, done.notebooks) == (("r1",), {"r1": "/a.ipynb"})
    space = Namespace(ConfigMap=[owner("r1"), owner("r2")])
    done = clean(space, remote, keep=0, notebook="/b.ipynb")
    assert (done.objects, done.runs) == (("r2",), ("r2",))


def test_code_of_finished_runs_is_removed_and_old_results_on_request(remote):
    put(remote, "code/old.tar", b"code")
    put(remote, "code/young.tar", b"code", ago=60)
    kept = Manifest("r1", "s", 1, 0.0, 1.0, executed=value(remote, b"cached"))
    for form, data in (("json", b"{}"), ("manifest", kept.to_json())):
        put(remote, f"cache/entries/ab/abc/e.{form}", data)
    done = clean(Namespace(), remote)
    assert (done.values, done.cached) == (1, 0)
    assert remote.list("code/") == ["code/young.tar"]
    assert left(remote) == {b"cached"}
    assert clean(Namespace(), remote, older_than=2 * OLD).cached == 0
    done = clean(Namespace(), remote, older_than=OLD / 2)
    assert (done.values, done.cached) == (1, 1)
    assert not left(remote)
    assert not remote.list("cache/")


@pytest.mark.parametrize("sign", ["job", "lease", "young"])
def test_a_run_of_another_machine_that_may_continue_keeps_all_values(remote, sign):
    value(remote, b"on its way")
    labels = {"labels": names.labels("r1"), "creationTimestamp": stamp(OLD)}
    space = Namespace(
        ConfigMap=[owner("r1", ago=60 if sign == "young" else OLD)],
        Job=[{"metadata": labels, "status": {"active": 1}}] if sign == "job" else [],
        Lease=[{"metadata": labels, "spec": {"renewTime": stamp(5)}}] if sign == "lease" else [],
    )
    done = clean(space, remote, keep=0)
    assert done.live == ("r1",)
    assert done.recent == (() if sign == "job" else ("r1",))
    assert (done.objects, done.runs, done.values) == ((), (), 0)
    assert not space.deleted
    assert left(remote) == {b"on its way"}


def test_a_run_that_ended_here_and_continues_on_another_machine_stays(remote):
    """What this machine knows of it may be old: its Lease is not."""
    folder = RunFolder(runs_folder() / "r1")
    folder.path.mkdir(parents=True)
    folder.run.write_text("{}")
    with Journal(folder.journal, "r1") as journal:
        journal.append(RunCancelled())
    labels = {"labels": names.labels("r1"), "creationTimestamp": stamp(OLD)}
    spec = {"holderIdentity": "other_1", "renewTime": stamp(5)}
    space = Namespace(ConfigMap=[owner("r1")], Lease=[{"metadata": labels, "spec": spec}])
    assert clean(space, remote, keep=0).live == ("r1",)
    assert not space.deleted
    del spec["holderIdentity"]  # its driver has left
    assert clean(space, remote, keep=0).objects == ("r1",)


def test_a_record_that_cannot_be_read_keeps_everything(remote):
    put(remote, "manifests/r1/s.json", b"of a later kfnb")
    value(remote, b"unknown")
    space = Namespace(ConfigMap=[owner("r1")])
    with pytest.raises(InfrastructureError, match="Nothing was removed"):
        clean(space, remote)
    assert not space.deleted
    assert left(remote) == {b"unknown"}
