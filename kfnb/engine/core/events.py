"""The events of a run: what a journal is made of.

An event is small, versioned and never changed once written. Bodies (logs,
outputs, tracebacks that are long) are files that events refer to. The JSON
Schema of every type stands beside this file in ``events.schema.json``.

What each ``data`` holds (``?`` marks what may be missing):

========================  ==================================================================
``RunCreated``            ``name, notebook?, target?, parameters?, settings`` (see
                          :class:`~kfnb.engine.core.settings.Settings`) and what else views want
``DriverStarted``         ``pid, host?``
``RunResumed``            ``settings?``: fields that differ from now on
``StopRequested``         ``by?``
``StepReady``             ``key?, why?, inputs {name: producing step or null}``
``StepCached``            as ``StepSucceeded`` plus ``key, inputs, why, metrics? [[time, name,
                          value, step]]``
``AttemptStarted``        ``inputs?``
``CellStarted``           ``cell, position, total``
``CellFinished``          ``cell, duration, ok``
``CellOutput``            ``cell, kind, name?, offset?, length?, mime?``
``MetricLogged``          ``name, value, step?``
``ResourceSampled``       ``cpu_seconds?, memory?, threads?``
``Warning``               ``code?, message, remedy?``
``EdgeAdded``             ``source, target, names, files, why``; the event's step is the target
``AttemptFailed``         a failure record: ``class, ename?, evalue?, cell?, line?, summary?,
                          remedy?, traceback?``
``StepSucceeded``         ``manifest, outputs {name: {bundle, hash, changed, absent, type, shape,
                          size, repr}}, aliases? [[names]], unexpected? {name: reason},
                          files_written? {path: hash}, files_read? {path: hash}, duration?``
``StepFailed``            a failure record, plus ``attempts`` and, where the step had used a value
                          that turned out to be too old, ``stale: true``
``StepSkipped``           ``reason, because?`` (the step whose failure is the reason)
``StepCancelled``         ``reason``
``RunFinished``           ``status`` (``succeeded`` or ``failed``), ``error?``
``RunCancelled``          ``reason?``
========================  ==================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

VERSION = 1

EventType = Literal[
    "RunCreated",
    "DriverStarted",
    "RunResumed",
    "StopRequested",
    "StepReady",
    "StepCached",
    "AttemptStarted",
    "CellStarted",
    "CellFinished",
    "CellOutput",
    "MetricLogged",
    "ResourceSampled",
    "Warning",
    "EdgeAdded",
    "AttemptFailed",
    "StepSucceeded",
    "StepFailed",
    "StepSkipped",
    "StepCancelled",
    "RunFinished",
    "RunCancelled",
]
TYPES: frozenset[str] = frozenset(get_args(EventType))


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
        One of :data:`TYPES`. Readers ignore types that they do not know.
    step, index
        The step's name (None for an event of the run) and its instance, empty for a plain step.
    attempt
        Counts from 1 per step; None where the event belongs to no attempt.
    data
        As the table in this module says.
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
