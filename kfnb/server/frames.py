"""Frames between the server and its processes: a line of JSON, then a body of bytes.

The server passes a body on without decoding it, because decoding a large one would hold up its
event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

MAX_HEADER_BYTES = 64 * 1024


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a frame as bytes."""
    return json.dumps({**header, "size": len(body)}).encode() + b"\n" + body


def read_frames(stream: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the frames of a blocking stream until it ends."""
    while True:
        line = stream.readline()
        if not line:
            return
        header: dict[str, Any] = json.loads(line)
        body = stream.read(header["size"])
        if len(body) < header["size"]:
            return  # the server has exited
        yield header, body


async def next_frame(stream: asyncio.StreamReader) -> tuple[dict[str, Any], bytes] | None:
    """Return the next frame; None at the end of the stream."""
    try:
        line = await stream.readuntil(b"\n")
        header: dict[str, Any] = json.loads(line)
        return header, await stream.readexactly(header["size"])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
