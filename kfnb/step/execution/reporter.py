"""From what the client sees to events: which cell runs, what it prints, how it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kfnb.locations import line_text, location
from kfnb.metrics import Metric, decode, plain
from kfnb.step.event_log import EventLog, TextLog

BATCH = 0.1
"""Seconds for which printed text is collected before it becomes an event."""

_BATCH_SIZE = 256 << 10
# IPython writes colour codes between the words.
_CELL = re.compile(r"((?:Cell|Input)(?:\x1b\[[\d;]*m|\s)+)In ?\[(\d+)\]")
# Colours and cursor movements (CSI), and links or window titles (OSC).
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Reporter(Protocol):
    """What the client tells while it executes a notebook."""

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Note that ``cell`` is about to execute."""

    def cell_finished(self, cell: Mapping[str, Any], *, ok: bool) -> None:
        """Note that ``cell`` has executed."""

    def printed(self, cell: Mapping[str, Any] | None, name: str, text: str) -> bool:
        """Note printed text; True if it waits for :meth:`flush`, to be called after ``BATCH``."""

    def displayed(self, cell: Mapping[str, Any] | None, output: Mapping[str, Any]) -> None:
        """Note any other output (a notebook's output node)."""

    def flush(self) -> None:
        """Report the text that waits."""


class NullReporter:
    """Reports nothing: papermill itself executes the notebook, without an order."""

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Do nothing."""

    def cell_finished(self, cell: Mapping[str, Any], *, ok: bool) -> None:
        """Do nothing."""

    def printed(self, *_: object) -> bool:
        """Do nothing."""
        return False

    def displayed(self, cell: Mapping[str, Any] | None, output: Mapping[str, Any]) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""


class EventReporter:
    """Writes events and log text of one attempt."""

    def __init__(self, events: EventLog, log: TextLog) -> None:
        self.durations: list[tuple[int, float]] = []
        self._events = events
        self._log = log
        self.cells: Sequence[Mapping[str, Any]] = ()
        self._positions: dict[int, int] = {}
        self._began = 0.0
        self._waiting: list[str] = []
        self._waiting_size = 0
        self._waiting_for: tuple[int | None, str] = (None, "stdout")
        self._at_line_start = True

    def expect(self, cells: Sequence[Mapping[str, Any]]) -> None:
        """Take note of the author's code cells among those that will execute."""
        self.cells = cells
        indices = [source_index(cell) for cell in cells if cell.get("cell_type") == "code"]
        known = dict.fromkeys(index for index in indices if index is not None)
        self._positions = {index: position for position, index in enumerate(known, 1)}

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Write ``CellStarted``."""
        self._began = time.monotonic()
        index = source_index(cell)
        if index is not None:
            self._events.append(
                "CellStarted",
                cell=index,
                position=self._positions.get(index, 0),
                total=len(self._positions),
            )

    def cell_finished(self, cell: Mapping[str, Any], *, ok: bool) -> None:
        """Write the text that waits, and ``CellFinished``."""
        self.flush()
        index = source_index(cell)
        if index is not None:
            duration = round(time.monotonic() - self._began, 6)
            self.durations.append((index, duration))
            self._events.append("CellFinished", cell=index, duration=duration, ok=ok)

    def printed(self, cell: Mapping[str, Any] | None, name: str, text: str) -> bool:
        """Collect printed text."""
        key = (source_index(cell), name)
        if key != self._waiting_for:
            self.flush()
            self._waiting_for = key
        # Only the first text starts the timer, after which the client calls flush.
        fresh = not self._waiting
        self._waiting.append(text)
        self._waiting_size += len(text)
        # A cell that prints megabytes should not fill the memory meanwhile.
        if self._waiting_size >= _BATCH_SIZE:
            self.flush()
            return False
        return fresh

    def displayed(self, cell: Mapping[str, Any] | None, output: Mapping[str, Any]) -> None:
        """Write an output's text to the log, and ``CellOutput``."""
        self.flush()
        data = output.get("data", {})
        kinds = {"execute_result": "result", "error": "error"}
        kind = kinds.get(str(output.get("output_type")), "display")
        if kind == "error":
            text = quote_cells(coloured(output), self.cells)
        else:
            text = _joined(data.get("text/plain", ""))
        if text and not text.endswith("\n"):
            text += "\n"
        # A result starts on its own line, as in Jupyter, even if the cell printed no newline.
        if text and not self._at_line_start:
            text = "\n" + text
        self._output(source_index(cell), kind, None, text, mime=sorted(data))

    def flush(self) -> None:
        """Write the text that waits to the log, and ``CellOutput``."""
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._waiting_size = 0
            cell, name = self._waiting_for
            self._output(cell, "stream", name, text)

    def metric(self, metric: Metric) -> None:
        """Write ``MetricLogged``."""
        self._events.append(
            "MetricLogged",
            name=metric.name,
            value=plain(metric.value),
            step=metric.step,
            at=metric.time,
        )

    def warning(self, code: str, message: str, remedy: str = "") -> None:
        """Write ``Warning``."""
        self._events.append("Warning", code=code, message=message, remedy=remedy)

    def _output(
        self, cell: int | None, kind: str, name: str | None, text: str, mime: Sequence[str] = ()
    ) -> None:
        if text:
            self._at_line_start = text.endswith(("\n", "\r"))
        offset, length = self._log.write(text, important=kind != "stream")
        # Output with no text, such as a picture, has an event too; text beyond the log's limit has
        # none.
        if length or not text:
            self._events.append(
                "CellOutput",
                cell=cell,
                kind=kind,
                name=name,
                offset=offset,
                length=length,
                mime=list(mime),
            )


