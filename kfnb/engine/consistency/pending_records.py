"""Records that follow from an event and are still to be journaled.

A driver may die between an event and what follows from it. Folding the events again
gives the same records, and each is removed when its own event is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kfnb.engine.consistency.findings import NewEdge, StaleStep, UnplannedEffect
from kfnb.engine.core.commands import Record
from kfnb.engine.core.events import Event
from kfnb.engine.core.plan import Plan

_Identity = tuple[str, str | None, str, str]


class PendingRecords:
    """Records that are not in the journal yet, in the order in which they became due."""

    def __init__(self) -> None:
        self._records: dict[_Identity, Record] = {}

    def records(self) -> list[Record]:
        """Return all of them; edges stand before the failures that they explain."""
        return list(self._records.values())

    def edge(self, finding: NewEdge, plan: Plan) -> None:
        """Add an ``EdgeAdded``."""
        data = {
            "source": plan.keys[finding.source][0],
            "target": plan.keys[finding.target][0],
            "names": list(finding.names),
            "files": list(finding.files),
            "why": finding.why,
        }
        self._add("EdgeAdded", finding.target, data, plan)

    def stale(self, finding: StaleStep, plan: Plan) -> None:
        """Add a ``StepFailed``; the first reason is enough."""
        self._add(
            "StepFailed", finding.step, {**finding.explanation.failure(), "stale": True}, plan
        )

    def warning(self, finding: StaleStep | UnplannedEffect, plan: Plan) -> None:
        """Add a ``Warning``."""
        self._add("Warning", finding.step, finding.explanation.warning(), plan)

    def remove_recorded(self, event: Event) -> None:
        """Remove the record that this event is."""
        if self._records and event.type in ("EdgeAdded", "StepFailed", "Warning"):
            self._records.pop(_identity(event.type, event.step, event.index, event.data), None)

    def _add(self, kind: str, n: int, data: Mapping[str, Any], plan: Plan) -> None:
        step, index = plan.keys[n]
        identity = _identity(kind, step, index, data)
        self._records.setdefault(identity, Record(kind, step, index, data))


def _identity(kind: str, step: str | None, index: str, data: Mapping[str, Any]) -> _Identity:
    which = "" if kind == "StepFailed" else json.dumps(data, sort_keys=True)
    return kind, step, index, which
