"""The events of a run: what a journal is made of.

An event is small, versioned and never changed once written. Bodies (logs,
outputs, tracebacks that are long) are files that events refer to. What the
``data`` of each type holds is in :mod:`kfnb.engine.core.event_types`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw, Struct

from kfnb.engine.core.event_decoding import convert_body, decode_body
from kfnb.engine.core.event_types import Body, Unknown

VERSION = 1


# Events are trees without cycles, so the garbage collector need not visit the thousands of a run.
class Event(Struct, frozen=True, gc=False):
    """One line of a journal.

    Parameters
    ----------
    seq
        Counts from 1 without a gap within a run.
    time
        Seconds since the epoch, as the writer's clock had it.
    run
        The run's id.
    data
        The struct of the event's type; of a type that this version does not know, an
        :class:`~kfnb.engine.core.event_types.Unknown`, which readers ignore.
    step, index
        The step's name (None for an event of the run) and its instance, empty for a plain step.
    round
        How often the step was begun anew before; see :mod:`kfnb.engine.core.identity`.
    attempt
        Counts from 1 per step; None where the event belongs to no attempt.
    v
        Version of the format.
    """

    seq: int
    time: float
    run: str
    data: Body
    step: str | None = None
    index: str = ""
    round: int = 0
    attempt: int | None = None
    v: int = VERSION

    @property
    def type(self) -> str:
        """The name of the data's struct."""
        return self.data.type

    def to_plain(self) -> dict[str, Any]:
        """Return the event as JSON values, in the order in which they are written."""
        plain: dict[str, Any] = json.loads(self.to_line())
        return plain

    def to_line(self) -> bytes:
        """Return the event as one line of JSON, without the newline.

        NaN and infinities become null.

        Raises
        ------
        ValueError
            If ``data`` has a value that JSON has no form for.
        """
        data = self.data
        # An event of a later version is written back exactly as it was read.
        fields = data.fields if isinstance(data, Unknown) else data
        try:
            return _ENCODER.encode(self._line(fields))
        except UnicodeEncodeError:
            # Half a character, as in a damaged file name: only Python's JSON has a form for it.
            plain = msgspec.to_builtins(self._line(fields))
            return json.dumps(plain, separators=(",", ":")).encode()
        except TypeError as error:
            raise ValueError(f"no JSON: {error}") from error

    def _line(self, data: Any) -> _Line:
        return _Line(
            self.v,
            self.seq,
            self.time,
            self.run,
            self.type,
            self.step,
            self.index,
            self.round,
            self.attempt,
            data,
        )

    @classmethod
    def from_plain(cls, plain: Any) -> Event:
        """Make an event from JSON values.

        Raises
        ------
        ValueError
            If they are not an event that this version can read.
        """
        try:
            line = msgspec.convert(plain, _Line)
        except msgspec.ValidationError as error:
            raise ValueError(f"no event: {error}") from error
        _check_version(line)
        return _event(line, convert_body(line.type, line.data or {}))

    @classmethod
    def from_line(cls, line: str | bytes) -> Event:
        """Make an event from one line of a journal; raises ValueError as above."""
        try:
            read = _DECODER.decode(line)
        except msgspec.DecodeError:
            # Python's parser accepts what json.dumps wrote before: escaped halves of characters.
            try:
                return cls.from_plain(json.loads(line))
            except RecursionError:
                raise ValueError("its JSON is nested too deeply") from None
        _check_version(read)
        return _event(read, decode_body(read.type, read.data or Raw(b"{}")))


class _Line(Struct):
    """The envelope, in the order in which it is written."""

    v: int
    seq: int
    time: float
    run: str
    type: str
    step: str | None = None
    index: str | None = None
    round: int | None = None
    attempt: int | None = None
    data: Any = None


class _ReadLine(_Line):
    """An envelope whose data is read when its type is known."""

    data: Raw = Raw()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_ReadLine)


def _check_version(line: _Line) -> None:
    if line.v > VERSION:
        raise ValueError(f"format {line.v} is newer than this kfnb reads ({VERSION})")


def _event(line: _Line, data: Body) -> Event:
    return Event(
        line.seq,
        line.time,
        line.run,
        data,
        line.step,
        line.index or "",
        line.round or 0,
        line.attempt,
        line.v,
    )
