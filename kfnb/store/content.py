"""Content hashes: the name that a blob has in the store."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_CHUNK = 8 << 20


def hash_bytes(data: bytes | memoryview) -> str:
    """Return the content hash of ``data``: xxh3 (128 bits, hex), a dash, the size in hex."""
    import xxhash

    return f"{xxhash.xxh3_128_hexdigest(data)}-{len(data):x}"


def hash_stream(stream: BinaryIO) -> str:
    """Return the content hash of what is left in ``stream``."""
    import xxhash

    state, size = xxhash.xxh3_128(), 0
    buffer = memoryview(bytearray(_CHUNK))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        state.update(buffer[:count])
        size += count
    return f"{state.hexdigest()}-{size:x}"


def hash_file(path: Path | str) -> str:
    """Return the content hash of a file.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (unbuffered, and str paths too)
        return hash_stream(stream)


def size_of(name: str) -> int:
    """Return the size in bytes that a content hash carries."""
    return int(name.rpartition("-")[2], 16)
