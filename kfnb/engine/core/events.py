"""The events of a run: what a journal is made of.

An event is small, versioned and never changed once written. Bodies (logs,
outputs, tracebacks that are long) are files that events refer to. What the
``data`` of each type holds is in :mod:`kfnb.engine.core.event_types`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a journal.

    Parameters
    ----------
    seq
        Counts from 1 without a gap within a run.
    time
        Seconds since the epoch, as the writer's clock had it.
    run
        The run's id.
    type
        A name in :data:`kfnb.engine.core.event_types.BODIES`. Readers ignore types that they do
        not know.
    step, index
        The step's name (None for an event of the run) and its instance, empty for a plain step.
    round
        How often the step was begun anew before; see :mod:`kfnb.engine.core.identity`.
    attempt
        Counts from 1 per step; None where the event belongs to no attempt.
    data
        The fields of the struct of this type.
    v
        Version of the format.
    """

    seq: int
    time: float
    run: str
    type: str
    step: str | None = None
    index: str = ""
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    round: int = 0
    v: int = VERSION

    def to_plain(self) -> dict[str, Any]:
        """Give the event as JSON values, in the order in which they are written."""
        return {
            "v": self.v,
            "seq": self.seq,
            "time": self.time,
            "run": self.run,
            "type": self.type,
            "step": self.step,
            "index": self.index,
            "round": self.round,
            "attempt": self.attempt,
            "data": self.data,
        }

    def to_line(self) -> str:
        """Give the event as one line of JSON, without the newline.

        Raises
        ------
        ValueError
            If ``data`` holds a number that JSON has no form for (NaN, infinity) or no JSON value.
        """
        try:
            # ASCII, so that half a surrogate pair in a notebook's text has a form too.
            return json.dumps(self.to_plain(), separators=(",", ":"), allow_nan=False)
        except TypeError as error:
            raise ValueError(str(error)) from error

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Event:
        """Rebuild an event.

        Raises
        ------
        ValueError
            If the envelope is not that of an event this version can read.
        """
        try:
            event = cls(
                seq=plain["seq"],
                time=plain["time"],
                run=plain["run"],
                type=plain["type"],
                step=plain.get("step"),
                index=plain.get("index") or "",
                attempt=plain.get("attempt"),
                data=plain.get("data") or {},
                round=plain.get("round") or 0,
                v=plain["v"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no event: {error}") from error
        if not isinstance(event.seq, int) or not isinstance(event.type, str):
            raise ValueError("no event: seq or type is missing")
        if event.v > VERSION:
            raise ValueError(f"format {event.v} is newer than this kfnb reads ({VERSION})")
        return event

    @classmethod
    def from_line(cls, line: str | bytes) -> Event:
        """Rebuild an event from one line of a journal; raises ValueError as above."""
        plain = json.loads(line)
        if not isinstance(plain, dict):
            raise ValueError("no event: not a JSON object")
        return cls.from_plain(plain)
