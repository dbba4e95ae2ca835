"""Repeating what a store does not answer."""

from __future__ import annotations

import pytest

from kfnb.errors import InfrastructureError
from kfnb.step.pod.retry import Retries
from kfnb.store.remote import Refused


def test_a_store_that_is_away_is_asked_again_one_that_refuses_is_not():
    answers = [InfrastructureError("away"), InfrastructureError("away"), None]

    def act():
        error = answers.pop(0)
        if error is not None:
            raise error
        return "here"

    assert Retries(60)(act) == "here"
    answers[:] = [Refused("no"), None]
    with pytest.raises(Refused):
        Retries(60)(act)
    answers[:] = [InfrastructureError("away"), None]
    with pytest.raises(InfrastructureError):
        Retries(0)(act)


def test_who_waits_for_a_store_says_why_once_and_what_else_holds_it_up_later(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("kfnb.step.pod.retry.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "kfnb.step.pod.retry.time.sleep", lambda s: clock.__setitem__(0, clock[0] + s)
    )
    said = []

    def act():
        if clock[0] > 100:
            return "here"
        raise InfrastructureError("away" if clock[0] < 30 else "full")

    assert Retries(300, report=lambda why: said.append((why, clock[0])))(act) == "here"
    (first, at), (second, then), *again = said
    assert (first, at, second) == ("away", 0, "full")
    assert 30 <= then < 40
    assert [why for why, _ in again] == ["full"]
    assert again[0][1] - then >= 60
