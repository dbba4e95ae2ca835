"""Journals in a store: one history, whoever writes it, and nobody acts on what is not in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.journal import segment_journal
from kfnb.engine.journal.file_journal import Journal, JournalBusy, read_journal
from kfnb.engine.journal.segment_journal import JournalLost, SegmentJournal, follow_segments
from kfnb.errors import InfrastructureError
from kfnb.store.remote.folder import FolderRemote


class Faulty(FolderRemote):
    """A store that fails on order: before it does something, after it, or it says False."""

    fault = ""

    def create(self, key, data):
        fault, self.fault = self.fault, ""
        if fault == "before":
            raise InfrastructureError("the store does not answer.")
        made = super().create(key, data)
        if fault == "after":
            raise InfrastructureError("the reply did not come.")
        return False if fault == "again" else made


def journal(remote, folder: Path, **said) -> SegmentJournal:
    folder.mkdir(parents=True, exist_ok=True)
    return SegmentJournal(folder / "journal.jsonl", "r", remote=remote, **said)


def history(remote) -> list[tuple[int, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        follow_segments(remote, "r", path)
        return [(e.seq, e.data.message) for e in read_journal(path)]


def say(one, word, *, durable=True):
    one.append(WarningData(message=word), durable=durable)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["open", "open", "say", "say", "say", "progress", "sync", "crash"]),
        st.sampled_from(["", "", "", "before", "after", "again"]),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_of_several_drivers_there_is_one_history_and_what_was_acted_upon_is_in_it(steps):
    with tempfile.TemporaryDirectory() as folder:
        remote = Faulty(Path(folder, "store"))
        alive: dict[int, SegmentJournal] = {}
        acted: list[tuple[int, str]] = []
        for n, (who, what, fault) in enumerate(steps):
            remote.fault = fault
            try:
                if what == "open" and who not in alive:
                    alive[who] = journal(remote, Path(folder, str(who)))
                elif what == "crash" and who in alive:
                    alive.pop(who).close()
                elif who in alive and what == "sync":
                    alive[who].sync()
                elif who in alive and what in ("say", "progress"):
                    word = f"{who} {n}"
                    say(alive[who], word, durable=what == "say")
                    if what == "say":
                        acted.append((alive[who].seq, word))
            except (JournalBusy, InfrastructureError):
                if who in alive:
                    alive.pop(who).close()
            remote.fault = ""
        for one in alive.values():
            one.close()
        found = history(remote)
        assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
        assert set(acted) <= set(found)
        assert acted == sorted(acted)
        for who in range(3):
            path = Path(folder, str(who), "journal.jsonl")
            here = [(e.seq, e.data.message) for e in read_journal(path)]
            # What somebody follows here is never taken back.
            assert here == found[: len(here)]


@pytest.fixture
def remote(tmp_path):
    return Faulty(tmp_path / "store")


def test_a_lost_reply_to_our_own_creation_is_detected(remote, tmp_path):
    with journal(remote, tmp_path / "a") as one:
        remote.fault = "again"
        say(one, "x")
        say(one, "y")
    assert history(remote) == [(1, "x"), (2, "y")]


def test_a_driver_that_was_taken_over_leaves_at_its_next_word(remote, tmp_path):
    with journal(remote, tmp_path / "a") as old, journal(remote, tmp_path / "b") as new:
        say(new, "new")
        with pytest.raises(JournalLost):
            say(old, "old")
        with pytest.raises(JournalLost):
            old.sync()
    assert history(remote) == [(1, "new")]


def test_a_driver_that_comes_back_finds_out_before_it_does_anything(remote, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(segment_journal.clock, "time", lambda: now[0])
    with journal(remote, tmp_path / "a") as old:
        say(old, "first")
        old.confirm()
        with journal(remote, tmp_path / "b") as new:
            say(new, "second")
            now[0] += 3600
            with pytest.raises(JournalLost):
                old.confirm()
            new.confirm()


def test_after_a_failure_nothing_more_is_appended(remote, tmp_path):
    with journal(remote, tmp_path / "a") as one:
        remote.fault = "after"
        with pytest.raises(InfrastructureError):
            say(one, "x")
        with pytest.raises(InfrastructureError):
            say(one, "y")
    # It may be there: nobody acted upon it, and the next driver takes it as it is.
    with journal(remote, tmp_path / "a") as one:
        assert [e.data.message for e in one.events] == ["x"]
        say(one, "z")
    assert history(remote) == [(1, "x"), (2, "z")]


def test_progress_goes_with_the_next_durable_event(remote, tmp_path):
    with journal(remote, tmp_path / "a") as one:
        say(one, "a", durable=False)
        say(one, "b", durable=False)
        assert one.waiting
        assert history(remote) == []
        say(one, "c")
        assert not one.waiting
    assert len(remote.list("runs/r/journal/")) == 1
    assert history(remote) == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("spoil", ["behind", "torn", "ahead", "gone"])
def test_the_copy_here_is_made_as_the_store_says(remote, tmp_path, spoil):
    with journal(remote, tmp_path / "a") as one:
        say(one, "x")
        say(one, "y")
    path = tmp_path / "a" / "journal.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ahead = lines[1].replace(b'"seq":2', b'"seq":3')
    path.write_bytes(
        {"behind": lines[0], "torn": whole[:-7], "ahead": whole + ahead, "gone": b""}[spoil]
    )
    if spoil == "gone":
        path.unlink()
    with journal(remote, tmp_path / "a") as one:
        assert [e.data.message for e in one.events] == ["x", "y"]
    assert path.read_bytes() == whole


def test_a_new_runs_first_events_are_the_stores(remote, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    with Journal(folder / "journal.jsonl", "r") as made:
        say(made, "created")
    with journal(remote, folder) as one:
        say(one, "driven")
    assert history(remote) == [(1, "created"), (2, "driven")]


def test_a_journal_with_a_hole_is_refused(remote, tmp_path):
    with journal(remote, tmp_path / "a") as one:
        for word in "xyz":
            say(one, word)
    remote.delete(remote.list("runs/r/journal/")[1])
    with pytest.raises(InfrastructureError, match="event 2"):
        journal(remote, tmp_path / "b")


class Interrupted:
    """A remote that lets something else happen after each object that was read."""

    def __init__(self, remote, meanwhile):
        self.remote, self.meanwhile = remote, meanwhile

    def __getattr__(self, name):
        return getattr(self.remote, name)

    def get(self, key):
        data = self.remote.get(key)
        self.meanwhile()
        return data


def test_followers_of_one_folder_do_not_disturb_each_other(remote, tmp_path):
    with journal(remote, tmp_path / "a") as one:
        say(one, "x")
        path = tmp_path / "b" / "journal.jsonl"
        path.parent.mkdir()

        def overtake():
            say(one, "y")
            assert follow_segments(remote, "r", path)

        # The second follower is done while the first has read only one event.
        assert follow_segments(Interrupted(remote, overtake), "r", path)
        assert [e.data.message for e in read_journal(path)] == ["x", "y"]
        assert not follow_segments(remote, "r", path)
        # The driver of this machine writes its own.
        assert not follow_segments(remote, "r", tmp_path / "a" / "journal.jsonl")


def test_a_driver_may_begin_while_its_journal_is_followed(remote, tmp_path):
    path = tmp_path / "b" / "journal.jsonl"
    with journal(remote, tmp_path / "a") as one:
        say(one, "x")
    path.parent.mkdir()
    begun = []

    def begin():
        begun.append(journal(remote, path.parent))
        say(begun[0], "y")

    follow_segments(Interrupted(remote, begin), "r", path)
    with begun[0] as driver:
        say(driver, "z")
    assert [e.data.message for e in read_journal(path)] == ["x", "y", "z"]


@pytest.mark.parametrize("together", [False, True], ids=["apart", "in-one-segment"])
def test_a_copy_that_was_torn_anywhere_is_completed(remote, tmp_path, together):
    path = tmp_path / "b" / "journal.jsonl"
    path.parent.mkdir()
    with journal(remote, tmp_path / "a") as one:
        say(one, "x", durable=not together)
        say(one, "y")
        whole = (tmp_path / "a" / "journal.jsonl").read_bytes()
        for cut in range(len(whole)):
            path.write_bytes(whole[:cut])
            assert follow_segments(remote, "r", path)
            assert path.read_bytes() == whole
        # Also if more events came since.
        torn = whole[: whole.index(b"\n") + 1]
        path.write_bytes(torn)
        say(one, "z")
        assert follow_segments(remote, "r", path)
        assert [e.data.message for e in read_journal(path)] == ["x", "y", "z"]


def test_progress_is_durable_soon(remote, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(segment_journal.clock, "time", lambda: now[0])
    with journal(remote, tmp_path / "a") as one:
        say(one, "a", durable=False)
        one.confirm()
        assert one.waiting
        now[0] += segment_journal.CONFIRM_INTERVAL
        one.confirm()
        assert not one.waiting
    assert history(remote) == [(1, "a")]
