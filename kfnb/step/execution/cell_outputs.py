"""The outputs of one cell, bounded: the beginning and the end of a long text are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

HEAD = 1 << 20
"""Characters kept from the beginning of a cell's printed text."""

TAIL = 1 << 20
"""Characters kept from its end."""

RUNS = 1000
"""After so many changes between stdout and stderr, each of the two gets one output."""

DISPLAYED = 64 << 20
"""Bytes of rich output that a cell may have."""

_CUT = "\n[kfnb: {count:,} characters are not shown here; the step's log has them]\n"
_FULL = "[kfnb: this cell displayed more than {size} MB; the rest is not shown]\n"


@dataclass(slots=True)
class _Run:
    """Consecutive text of one stream: the output's node and what its text is made of."""

    node: dict[str, Any]
    head: list[str] = field(default_factory=list)
    tail: deque[str] = field(default_factory=deque)
    tail_size: int = 0
    left_out: int = 0
    changed: bool = True


class CellOutputs:
    """The list ``outputs`` of an executing cell, kept within bounds.

    Text is collected in pieces and joined only when the notebook needs it
    (:meth:`write`), so that many small prints stay cheap.
    """

    def __init__(self, outputs: list[Any], *, node: Callable[..., Any] = dict) -> None:
        self._outputs = outputs
        self._node = node
        self._runs: list[_Run] = []
        self._head_left = HEAD
        self._tail_size = 0
        self._displayed = 0

    def belongs_to(self, outputs: list[Any]) -> bool:
        """Whether ``outputs`` is the list that this object bounds."""
        return outputs is self._outputs

    def stream(self, name: str, text: str) -> None:
        """Add printed text: to the last output, or as a new one."""
        run = self._run_for(name)
        if run is None:
            run = _Run(self._node(output_type="stream", name=name, text=""))
            self._runs.append(run)
            self._outputs.append(run.node)
        run.changed = True
        if self._head_left and not run.tail:
            head, text = text[: self._head_left], text[self._head_left :]
            run.head.append(head)
            self._head_left -= len(head)
        if text:
            self._to_tail(run, text)

    def is_full(self, data: Mapping[str, Any]) -> bool:
        """Count a rich output; True if the cell has displayed too much to keep it."""
        before = self._displayed
        self._displayed += sum(len(v) for v in data.values() if isinstance(v, str))
        if self._displayed <= DISPLAYED:
            return False
        # Only once, when the limit is passed.
        if before <= DISPLAYED:
            text = _FULL.format(size=DISPLAYED >> 20)
            self._outputs.append(self._node(output_type="stream", name="stderr", text=text))
        return True

    def clear(self) -> None:
        """Drop the text: the cell has cleared its outputs."""
        self._runs.clear()
        self._head_left, self._tail_size = HEAD, 0

    def write(self) -> None:
        """Write the text collected so far into the outputs' nodes."""
        for run in self._runs:
            if run.changed:
                cut = ""
                if run.left_out:
                    cut = _CUT.format(count=run.left_out)
                # Joined pieces are kept, so that the next call does not join them again.
                run.head, run.tail = ["".join(run.head)], deque(["".join(run.tail)])
                run.node["text"] = run.head[0] + cut + run.tail[0]
                run.changed = False

    def _run_for(self, name: str) -> _Run | None:
        """Find the output that text of this stream joins, as Jupyter's user interfaces do."""
        if not self._runs:
            return None
        last = self._runs[-1]
        if last.node["name"] == name and self._outputs and self._outputs[-1] is last.node:
            return last
        # A cell that alternates between the streams would otherwise have an output for each line.
        if len(self._runs) >= RUNS:
            return next((run for run in reversed(self._runs) if run.node["name"] == name), None)
        return None

    def _to_tail(self, run: _Run, text: str) -> None:
        if len(text) > TAIL:
            run.left_out += len(text) - TAIL
            text = text[-TAIL:]
        run.tail.append(text)
        run.tail_size += len(text)
        self._tail_size += len(text)
        # The limit is for all streams of the cell, so the oldest text of any of them goes first.
        for other in self._runs:
            while self._tail_size > TAIL and other.tail:
                self._shorten(other, self._tail_size - TAIL)
            if self._tail_size <= TAIL:
                return

    def _shorten(self, run: _Run, excess: int) -> None:
        first = run.tail[0]
        if len(first) <= excess:
            run.tail.popleft()
            dropped = len(first)
        else:
            run.tail[0], dropped = first[excess:], excess
        run.tail_size -= dropped
        run.left_out += dropped
        run.changed = True
        self._tail_size -= dropped
