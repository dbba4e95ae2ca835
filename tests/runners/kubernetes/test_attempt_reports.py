"""The store is the channel: logs of pods only say that there is something in it."""

from __future__ import annotations

import json
import threading

import pytest

from kfnb.errors import InfrastructureError
from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.logs import attempt_reports
from kfnb.runners.kubernetes.logs.attempt_reports import AttemptReports
from kfnb.store.remote.folder import FolderRemote

PREFIX = "runs/r/steps/s/1/"


def at(second, data):
    return f"2026-01-01T00:00:{second:02}.000000000Z ".encode() + data


def signal(number, **more):
    return b"\x1e" + json.dumps({"batch": number, **more}).encode() + b"\n"


class Pods:
    """A cluster whose one pod printed these lines."""

    def __init__(self, *lines):
        self.lines = lines

    def pod_log(self, name, *, container, since_time, follow):
        yield from self.lines


class CountingRemote(FolderRemote):
    """A store that counts its lists, and refuses reads while ``away``."""

    lists = 0
    away = False

    def list(self, prefix):
        type(self).lists += 1
        return super().list(prefix)

    def get(self, key):
        if type(self).away:
            raise InfrastructureError("the store does not answer")
        return super().get(key)


@pytest.fixture
def remote(tmp_path):
    CountingRemote.lists, CountingRemote.away = 0, False
    return CountingRemote(tmp_path / "store")


@pytest.fixture
def folder(tmp_path):
    return AttemptFolder(tmp_path / "1")


def store(remote, number, text, event, pod="uid"):
    lines = [{"kind": "log", "from": text[0], "text": text[1]}, {"n": event, "type": "CellOutput"}]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    remote.put(f"{PREFIX}events/{pod}/{number:06}.jsonl", data)


def reports(folder, remote, pods=None):
    woken = threading.Event()
    return AttemptReports(folder, read_client=pods, remote=remote, prefix=PREFIX, wake=woken.set)


def test_a_signalled_batch_is_read_without_listing_the_store(folder, remote):
    store(remote, 0, (0, "one\n"), 1)
    store(remote, 1, (4, "two\n"), 2)
    found = reports(folder, remote, Pods(at(1, signal(0)), at(2, signal(1, last=True))))
    found.over("uid")
    found.follow("pod", "uid")
    found.finish()
    assert folder.log.read_bytes() == b"one\ntwo\n"
    assert len(folder.events.read_text().splitlines()) == 2
    assert remote.lists == 0


def test_a_signal_for_a_later_batch_brings_those_before_it(folder, remote):
    """Where a log was rotated, signals are missing."""
    for number in range(3):
        store(remote, number, (2 * number, f"{number}\n"), number + 1)
    found = reports(folder, remote, Pods(at(1, signal(2, last=True))))
    found.over("uid")
    found.follow("pod", "uid")
    found.finish()
    assert folder.log.read_bytes() == b"0\n1\n2\n"


def test_without_the_last_signal_the_store_is_listed_at_the_end(folder, remote):
    """A pod that was killed could signal nothing any more."""
    store(remote, 0, (0, "one\n"), 1)
    store(remote, 1, (4, "two\n"), 2)
    found = reports(folder, remote, Pods(at(1, signal(0))))
    found.over("uid")
    found.follow("pod", "uid")
    found.finish()
    assert folder.log.read_bytes() == b"one\ntwo\n"


def test_a_batch_that_the_store_did_not_give_is_read_later(folder, remote, monkeypatch):
    monkeypatch.setattr(attempt_reports, "EVERY", 0.0)
    store(remote, 0, (0, "one\n"), 1)
    CountingRemote.away = True
    found = reports(folder, remote, Pods(at(1, signal(0, last=True))))
    found.over("uid")
    found.follow("pod", "uid")
    with pytest.raises(InfrastructureError):
        found.finish()
    CountingRemote.away = False
    found.finish()
    assert folder.log.read_bytes() == b"one\n"


def test_a_mirror_needs_only_the_store(folder, remote):
    store(remote, 0, (0, "one\n"), 1)
    found = reports(folder, remote)
    found.read_store()
    store(remote, 1, (4, "two\n"), 2)
    found.read_store()
    found.finish()
    assert folder.log.read_bytes() == b"one\ntwo\n"


def test_text_before_a_signal_explains_nothing_any_more(folder, remote):
    store(remote, 0, (0, "one\n"), 1)
    lines = (at(1, b"kfnb: waiting\n"), at(2, signal(0)), at(3, b"Killed\n"))
    found = reports(folder, remote, Pods(*lines))
    found.over("uid")
    found.follow("pod", "uid")
    found.finish()
    assert found.text == "kfnb: waiting\n\x1e\nKilled\n"
