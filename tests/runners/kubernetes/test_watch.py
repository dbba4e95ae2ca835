"""Whatever the API server does to a watch, what a list shows later is known in the end."""

from __future__ import annotations

import gc
import itertools
import random
import select
import threading

import pytest

from kfnb.runners.kubernetes.api.backoff import CAP, Backoff
from kfnb.runners.kubernetes.api.cluster_clock import ClusterClock
from kfnb.runners.kubernetes.watch.list_watch import POLL, RELIST, Watcher
from kfnb.runners.kubernetes.watch.object_cache import GONE_KEPT, ObjectCache
from tests.runners.kubernetes.scripted import (
    Clock,
    ReadClient,
    Refused,
    bookmark,
    expired,
    line,
    listed,
    thing,
)
from tests.waiting import PATIENCE


@pytest.fixture
def clock():
    return Clock()


def follow(clock, kind="Job", **script):
    read_client = ReadClient(clock, **script)
    watcher = Watcher(read_client, "run=r", clock=clock)
    watcher.follow(kind)
    return watcher, read_client


def versions(watcher, *jobs):
    return [watcher.view(j).job["metadata"]["resourceVersion"] for j in jobs]


def test_a_list_and_then_what_the_watch_says(clock):
    watcher, read_client = follow(
        clock,
        lists=[listed(5, thing("a", 3))],
        watches=[[line("MODIFIED", thing("a", 6)), line("ADDED", thing("b", 7)), bookmark(20)]],
    )
    assert versions(watcher, "a", "b") == ["6", "7"]
    # the watch after goes on from the bookmark
    assert read_client.calls == [("list", "Job", ""), ("watch", "Job", "5"), ("watch", "Job", "20")]
    assert watcher.take() == {"a", "b"}
    assert watcher.take() == set()


def test_410_in_a_watch_lists_again(clock):
    watcher, read_client = follow(
        clock,
        lists=[listed(5, thing("a", 3)), listed(90, thing("a", 80), thing("b", 81))],
        watches=[[line("MODIFIED", thing("a", 6)), expired()], []],
    )
    assert versions(watcher, "a", "b") == ["80", "81"]
    assert [c[2] for c in read_client.calls if c[0] == "watch"] == ["5", "90", "90"]


def test_410_on_connecting_lists_again(clock):
    watcher, read_client = follow(
        clock, lists=[listed(5), listed(90, thing("b", 81))], watches=[Refused(410), []]
    )
    assert versions(watcher, "b") == ["81"]
    assert [c[0] for c in read_client.calls] == ["list", "watch", "list", "watch", "watch"]


def test_a_server_that_always_says_410_is_asked_once_a_second(clock):
    _, read_client = follow(
        clock, lists=[listed(i) for i in range(50)], watches=[[expired()] for _ in range(50)]
    )
    begun = [
        at
        for at, call in zip(read_client.times, read_client.calls, strict=True)
        if call[0] == "list"
    ]
    assert all(b - a >= 1 for a, b in itertools.pairwise(begun))


def test_a_server_that_closes_at_once_a_thousand_times_is_asked_once_a_second(clock):
    watcher, read_client = follow(
        clock,
        lists=[listed(5)] * 10,
        watches=[*([] for _ in range(1000)), [line("ADDED", thing("a", 9))]],
    )
    begun = [
        at
        for at, call in zip(read_client.times, read_client.calls, strict=True)
        if call[0] == "watch"
    ]
    assert len(begun) == 1002
    gaps = [b - a for a, b in itertools.pairwise(begun)]
    assert min(gaps) >= 1
    assert max(gaps) < 1.5  # it is not given up either
    assert versions(watcher, "a") == ["9"]


def test_a_cut_line_comes_again(clock):
    whole = line("MODIFIED", thing("a", 7))
    watcher, read_client = follow(
        clock,
        lists=[listed(5, thing("a", 3))],
        watches=[[line("MODIFIED", thing("a", 6)), whole[:40]], [whole]],
    )
    assert versions(watcher, "a") == ["7"]
    assert [c[2] for c in read_client.calls if c[0] == "watch"][:2] == ["5", "6"]


@pytest.mark.parametrize("junk", [b"[]\n", b"null\n", b'{"type":"ADDED"}\n', b"\xff\n", b'"x"\n'])
def test_a_line_that_is_no_event_ends_the_watch_and_nothing_else(clock, junk):
    watcher, _ = follow(clock, lists=[listed(5)], watches=[[junk], [line("ADDED", thing("a", 7))]])
    assert versions(watcher, "a") == ["7"]


