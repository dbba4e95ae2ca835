"""A pod's log over connections that break: whole, in order, each line once."""

from __future__ import annotations

import json
import random

import pytest

from kfnb.runners.kubernetes.logs.pod_log import Gap, PodLog, Raw, Signal
from tests.runners.kubernetes.scripted import Clock, ReadClient, Refused


def at(second, nano, data):
    return f"2026-01-01T00:00:{second:02}.{nano:09}Z ".encode() + data


def signal(n, **more):
    return b"\x1e" + json.dumps({"batch": n, **more}).encode() + b"\n"


class Story:
    """A log with connections that were written down; the container ends with the last one."""

    def __init__(self, *logs, over_after=None):
        self.clock = Clock()
        self.read_client = ReadClient(self.clock, logs=logs)
        self.over_after = len(logs) - 1 if over_after is None else over_after

    def ended(self):
        return sum(c[0] == "log" for c in self.read_client.calls) >= self.over_after

    def follow(self):
        log = PodLog(self.read_client, "pod", ended=self.ended, clock=self.clock)
        return list(log.follow())


def joined(pieces):
    return b"".join(p.data for p in pieces if isinstance(p, Raw))


def test_signals_are_distinguished_from_text():
    story = Story(
        [
            at(1, 0, b"a warning of python\n") + at(1, 1, signal(1)),
            at(1, 2, b"no newline" + signal(2)),
            at(1, 3, b"\x1enot ours\n"),
            at(1, 4, b'\x1e{"batch":3,"la\n'),
        ]
    )
    assert story.follow() == [
        Raw(b"a warning of python\n"),
        Signal(1),
        Raw(b"no newline"),
        Signal(2),
        Raw(b"\x1enot ours\n"),
        Gap("a line of the log of the pod pod is incomplete"),
    ]


def test_reports_of_an_older_kfnb_are_signals_without_a_number():
    older = b'\x1e{"n":1,"type":"CellOutput"}\n', b'\x1e{"n":2,"type":"Result"}\n'
    story = Story([at(1, n, line) for n, line in enumerate(older)])
    assert story.follow() == [Signal(None), Signal(None, last=True)]


def test_text_is_kept_byte_by_byte():
    said = b"\xff\xfe\x00 \r 50%\r100%\r\n\n \xe2\x82\nlast \xc3"
    whole = b"\n".join(at(1, n, part) for n, part in enumerate(said.split(b"\n")))
    for size in (1, 2, 3, 7, 1000):
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        assert joined(Story(pieces).follow()) == said


def test_after_a_reconnection_lines_come_once():
    first = [at(1, 5, b"a\n"), at(1, 5, b"a\n"), at(1, 7, b"b\n"), at(2, 0, b"c\n")]
    story = Story([*first, at(2, 1, b"cut he"), Refused(None)], [*first, at(2, 1, b"cut here\n")])
    pieces = story.follow()
    assert joined(pieces) == b"a\na\nb\nc\ncut here\n"
    assert not [p for p in pieces if isinstance(p, Gap)]
    assert story.read_client.calls == [
        ("log", None, True),
        ("log", "2026-01-01T00:00:01Z", False),
    ]


def test_lines_of_two_streams_whose_times_cross_come_once():
    lines = [at(3, 9, b"out\n"), at(3, 8, b"err\n"), at(3, 10, b"out 2\n"), at(3, 7, b"err 2\n")]
    story = Story([*lines[:3], Refused(None)], lines)
    assert joined(story.follow()) == b"out\nerr\nout 2\nerr 2\n"


def test_what_rotation_took_is_a_gap():
    story = Story([at(1, 0, b"a\n"), Refused(None)], [at(9, 0, b"z\n"), at(9, 1, b"z2\n")])
    assert story.follow() == [
        Raw(b"a\n"),
        Gap("the log of the pod pod was rotated, so some lines may be missing here"),
        Raw(b"z\n"),
        Raw(b"z2\n"),
    ]


def test_the_end_of_a_long_line_that_began_earlier_comes_once():
    """A kubelet gives the pieces of a line by their own times, and a time to the first only."""
    story = Story(
        [at(1, 0, b"slowly, a long line\n"), at(5, 0, b"b\n"), at(6, 0, b"c\n"), Refused(None)],
        [b"a long line\n", at(5, 0, b"b\n"), at(6, 0, b"c\n"), at(7, 0, b"d\n")],
    )
    assert joined(story.follow()) == b"slowly, a long line\nb\nc\nd\n"


