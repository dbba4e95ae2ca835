"""What a cell printed and displayed as text, without what differs from process to process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_PID = re.compile(r"\b(pid|process)(\s*[:=]?\s*)\d+", re.IGNORECASE)
_DURATION = re.compile(
    r"\b\d+(?:[.:]\d+)?(?:e[+-]?\d+)?\s?"
    r"(?:ns|µs|μs|us|ms|s|sec|secs|seconds?|min|minutes?)\b(?:\s±.*)?"
)
_KERNEL_FILE = re.compile(r"(/[^\s:'\"]*)?/ipykernel_\d+/\d+\.py")
_CELL_FILE = re.compile(r"<ipython-input-[^>]+>|Cell In\[\d+\]|Input In \[\d+\]")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a cell's text; its kind: ``stdout stderr result display error``."""

    kind: str
    text: str


def texts(outputs: Iterable[Mapping[str, Any]], *, folders: Sequence[str] = ()) -> tuple[Text, ...]:
    """Take the text of a cell's outputs, normalised so that two processes' compare.

    Addresses, pids, durations, file names of cells and the ``folders`` (longest
    first) are replaced by what they are; pieces of one stream are joined.
    Tracebacks are the error's name and message: frames of injected cells differ.
    """
    streams: dict[str, str] = {}
    found: list[Text] = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            name = str(output.get("name", "stdout"))
            streams[name] = streams.get(name, "") + joined(output.get("text", ""))
        elif kind == "error":
            found.append(Text("error", f"{output.get('ename')}: {output.get('evalue')}"))
        elif kind in ("execute_result", "display_data"):
            text = joined(output.get("data", {}).get("text/plain", ""))
            found.append(Text("result" if kind == "execute_result" else "display", text))
    found += [Text(name, _rewritten(text)) for name, text in sorted(streams.items())]
    return tuple(Text(t.kind, normal(t.text, folders=folders)) for t in found)


def normal(text: str, *, folders: Sequence[str] = ()) -> str:
    """Replace what differs from one process to the next.

    >>> normal("CPU times: user 1e+03 µs, total: 12.5 ms, at 0x7f0012345678")
    'CPU times: user <duration>, total: <duration>, at 0x…'
    """
    text = _ESCAPES.sub("", text)
    for folder in folders:
        text = text.replace(folder, "<folder>")
    text = _KERNEL_FILE.sub("<cell>", text)
    text = _CELL_FILE.sub("<cell>", text)
    text = _ADDRESS.sub("0x…", text)
    text = _PID.sub(r"\1\2<pid>", text)
    return _DURATION.sub("<duration>", text)


def joined(text: str | Sequence[str]) -> str:
    """Put together what a notebook file may hold as a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def _rewritten(text: str) -> str:
    """Show a line that was written over (a progress bar) as it was in the end."""
    return re.sub(r"[^\n]*\r(?!\n)", "", text)
