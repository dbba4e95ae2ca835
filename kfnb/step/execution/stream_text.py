"""Decode the content of a ``stream`` message; a huge one piece by piece.

A cell that prints 100 MB at once sends one message of 100 MB. Parsed as JSON that
would take several times its size; cut into pieces it takes little more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

PIECE = 1 << 20
_NAME = b'"name":'
_TEXT = b'"text":'


def stream_pieces(content: memoryview) -> Iterator[tuple[str, str]]:
    """Yield the stream's name with its text, in pieces if it is long."""
    if len(content) <= 4 * PIECE:
        message = json.loads(bytes(content).decode("utf-8", "replace"))
        yield str(message["name"]), printable(str(message["text"]))
        return
    head, tail = bytes(content[:256]), bytes(content[-256:])
    span = _text_span(head, tail, len(content))
    # The message is not written as ipykernel writes it, so it is parsed as a whole.
    if span is None:
        message = json.loads(bytes(content).decode("utf-8", "replace"))
        yield str(message["name"]), printable(str(message["text"]))
        return
    start, end = span
    around = head[: min(start, 256)] + bytes(content[end:])
    name = "stderr" if b'"stderr"' in around else "stdout"
    while start < end:
        text, start = _piece(content, start, end)
        yield name, printable(text)


def printable(text: str) -> str:
    """Replace lone surrogates, which no file in UTF-8 can hold."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _text_span(head: bytes, tail: bytes, size: int) -> tuple[int, int] | None:
    """Find where the text's characters begin and end, between its quotes."""
    key = head.find(_TEXT)
    quote = head.find(b'"', key + len(_TEXT)) if key >= 0 else -1
    if quote < 0 or head[key + len(_TEXT) : quote].strip():
        return None
    # {"name": "stdout", "text": "…"} or {"text": "…", "name": "stdout"}
    end = tail.rfind(b'"')
    if head.find(_NAME, 0, key) < 0:
        name = tail.rfind(_NAME)
        end = tail.rfind(b'"', 0, name) if name >= 0 else -1
    if end < 0:
        return None
    return quote + 1, size - len(tail) + end


def _piece(content: memoryview, start: int, end: int) -> tuple[str, int]:
    """Decode about ``PIECE`` bytes from ``start``, cutting no character and no escape."""
    stop = min(start + PIECE, end)
    while stop < end and content[stop] & 0xC0 == 0x80:
        stop -= 1
    while True:
        quoted = b'"' + bytes(content[start:stop]) + b'"'
        try:
            text: str = json.loads(quoted.decode("utf-8", "replace"))
        except ValueError:  # cut in an escape sequence
            if stop - start <= 1:
                raise
            stop -= 1
            continue
        if stop < end and "\ud800" <= text[-1:] <= "\udbff":
            stop -= 6  # the first half of a pair of escapes
            continue
        return text, stop