def test_retry_after_is_honoured(clock):
    _, read_client = follow(clock, lists=[Refused(429, retry_after=17), listed(5)], watches=[[]])
    assert read_client.times[1] - read_client.times[0] >= 17


def test_one_503_changes_nothing(clock):
    watcher, read_client = follow(
        clock,
        lists=[listed(5, thing("a", 3))],
        watches=[Refused(503), [line("MODIFIED", thing("a", 6))]],
    )
    assert versions(watcher, "a") == ["6"]
    assert [c[0] for c in read_client.calls].count("list") == 1
    assert watcher.trouble() is None


def test_an_unreachable_server_is_asked_less_and_less_often_and_reported(clock):
    seen = []

    class Looking(ReadClient):
        def list(self, kind, **more):
            seen.append(watcher.trouble())
            return super().list(kind, **more)

    read_client = Looking(
        clock, lists=[*(Refused(None) for _ in range(12)), listed(5)], watches=[[]]
    )
    watcher = Watcher(read_client, "run=r", clock=clock)
    watcher.follow("Job")
    gaps = [b - a for a, b in itertools.pairwise(read_client.times[:12])]
    assert gaps[0] >= 1
    assert max(gaps) <= CAP * 1.5
    assert gaps[-1] >= CAP
    assert seen[:3] == [None] * 3  # for a moment it is nothing to speak of
    assert "the server says" in seen[-1]
    assert watcher.trouble() is None


def test_a_broken_connection_that_was_fine_is_made_again_at_once(clock):
    _, read_client = follow(
        clock, lists=[listed(5)], watches=[[bookmark(6), 30.0, Refused(None)], [bookmark(7)]]
    )
    assert read_client.times[2] - read_client.times[1] <= 32


def test_silent_sockets_that_break_again_and_again_do_not_make_it_slow(clock):
    _, read_client = follow(
        clock, lists=[listed(5)], watches=[[45.0, Refused(None)] for _ in range(9)]
    )
    begun = read_client.times[1:]
    assert max(b - a for a, b in itertools.pairwise(begun)) < 47


def test_what_was_gone_and_is_listed_again_is_there(clock):
    watcher, _ = follow(
        clock,
        lists=[listed(5, thing("a", 3)), listed(8), listed(9, thing("a", 3))],
        watches=[[expired()], [expired()], []],
    )
    assert watcher.view("a").gone == set()
    assert watcher.jobs() == {"a"}


def test_everything_is_listed_again_from_time_to_time(clock):
    """A transition that the watch never told is known after the next list."""
    steps = [item for n in range(30) for item in (20.0, bookmark(10 + n))]
    watcher, _ = follow(clock, lists=[listed(5), listed(100, thing("a", 99))], watches=[steps, []])
    assert versions(watcher, "a") == ["99"]
    assert clock.now() - 1000 <= RELIST + 60


def test_a_deleted_object_is_remembered_in_its_last_state(clock):
    watcher, _ = follow(
        clock,
        lists=[listed(5, thing("a", 3))],
        watches=[[line("DELETED", thing("a", 8, status={"failed": 1}))]],
    )
    view = watcher.view("a")
    assert view.job["status"] == {"failed": 1}
    assert view.gone == {"uid-a"}
    assert watcher.jobs() == set()


def test_objects_that_vanished_between_two_watches_are_gone(clock):
    watcher, _ = follow(
        clock,
        kind="Pod",
        lists=[listed(5, thing("p", 3, job="a"), thing("q", 3, job="a")), listed(90)],
        watches=[[expired()], []],
    )
    view = watcher.view("a")
    assert [p["metadata"]["name"] for p in view.pods] == ["p", "q"]
    assert view.gone == {"uid-p", "uid-q"}


def test_a_pod_made_again_under_its_name_is_another_one(clock):
    watcher, _ = follow(
        clock,
        kind="Pod",
        lists=[
            listed(5, thing("p", 3, job="a", uid="1", created="2026-01-01T00:00:00Z")),
            listed(90, thing("p", 80, job="a", uid="2", created="2026-01-01T00:01:00Z")),
        ],
        watches=[[expired()], []],
    )
    view = watcher.view("a")
    assert [p["metadata"]["uid"] for p in view.pods] == ["1", "2"]
    assert view.gone == {"1"}


