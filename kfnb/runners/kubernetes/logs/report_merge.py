"""What an attempt's pods report comes twice, live and from the store; it is laid down once.

The live way is quick and may lose lines; the store's way is complete and late. Both
carry the same lines: a step's events, numbered from 1, and pieces of its log, each with
the byte that it begins at. A line is kept back until those before it are there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfnb.home import AttemptFolder
from kfnb.store import disk

_HOLE = "\n[kfnb: {size} bytes of this log were lost]\n"


@dataclass(slots=True)
class _Pod:
    """What came from one pod: the next that is due, and what came too early."""

    events_before: int
    bytes_before: int
    next_event: int = 1
    next_byte: int = 0
    early_events: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    early_text: dict[int, bytes] = field(default_factory=dict)


class ReportMerger:
    """Writes ``events.jsonl`` and ``log.txt`` of one attempt, as the step would have here.

    When Kubernetes replaces an attempt's pod, what the new one reports follows what the
    old one did.

    Parameters
    ----------
    folder
        The attempt's folder. What an earlier driver laid down there is replaced.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self._pods: dict[str, _Pod] = {}
        self._current: str | None = None
        self._events = 0
        self._bytes = 0
        self.lost_events = 0
        self.lost_bytes = 0
        with disk.writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.events.write_bytes(b"")
            folder.log.write_bytes(b"")

    @property
    def has_gap(self) -> bool:
        """Whether something waits for what should have come before it."""
        pod = self._pods.get(self._current or "")
        return pod is not None and bool(pod.early_events or pod.early_text)

    def take(self, pod: str, line: Mapping[str, Any]) -> None:
        """Take one line, however it came; what is known already is passed over.

        Raises
        ------
        InfrastructureError
            If the disk refuses.
        """
        if pod not in self._pods:
            self.settle()
            self._pods[pod] = _Pod(self._events, self._bytes)
            self._current = pod
        if pod != self._current:
            return  # the pod was replaced, and its place taken
        if "n" in line:
            self._take_event(self._pods[pod], line)
        elif line.get("kind") == "log":
            self._take_text(self._pods[pod], int(line["from"]), _text(line))

    def settle(self) -> None:
        """Write what was kept back: what is missing before it will not come any more."""
        pod = self._pods.get(self._current or "")
        if pod is None:
            return
        while pod.early_events:
            due = min(pod.early_events)
            self.lost_events += due - pod.next_event
            pod.next_event = due
            self._write_events(pod)
        while pod.early_text:
            due = min(pod.early_text)
            size = due - pod.next_byte
            self.lost_bytes += size
            # As long as what it stands for: events say where in the log a cell's text is.
            self._append_text(pod, _HOLE.format(size=size).encode().ljust(size)[:size])
            self._write_text(pod)

    def _take_event(self, pod: _Pod, line: Mapping[str, Any]) -> None:
        number = int(line["n"])
        if number < pod.next_event:
            return
        pod.early_events[number] = line
        self._write_events(pod)

    def _write_events(self, pod: _Pod) -> None:
        lines = []
        while (event := pod.early_events.pop(pod.next_event, None)) is not None:
            plain = {**event, "n": pod.events_before + pod.next_event}
            lines.append(json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n")
            pod.next_event += 1
        if lines:
            with disk.writing(self._folder.events), self._folder.events.open("ab") as file:
                file.write("".join(lines).encode("utf-8", "replace"))
            self._events = pod.events_before + pod.next_event - 1

    def _take_text(self, pod: _Pod, start: int, data: bytes) -> None:
        known = pod.next_byte - start
        if known >= len(data):
            return
        if known > 0:
            start, data = start + known, data[known:]
        longer = len(data) > len(pod.early_text.get(start, b""))
        if longer:
            pod.early_text[start] = data
        self._write_text(pod)

    def _write_text(self, pod: _Pod) -> None:
        while pod.early_text:
            start = min(pod.early_text)
            if start > pod.next_byte:
                return
            data = pod.early_text.pop(start)[pod.next_byte - start :]
            self._append_text(pod, data)

    def _append_text(self, pod: _Pod, data: bytes) -> None:
        with disk.writing(self._folder.log), self._folder.log.open("ab") as file:
            file.write(data)
        pod.next_byte += len(data)
        self._bytes = pod.bytes_before + pod.next_byte


def _text(line: Mapping[str, Any]) -> bytes:
    if "base64" in line:
        return base64.b64decode(line["base64"])
    return str(line.get("text", "")).encode("utf-8", "surrogatepass")
