"""What a step used over time is read from the journal of its run."""

from __future__ import annotations

import doctest

import pytest

from kfnb.live import protocol, resources
from tests.cli.scripted import LOADED, TRAINING
from tests.live.runs import view_of
from tests.live.typed_dicts import fits


def sample(cpu: float, memory: float, attempt: int = 1) -> tuple[object, ...]:
    data = {"cpu_seconds": cpu, "memory": memory, "threads": 2}
    return ("ResourceSampled", "train", data, attempt)


def test_samples_of_the_newest_attempt_are_sent() -> None:
    again = [
        ("AttemptFailed", "train", {"class": "user", "summary": "no"}, 1),
        ("AttemptStarted", "train", {}, 2),
    ]
    samples = [sample(9, 9e9), *again, sample(0.5, 2e8, 2), sample(1.0, 4e8, 2)]
    _, view = view_of(*LOADED, *TRAINING, *samples)
    message = resources.resources(view, "train", "")
    assert fits(message, protocol.ResourcesMessage)
    assert [row[1:] for row in message["samples"]] == [[0.5, 2e8], [1.0, 4e8]]
    assert (message["attempt"], message["memory"]) == (2, "512Mi")


def test_a_long_attempt_is_sent_in_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "MAX_SAMPLES", 10)
    _, view = view_of(*LOADED, *TRAINING, *(sample(n, 1e8) for n in range(95)))
    message = resources.resources(view, "train", "")
    assert [row[1] for row in message["samples"]] == list(range(0, 95, 10))


def test_without_samples_nothing_is_suggested() -> None:
    _, view = view_of(*LOADED, *TRAINING)
    message = resources.resources(view, "train", "")
    assert (message["samples"], message["cpu"], message["memory"]) == ([], None, None)


def test_the_examples_hold() -> None:
    assert doctest.testmod(resources).failed == 0