def test_where_watching_is_forbidden_it_is_listed_instead(clock):
    watcher, read_client = follow(
        clock,
        lists=[listed(5, thing("a", 3)), listed(8, thing("a", 7)), listed(9, thing("a", 9))],
        watches=[Refused(403)],
    )
    assert versions(watcher, "a") == ["9"]
    assert [c[0] for c in read_client.calls] == ["list", "watch", "list", "list", "list"]
    assert all(b - a >= POLL for a, b in itertools.pairwise(read_client.times[1:]))


def test_a_client_that_breaks_does_not_end_the_watching(clock):
    watcher, _ = follow(clock, lists=[ZeroDivisionError(), listed(5, thing("a", 3))], watches=[[]])
    assert versions(watcher, "a") == ["3"]


def test_what_was_forgotten_does_not_come_back(clock):
    watcher, _ = follow(clock, lists=[listed(5, thing("a", 3))], watches=[[]])
    watcher.forget("a")
    clock.stopped = False
    watcher._read_client.lists = [listed(9, thing("a", 8), thing("b", 8))]
    watcher._read_client.watches = [[line("DELETED", thing("a", 10))]]
    watcher.follow("Job")
    assert watcher.view("a").job is None
    assert watcher.jobs() == {"b"}


def test_a_job_that_vanished_before_any_watch_reported_it_is_gone(clock):
    read_client = ReadClient(clock, lists=[listed(9)], watches=[[]])
    watcher = Watcher(read_client, "run=r", clock=clock)
    watcher.add_job(thing("a", 8))
    assert watcher.take() == {"a"}
    assert watcher.view("a").gone == set()
    watcher.follow("Job")
    assert watcher.view("a").gone == {"uid-a"}


def test_a_job_that_is_younger_than_a_list_is_not_taken_to_be_gone(clock):
    gone = []
    told = [lambda: gone.append(watcher.view("a").gone), line("MODIFIED", thing("a", 12))]
    read_client = ReadClient(clock, lists=[listed(9)], watches=[told])
    watcher = Watcher(read_client, "run=r", clock=clock)
    watcher.add_job(thing("a", 11))
    watcher.follow("Job")
    assert gone == [set()]
    assert versions(watcher, "a") == ["12"]
    watcher.add_job(thing("a", 11))
    assert versions(watcher, "a") == ["12"]


def test_memory_is_bounded():
    kept = ObjectCache()
    for n in range(5 * GONE_KEPT):
        kept.take(line("ADDED", thing(f"j{n}", n)))
        kept.take(line("DELETED", thing(f"j{n}", n)))
    gc.collect()
    assert len(kept._of) == len(kept._gone) == GONE_KEPT
    assert not kept._live
    assert "managedFields" not in kept.of(f"j{5 * GONE_KEPT - 1}")[0][0]["metadata"]


@pytest.mark.parametrize("seed", range(20))
def test_no_transition_is_lost_whatever_breaks_when(seed):
    """A world of changes, and a server that breaks at random: the end is what the world is."""
    random_ = random.Random(seed)
    clock = Clock()
    world, history = {}, []

    def change():
        version = len(history) + 1
        name = f"j{random_.randrange(6)}"
        if name in world and random_.random() < 0.3:
            item = world.pop(name)
            item["metadata"] |= {"resourceVersion": str(version)}
            history.append(("DELETED", item))
            return
        kind = "MODIFIED" if name in world else "ADDED"
        uid = world[name]["metadata"]["uid"] if name in world else f"{name}-{version}"
        world[name] = thing(name, version, uid=uid)
        history.append((kind, thing(name, version, uid=uid)))

    class World(ReadClient):
        def list(self, kind, **_):
            change()
            if random_.random() < 0.2:
                raise Refused(random_.choice([429, 503, 500, None]))
            return listed(len(history), *world.values())

        def list_watch(self, kind, *, since, **_):
            if random_.random() < 0.1:
                raise Refused(random_.choice([410, 503, None]))
            at = int(since)
            for _ in range(random_.randrange(6)):
                if self.quiet and at == len(history):
                    return
                if not self.quiet:
                    change()
                at += 1
                whole = line(*history[at - 1])
                fault = random_.random()
                if fault < 0.1:
                    yield whole[: random_.randrange(1, len(whole) - 2)]
                    return
                if fault < 0.15:
                    yield expired()
                    return
                if fault < 0.2:
                    raise Refused(None)
                yield whole
            self.rounds += 1
            if self.rounds > 60:
                self.quiet = True
            if self.quiet and at == len(history):
                clock.stopped = True

    read_client = World(clock)
    read_client.rounds, read_client.quiet = 0, False
    watcher = Watcher(read_client, "run=r", clock=clock)
    watcher.follow("Job")
    assert watcher.jobs() == set(world)
    for name, item in world.items():
        assert watcher.view(name).job["metadata"] == {
            k: v for k, v in item["metadata"].items() if k != "managedFields"
        }


