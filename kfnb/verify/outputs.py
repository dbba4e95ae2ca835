"""The text outputs of a cell, without what differs between two processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_PID = re.compile(r"\b(pid|process)(\s*[:=]?\s*)\d+", re.IGNORECASE)
# Also with a deviation after it, as %timeit prints it.
_DURATION = re.compile(
    r"\b\d+(?:[.:]\d+)?(?:e[+-]?\d+)?\s?"
    r"(?:ns|µs|μs|us|ms|s|sec|secs|seconds?|min|minutes?)\b(?:\s±.*)?"
)
_KERNEL_FILE = re.compile(r"(/[^\s:'\"]*)?/ipykernel_\d+/\d+\.py")
_CELL_FILE = re.compile(r"<ipython-input-[^>]+>|Cell In\[\d+\]|Input In \[\d+\]")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text; its kind is ``stdout``, ``stderr``, ``result``, ``display`` or ``error``."""

    kind: str
    text: str


def texts(outputs: Iterable[Mapping[str, Any]], *, folders: Sequence[str] = ()) -> tuple[Text, ...]:
    """Return the text of a cell's outputs, normalised so that two processes can be compared.

    Addresses, pids, durations, file names of cells and the ``folders`` (longest first) are
    replaced by placeholders; pieces of one stream are joined. Of an error, name and message are
    compared, not the traceback, which has frames of injected cells.
    """
    streams: dict[str, str] = {}
    texts: list[Text] = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            name = str(output.get("name", "stdout"))
            streams[name] = streams.get(name, "") + joined(output.get("text", ""))
        elif kind == "error":
            texts.append(Text("error", f"{output.get('ename')}: {output.get('evalue')}"))
        elif kind in ("execute_result", "display_data"):
            text = joined(output.get("data", {}).get("text/plain", ""))
            texts.append(Text("result" if kind == "execute_result" else "display", text))
    # How the lines of the two streams alternate depends on timing, so each is compared by itself.
    texts += [Text(name, _rewritten(text)) for name, text in sorted(streams.items())]
    return tuple(Text(t.kind, normal(t.text, folders=folders)) for t in texts)


def normal(text: str, *, folders: Sequence[str] = ()) -> str:
    """Replace what differs between two processes by placeholders.

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
    """Join a text that a notebook file may have as a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def _rewritten(text: str) -> str:
    """Keep only the last state of a line that was overwritten, such as a progress bar."""
    return re.sub(r"[^\n]*\r(?!\n)", "", text)
