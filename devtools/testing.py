"""``dev.py test``: run parts of the tests, fastest first, and report what failed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devtools.environments import cache_folder, log, written_to
from devtools.parts import PARTS, Choices, Part


@dataclass(frozen=True)
class Outcome:
    """How one part ended."""

    part: Part
    passed: bool
    seconds: float


def run_tests(names: Sequence[str], choices: Choices) -> int:
    """Run the parts of these names, or all; return the exit code.

    A part that fails does not keep the others from running. Parts that wait much run beside the
    others; their output is printed when they have ended.
    """
    if names:
        # Someone who asks for the tests on a cluster does not want them to be skipped.
        os.environ.setdefault("KFNB_CLUSTER", "required")
    remembered = _remembered_minutes()
    expected = {name: remembered.get(name, PARTS[name].minutes) for name in names or PARTS}
    parts = [PARTS[name] for name in sorted(expected, key=lambda name: expected[name])]
    here = [part for part in parts if not part.waits]
    beside = [part for part in reversed(parts) if part.waits] if here else []
    here = here or parts
    longest = max(sum(expected[part.name] for part in lane) for lane in (here, beside))
    log(f"{_count(len(parts))}, about {_minutes(longest)} on this machine:")
    for part in parts:
        note = ", beside the others" if part in beside else ""
        log(f"  {part.name:9} {_minutes(expected[part.name]):>6}  {part.about}{note}")
    outcomes: list[Outcome] = []
    lane = Beside(beside, choices)
    try:
        for part in itertools.chain(here, lane.not_begun()):
            log("")
            log(f"{part.name}: {part.about}")
            outcomes.append(_check(part, choices))
            outcomes += lane.ended()
        outcomes += lane.finish()
    except KeyboardInterrupt:
        log("interrupted")
        _report([*outcomes, *lane.interrupt()])
        return 130
    if not choices.pytest and not choices.whole:
        _remember({**remembered, **{o.part.name: o.seconds / 60 for o in outcomes if o.passed}})
    _report(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


class Beside:
    """Runs parts in a thread, one after another; keeps what they print until they have ended."""

    def __init__(self, parts: Sequence[Part], choices: Choices) -> None:
        self._parts = deque(parts)
        self._choices = choices
        self._ended: queue.SimpleQueue[tuple[Outcome, bytes]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def not_begun(self) -> Iterator[Part]:
        """Take over the parts that this thread has not begun."""
        with contextlib.suppress(IndexError):
            while True:
                yield self._parts.pop()

    def ended(self) -> list[Outcome]:
        """Print the output of the parts that have ended since the last call; return how."""
        outcomes = []
        while not self._ended.empty():
            outcome, output = self._ended.get()
            log("")
            log(f"{outcome.part.name} (beside the others): {outcome.part.about}")
            sys.stderr.flush()
            sys.stdout.buffer.write(output)
            sys.stdout.flush()
            outcomes.append(outcome)
        return outcomes

    def finish(self) -> list[Outcome]:
        """Wait until all parts have ended."""
        if self._thread.is_alive():
            log("")
            log("waiting for what runs beside these parts")
        self._thread.join()
        return self.ended()

    def interrupt(self) -> list[Outcome]:
        """Begin no other part; the keyboard has interrupted the one that runs as well."""
        self._parts.clear()
        return self.finish()

    def _run(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                part = self._parts.popleft()
                with tempfile.TemporaryFile() as output:
                    with written_to(output):
                        outcome = _check(part, self._choices)
                    output.seek(0)
                    self._ended.put((outcome, output.read()))


def _check(part: Part, choices: Choices) -> Outcome:
    began = time.monotonic()
    try:
        part.check(choices)
    except subprocess.CalledProcessError as error:
        log(f"{part.name} failed: exit code {error.returncode} of {' '.join(error.cmd)}")
        return Outcome(part, passed=False, seconds=time.monotonic() - began)
    except SystemExit as error:
        log(f"{part.name} failed: {error}")
        return Outcome(part, passed=False, seconds=time.monotonic() - began)
    return Outcome(part, passed=True, seconds=time.monotonic() - began)


def _report(outcomes: Sequence[Outcome]) -> None:
    log("")
    for outcome in outcomes:
        state = "passed" if outcome.passed else "FAILED"
        log(f"  {outcome.part.name:9} {state}  {_minutes(outcome.seconds / 60):>7}")
    failed = [outcome.part.name for outcome in outcomes if not outcome.passed]
    for name in failed:
        log(f"failed: {name}; again: python3 dev.py test --only {name}")
    if outcomes and not failed:
        log("all passed")


def _count(parts: int) -> str:
    return "1 part" if parts == 1 else f"{parts} parts"


def _minutes(minutes: float) -> str:
    return f"{minutes * 60:.0f} s" if minutes < 1 else f"{minutes:.0f} min"


def _remembered_minutes() -> dict[str, float]:
    """Return how long each part took when it last passed, as far as that is known."""
    try:
        minutes = json.loads((cache_folder() / "minutes.json").read_text())
        return {name: float(minutes[name]) for name in PARTS if name in minutes}
    except (OSError, ValueError, TypeError):
        return {}


def _remember(minutes: dict[str, float]) -> None:
    path = cache_folder() / "minutes.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(minutes))