def test_news_rings_a_bell(clock):
    watcher, _ = follow(clock, lists=[listed(5, thing("a", 3))], watches=[[]])
    assert select.select([watcher.wakeup], [], [], 0)[0]
    watcher.take()
    assert not select.select([watcher.wakeup], [], [], 0)[0]


def pod(name, job, **status):
    return thing(name, 3, job=job, status={"phase": "Pending", **status})


def test_events_are_asked_for_what_does_not_run_after_two_seconds(clock):
    said = {"involvedObject": {"uid": "uid-p"}, "reason": "FailedMount", "message": "no"}
    watcher, read_client = follow(
        clock,
        kind="Pod",
        lists=[listed(5, pod("p", "a"))],
        watches=[[]],
        events=[{"items": [said]}],
    )
    watcher.take()
    happenings = watcher._pod_events
    clock.at = 1001.9  # it was seen at 1000
    assert happenings.pause() == pytest.approx(0.1)
    assert watcher.unsettled() == set()
    clock.at = 1002
    assert watcher.unsettled() == {"a"}
    happenings.look()
    assert read_client.calls[-1] == ("list", "Event", "involvedObject.uid=uid-p")
    assert [e["reason"] for e in watcher.view("a").events] == ["FailedMount"]
    assert watcher.take() == {"a"}
    assert happenings.pause() == 3  # not sooner


def test_events_are_not_asked_for_when_all_goes_well(clock):
    running = pod(
        "p",
        "a",
        conditions=[{"type": "Ready", "status": "True"}],
        containerStatuses=[
            {"name": "step", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
        ],
    )
    watcher, _ = follow(clock, kind="Pod", lists=[listed(5, running)], watches=[[]])
    assert watcher._pod_events.pause() is None


def test_events_of_many_are_one_list(clock):
    pods = [pod(f"p{n}", f"j{n}") for n in range(20)]
    watcher, read_client = follow(clock, kind="Pod", lists=[listed(5, *pods)], watches=[[]])
    clock.pass_(2)
    watcher._pod_events.look()
    assert [c for c in read_client.calls if c[1] == "Event"] == [("list", "Event", "type=Warning")]


def test_a_missing_right_to_list_events_is_not_tried_all_the_time(clock):
    watcher, _ = follow(
        clock, kind="Pod", lists=[listed(5, pod("p", "a"))], watches=[[]], events=[Refused(403)]
    )
    clock.pass_(2)
    watcher._pod_events.look()
    assert watcher._pod_events.pause() > 30


def test_the_clusters_clock_is_estimated_from_recent_events():
    here = 1_800_000_000.0
    time = ClusterClock(lambda: here)
    assert time.now() == here
    stamp = "2027-01-15T07:50:00Z"  # ten minutes before
    time.observe(thing("a", 1, created=stamp))
    assert time.now() == here - 600


def test_a_lag_of_a_second_is_no_skew():
    here = 1_800_000_000.0
    time = ClusterClock(lambda: here + 1.4)
    time.observe(thing("a", 1, created="2027-01-15T08:00:00Z"))
    assert time.now() == here + 1.4


def test_waits_are_spread():
    clock = Clock()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    for _ in range(3):
        backoff.wait()
        backoff.failed()
    backoff.wait()
    assert clock.waits == [1.5, 3.0, 6.0]


def test_threads_start_and_end():
    before = set(threading.enumerate())  # threads of other tests may end meanwhile
    clock = Clock()
    read_client = ReadClient(clock, lists=[listed(5), listed(6)], watches=[])
    watcher = Watcher(read_client, "run=r")
    watcher.start()
    assert watcher.wait(PATIENCE)
    begun = set(threading.enumerate()) - before
    assert begun
    watcher.stop()
    for thread in begun:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in begun)
