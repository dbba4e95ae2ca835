"""``dev.py test``: run parts of the tests, fastest first, and report what failed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from devtools.environments import cache_folder, log
from devtools.parts import PARTS, Choices, Part


@dataclass(frozen=True)
class Outcome:
    """How one part ended."""

    part: Part
    passed: bool
    seconds: float


def run_tests(names: Sequence[str], choices: Choices) -> int:
    """Run the parts of these names, or all; return the exit code.

    A part that fails does not keep the others from running.
    """
    if names:
        # Someone who asks for the tests on a cluster does not want them to be skipped.
        os.environ.setdefault("KFNB_CLUSTER", "required")
    remembered = _remembered_minutes()
    expected = {name: remembered.get(name, PARTS[name].minutes) for name in names or PARTS}
    parts = [PARTS[name] for name in sorted(expected, key=lambda name: expected[name])]
    log(f"{_count(len(parts))}, about {_minutes(sum(expected.values()))} on this machine:")
    for part in parts:
        log(f"  {part.name:8} {_minutes(expected[part.name]):>7}  {part.about}")
    outcomes: list[Outcome] = []
    try:
        for number, part in enumerate(parts, 1):
            log("")
            log(f"{part.name} ({number} of {len(parts)}): {part.about}")
            outcomes.append(_check(part, choices))
    except KeyboardInterrupt:
        log("interrupted")
        _report(outcomes)
        return 130
    if not choices.pytest and not choices.whole:
        _remember({**remembered, **{o.part.name: o.seconds / 60 for o in outcomes if o.passed}})
    _report(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


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
        log(f"  {outcome.part.name:8} {state}  {_minutes(outcome.seconds / 60):>7}")
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
