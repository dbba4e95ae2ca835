"""Records that follow from an event and are still to be journaled.

A driver may die between an event and what follows from it. Whoever folds the
events again comes to the same records, and each is struck off when its own event
is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kfnb.engine.consistency.findings import NewEdge, Stale, Surprise
from kfnb.engine.core.commands import Record
from kfnb.engine.core.events import Event
from kfnb.engine.core.plan import Plan

_Debt = tuple[str, str | None, str, str]


class Owed:
    """What the run has shown and the journal does not say yet, in the order it was found."""

    def __init__(self) -> None:
        self._records: dict[_Debt, Record] = {}

    def records(self) -> list[Record]:
        """Give all that is owed; edges stand before the failures that they explain."""
        return list(self._records.values())

    def edge(self, found: NewEdge, plan: Plan) -> None:
        """Owe an ``EdgeAdded``."""
        data = {
            "source": plan.keys[found.source][0],
            "target": plan.keys[found.target][0],
            "names": list(found.names),
            "files": list(found.files),
            "why": found.why,
        }
        self._owe("EdgeAdded", found.target, data, plan)

    def stale(self, found: Stale, plan: Plan) -> None:
        """Owe a ``StepFailed``: the first reason is enough."""
        self._owe("StepFailed", found.step, {**found.said.failure(), "stale": True}, plan)

    def warning(self, found: Stale | Surprise, plan: Plan) -> None:
        """Owe a ``Warning``."""
        self._owe("Warning", found.step, found.said.warning(), plan)

    def paid(self, event: Event) -> None:
        """Strike off what this event records."""
        if self._records and event.type in ("EdgeAdded", "StepFailed", "Warning"):
            self._records.pop(_debt(event.type, event.step, event.index, event.data), None)

    def _owe(self, kind: str, n: int, data: Mapping[str, Any], plan: Plan) -> None:
        step, index = plan.keys[n]
        debt = _debt(kind, step, index, data)
        self._records.setdefault(debt, Record(kind, step, index, data))


def _debt(kind: str, step: str | None, index: str, data: Mapping[str, Any]) -> _Debt:
    which = "" if kind == "StepFailed" else json.dumps(data, sort_keys=True)
    return kind, step, index, which