class MetricReader:
    """Reads what is appended to the metrics channel, whole lines only."""

    def __init__(self, path: str) -> None:
        self.metrics: list[Metric] = []
        self._path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> list[Metric]:
        """Return the metrics that were logged since the last call."""
        try:
            with open(self._path, "rb") as stream:  # noqa: PTH123 (called ten times a second)
                stream.seek(self._offset)
                data = stream.read(1 << 20)
        except OSError:
            return []
        if not data:
            return []
        self._offset += len(data)
        # The kernel may be in the middle of writing a line.
        *lines, self._rest = (self._rest + data).split(b"\n")
        metrics = [metric for line in lines if (metric := decode(line))]
        self.metrics.extend(metrics)
        return metrics + (self.read() if len(data) == 1 << 20 else [])


def source_index(cell: Mapping[str, Any] | None) -> int | None:
    """Return the index of a step's cell in the author's notebook; None for injected ones."""
    if cell is None:
        return None
    index = cell.get("metadata", {}).get("kfnb", {}).get("cell")
    return index if isinstance(index, int) else None


def cell_location(cell: Mapping[str, Any], line: int | None = None) -> str:
    """Return where a cell of the author's notebook is: its execution count, line and text."""
    return location(
        execution_count=_count_in_notebook(cell),
        line=line,
        text=line_text(_joined(cell.get("source", "")), line),
    )


def quote_cells(traceback: str, cells: Sequence[Mapping[str, Any]]) -> str:
    """Give the cells of a traceback the execution counts of the author's notebook.

    IPython counts the cells that a step executes, so ``Cell In[3]`` may be ``[12]`` of the
    notebook. A cell that has no count there is named by its first line.
    """
    executed = {
        cell.get("execution_count"): cell for cell in cells if source_index(cell) is not None
    }

    def quote(match: re.Match[str]) -> str:
        cell = executed.get(int(match[2]))
        if cell is None:
            return match[0]
        count = _count_in_notebook(cell)
        return match[1] + (f"In[{count}]" if count is not None else cell_location(cell))

    return _CELL.sub(quote, traceback)


def _count_in_notebook(cell: Mapping[str, Any]) -> int | None:
    count = cell.get("metadata", {}).get("kfnb", {}).get("execution_count")
    return count if isinstance(count, int) else None


def plain_text(text: str) -> str:
    """Return ``text`` without terminal colours."""
    return _ANSI.sub("", text)


def traceback_text(error: Mapping[str, Any]) -> str:
    """Return the traceback of an error output as plain text."""
    return plain_text(_traceback(error))


def coloured(error: Mapping[str, Any]) -> str:
    """Return the traceback of an error output with its colours; a terminal obeys nothing else."""
    return _ANSI.sub(lambda match: match[0] if match[0][-1] == "m" else "", _traceback(error))


def _traceback(error: Mapping[str, Any]) -> str:
    lines = error.get("traceback") or [f"{error.get('ename', '')}: {error.get('evalue', '')}"]
    return "\n".join(lines)


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)
