"""What an attempt reports while it runs, read from its file, each event once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.engine.runner import Work

PASSED_ON = frozenset(
    {"CellStarted", "CellFinished", "CellOutput", "MetricLogged", "ResourceSampled", "Warning"}
)
"""Types that become events of the run as they are."""


@dataclass(frozen=True, slots=True)
class Report:
    """One line: its number in the attempt (from 1), its type, its data."""

    n: int
    type: str
    data: Mapping[str, Any]


class AttemptEvents:
    """Reads the reports of one attempt.

    Parameters
    ----------
    after
        The number of the last report that is in the journal already.
    """

    def __init__(self, work: Work, *, after: int = 0) -> None:
        self.work = work
        self.result: Mapping[str, Any] | None = None
        self._path: Path = work.folder.events
        self._offset = 0
        self._n = after

    def read(self) -> list[Report]:
        """Return the reports since the last call; a line that is not whole yet waits."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data.rpartition(b"\n")[0]
        if not whole:
            return []
        self._offset += len(whole) + 1
        reports = []
        for line in whole.split(b"\n"):
            report = _parse(line)
            if report is None or report.n <= self._n:
                # What stands twice was read by a driver before this one, except for the result.
                if report is not None and report.type == "Result":
                    self.result = report.data
                continue
            self._n = report.n
            if report.type == "Result":
                self.result = report.data
            elif report.type in PASSED_ON:
                reports.append(report)
        return reports


def _parse(line: bytes) -> Report | None:
    try:
        plain = json.loads(line)
        return Report(int(plain["n"]), str(plain["type"]), dict(plain.get("data") or {}))
    except (ValueError, KeyError, TypeError):
        return None
