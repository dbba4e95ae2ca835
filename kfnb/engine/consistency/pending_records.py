"""Records that follow from an event and are still to be journaled.

A driver may die between an event and what follows from it. Folding the events again
gives the same records, and each is removed when its own event is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from kfnb.engine.consistency.findings import NewEdge, UnplannedEffect
from kfnb.engine.core.commands import Record
from kfnb.engine.core.event_types import Body, EdgeAdded, GroupFormed
from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Key
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.state import RuntimeEdge

_Identity = tuple[type[Body], str | None, str, bytes]


class PendingRecords:
    """Records that are not in the journal yet, in the order in which they became due.

    Parameters
    ----------
    round_of
        The current round of a step.
    """

    def __init__(self, plan: Plan, round_of: Callable[[int], int]) -> None:
        self._plan = plan
        self._round_of = round_of
        self._records: dict[_Identity, Record] = {}

    def __bool__(self) -> bool:
        return bool(self._records)

    def records(self) -> list[Record]:
        """Return all of them, in the order in which they became due."""
        return list(self._records.values())

    def edge(self, finding: NewEdge, journaled: Mapping[tuple[Key, Key], RuntimeEdge]) -> None:
        """Add an ``EdgeAdded``, unless an event has named these values and files already."""
        source, target = self._plan.keys[finding.source], self._plan.keys[finding.target]
        before = journaled.get((source, target), RuntimeEdge(source[0], target[0]))
        planned = self._plan.inputs[finding.target]
        if set(finding.files) <= set(before.files) and all(
            name in before.names or planned.get(name) == finding.source for name in finding.names
        ):
            return
        data = EdgeAdded(
            source=source[0],
            source_index=source[1],
            target=target[0],
            target_index=target[1],
            names=finding.names,
            files=finding.files,
            why=finding.why,
        )
        self._add(finding.target, data)

    def warning(self, finding: UnplannedEffect) -> None:
        """Add a ``Warning``."""
        self._add(finding.step, finding.explanation.warning())

    def group(self, data: GroupFormed | None) -> None:
        """Add a ``GroupFormed``, if there is one."""
        if data is not None:
            self._records.setdefault(_identity(None, "", data), Record(data))

    def void(self, step: str, index: str) -> None:
        """Remove the records about a step whose round does not count any more."""
        for identity in [i for i in self._records if i[1:3] == (step, index)]:
            del self._records[identity]

    def remove_recorded(self, event: Event) -> None:
        """Remove the record that this event is."""
        if self._records and isinstance(event.data, (EdgeAdded, GroupFormed, WarningData)):
            self._records.pop(_identity(event.step, event.index, event.data), None)

    def _add(self, n: int, data: Body) -> None:
        step, index = self._plan.keys[n]
        identity = _identity(step, index, data)
        self._records.setdefault(identity, Record(data, step, index, self._round_of(n)))


def _identity(step: str | None, index: str, data: Body) -> _Identity:
    if isinstance(data, EdgeAdded):
        # Edges of version 0.1 have no indices of their own, but are the same edges.
        (_, source_index), (_, target_index) = data.ends(index)
        data = msgspec.structs.replace(data, source_index=source_index, target_index=target_index)
    return type(data), step, index, msgspec.json.encode(data)
