"""What an attempt reports while it runs, read from its file, each event once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from kfnb.engine.core.event_decoding import decode_body
from kfnb.engine.core.event_types import ReportBody
from kfnb.engine.runner import Work
from kfnb.json_values import strict_json

PASSED_ON = frozenset(
    {"CellStarted", "CellFinished", "CellOutput", "MetricLogged", "ResourceSampled", "Warning"}
)
"""Types that become events of the run as they are."""


class _Line(msgspec.Struct):
    """One line: its number in the attempt (from 1), its type, its data."""

    n: int
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Result(msgspec.Struct):
    """The last report of an attempt: whether it succeeded."""

    ok: bool = False


class AttemptEvents:
    """Reads the reports of one attempt.

    Parameters
    ----------
    after
        The number of the last report that is in the journal already.
    """

    def __init__(self, work: Work, *, after: int = 0) -> None:
        self.work = work
        self.result: Result | None = None
        self._path: Path = work.folder.events
        self._offset = 0
        self._n = after

    def read(self) -> list[ReportBody]:
        """Return the reports since the last call; a line that is not whole yet waits."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        # The file appears with the attempt's first report.
        except OSError:
            return []
        whole = data.rpartition(b"\n")[0]
        if not whole:
            return []
        self._offset += len(whole) + 1
        reports = []
        for text in whole.split(b"\n"):
            line = _parse(text)
            # A damaged line must not hide the reports after it.
            if line is None:
                continue
            # This is no event of the run: the driver journals the result from the manifest or
            # failure record.
            if line.type == "Result":
                self.result = _result(line.data)
            # What was read by a driver before this one is in the journal.
            if line.n <= self._n:
                continue
            self._n = line.n
            report = _report(line) if line.type in PASSED_ON else None
            if report is not None:
                reports.append(report)
        return reports


def _parse(text: bytes) -> _Line | None:
    try:
        return _LINES.decode(text)
    except msgspec.DecodeError:
        return _tolerant(text)


def _tolerant(text: bytes) -> _Line | None:
    """Read a line with numbers that strict JSON has no form for."""
    try:
        plain: Any = strict_json(json.loads(text))
        return _LINES.decode(msgspec.json.encode(plain))
    except (ValueError, msgspec.DecodeError):
        return None


def _result(data: msgspec.Raw) -> Result | None:
    try:
        return msgspec.json.decode(data, type=Result)
    except msgspec.DecodeError:
        return None


def _report(line: _Line) -> ReportBody | None:
    """Return a report as the data of an event, with its number; None if it is damaged."""
    try:
        body = decode_body(line.type, line.data)
    except ValueError:
        return None
    return msgspec.structs.replace(body, n=line.n) if isinstance(body, ReportBody) else None


_LINES = msgspec.json.Decoder(_Line)
