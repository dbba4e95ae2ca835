"""Writes what an attempt's pods reported into its folder, as the step would have written it here.

A batch has the step's events, numbered from 1, and pieces of its log, each with the byte at which
it begins. The batches of a pod are numbered too, and are written in this order.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.home import AttemptFolder
from kfnb.store import disk

_LOST = "\n[kfnb: {size} bytes of this log were lost]\n"


@dataclass(slots=True)
class _Pod:
    """Where the events and the log of one pod begin in the attempt's, and what was written."""

    events_before: int
    bytes_before: int
    events: int = 0
    bytes: int = 0


class AttemptFiles:
    """``events.jsonl`` and ``log.txt`` of one attempt.

    When Kubernetes replaces an attempt's pod, the reports of the new one follow those of the old
    one, which are complete by then.

    Parameters
    ----------
    folder
        The attempt's folder. What an earlier process wrote there is replaced.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self._pods: dict[str, _Pod] = {}
        self._current: _Pod | None = None
        with disk.writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.events.write_bytes(b"")
            folder.log.write_bytes(b"")

    def add(self, pod: str, batch: bytes) -> None:
        """Write the next batch of a pod.

        Raises
        ------
        InfrastructureError
            If the disk refuses.
        """
        if pod not in self._pods:
            last = self._current or _Pod(0, 0)
            self._pods[pod] = self._current = _Pod(
                last.events_before + last.events, last.bytes_before + last.bytes
            )
        current = self._pods[pod]
        if current is not self._current:
            return  # another pod executes the attempt since
        events: list[str] = []
        text: list[bytes] = []
        for line in batch.split(b"\n"):
            # A damaged line must not keep the other lines of the batch from being written.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                report = json.loads(line)
                if "n" in report:
                    events += _event(current, report)
                elif report.get("kind") == "log":
                    text += _text(current, report)
        # An event says where in the log its text is, so the text has to be there first.
        _append(self._folder.log, b"".join(text))
        _append(self._folder.events, "".join(events).encode("utf-8", "replace"))


def _event(pod: _Pod, event: Mapping[str, Any]) -> list[str]:
    number = int(event["n"])
    if number <= pod.events:
        return []
    pod.events = number
    plain = {**event, "n": pod.events_before + number}
    return [json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n"]


def _text(pod: _Pod, piece: Mapping[str, Any]) -> list[bytes]:
    start = int(piece["from"])
    if "base64" in piece:
        data = base64.b64decode(piece["base64"])
    else:
        data = str(piece.get("text", "")).encode("utf-8", "surrogatepass")
    missing = start - pod.bytes
    # As long as the text that it stands for, because events refer to bytes of the log.
    filler = _LOST.format(size=missing).encode().ljust(missing)[:missing] if missing > 0 else b""
    data = data[max(0, -missing) :]
    pod.bytes += len(filler) + len(data)
    return [filler, data]


def _append(path: Any, data: bytes) -> None:
    if data:
        with disk.writing(path), path.open("ab") as file:
            file.write(data)