def test_a_signal_behind_an_unfinished_line_of_the_other_stream():
    piece = at(1, 0, b"x" * 16384) + signal(1)
    assert Story([piece]).follow() == [Raw(b"x" * 16384), Signal(1)]


def test_a_quiet_container_makes_no_gap():
    story = Story(
        [at(1, 0, b"a\n"), Refused(None)],
        [at(1, 0, b"a\n"), Refused(None)],
        [at(1, 0, b"a\n"), at(50, 0, b"b\n")],
    )
    assert story.follow() == [Raw(b"a\n"), Raw(b"b\n")]


def test_a_container_that_has_not_started_is_waited_for():
    story = Story(Refused(400), Refused(400), [at(1, 0, b"a\n")], over_after=2)
    assert story.follow() == [Raw(b"a\n")]
    assert story.read_client.times == [1000, 1001, 1002]


def test_a_container_that_never_starts_has_no_log():
    assert Story(Refused(400), Refused(400)).follow() == []


def test_a_pod_that_is_gone_leaves_a_gap():
    first, last = Story([at(1, 0, b"a\n"), Refused(None)], Refused(404)).follow()
    assert first == Raw(b"a\n")
    assert isinstance(last, Gap)


def test_a_pod_that_is_gone_after_its_last_signal_leaves_none():
    log = [at(1, 0, signal(1, last=True)), Refused(None)]
    assert Story(log, Refused(404)).follow() == [Signal(1, last=True)]


def test_without_the_right_to_read_logs_there_is_one_gap():
    assert [type(p) for p in Story(Refused(403), over_after=9).follow()] == [Gap]


def test_a_server_that_keeps_failing_after_the_end_is_not_asked_again():
    pieces = Story(*[Refused(500)] * 20, over_after=0).follow()
    assert [type(p) for p in pieces] == [Gap]


def test_a_server_that_breaks_after_the_end_but_gives_something_is_asked_on():
    lines = [at(1, n, b"%d\n" % n) for n in range(12)]
    story = Story(*[[*lines[: n + 1], Refused(None)] for n in range(11)], lines, over_after=0)
    assert joined(story.follow()) == b"".join(b"%d\n" % n for n in range(12))


def test_a_log_stream_that_ends_before_the_container_is_opened_again():
    lines = [at(1, 0, b"a\n"), at(2, 0, b"b\n")]
    assert joined(Story(lines[:1], lines[:1], lines).follow()) == b"a\nb\n"


def test_after_the_last_signal_nothing_is_asked_again():
    log = [at(1, 0, signal(1, last=True))]
    story = Story(log, log, over_after=1)
    assert story.follow() == [Signal(1, last=True)]
    assert len(story.read_client.calls) == 1


def test_a_log_that_the_node_lost_is_a_gap():
    said = b"unable to retrieve container logs for containerd://abc"
    assert Story([said]).follow() == [Gap(said.decode())]


def test_a_line_of_many_megabytes_comes_in_pieces_and_once():
    line = bytes(random.Random(1).randrange(32, 127) for _ in range(1000)) * 500
    whole = at(1, 0, line + b"\n") + at(1, 1, b"next\n")
    pieces = [whole[i : i + 5000] for i in range(0, len(whole), 5000)]
    story = Story([*pieces[:50], Refused(None)], [*pieces[:70], Refused(None)], pieces)
    found = story.follow()
    assert joined(found) == line + b"\nnext\n"
    assert max(len(p.data) for p in found) < 100_000


@pytest.mark.parametrize("seed", range(30))
def test_whatever_breaks_when_each_line_comes_once(seed):
    random_ = random.Random(seed)
    nano, lines = 0, []
    for n in range(200):
        nano += random_.choice([0, 1, 10**8, 3 * 10**8])
        lines.append(at(nano // 10**9, nano % 10**9, random_.choice([b"x\n", f"{n}\n".encode()])))
    expected = b"".join(line.partition(b" ")[2] for line in lines)

    class Server(ReadClient):
        written = 0

        def pod_log(self, name, *, container, since_time, follow):
            self._note("log", since_time, follow)
            second = int(since_time[17:19]) if since_time else 0
            self.written = min(len(lines), self.written + random_.randrange(30))
            data = b"".join(x for x in lines[: self.written] if int(x[17:19]) >= second)
            if follow or self.written < len(lines):
                yield data[: random_.randrange(len(data) + 1)] if data else b""
                raise Refused(None)
            yield data

    clock = Clock()
    server = Server(clock)
    log = PodLog(server, "pod", ended=lambda: server.written == len(lines), clock=clock)
    pieces = list(log.follow())
    assert not [p for p in pieces if isinstance(p, Gap)]
    assert joined(pieces) == expected
