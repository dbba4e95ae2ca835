"""Content hashes: the names of blobs in the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_CHUNK = 8 << 20
_SMALL = 64 << 10


def hash_bytes(data: bytes | memoryview) -> str:
    """Return the content hash of ``data``: xxh3 (128 bits, hex), a dash, the size in hex."""
    import xxhash

    return f"{xxhash.xxh3_128_hexdigest(data)}-{len(data):x}"


def hash_stream(stream: BinaryIO) -> str:
    """Return the content hash of the rest of ``stream``."""
    import xxhash

    state, size = xxhash.xxh3_128(), 0
    # Most files are small, and making a large buffer takes longer than hashing them.
    buffer = memoryview(bytearray(_SMALL))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        state.update(buffer[:count])
        size += count
        if count == _SMALL:
            buffer = memoryview(bytearray(_CHUNK))
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


def names_below(folder: str, paths: Iterable[str]) -> set[str]:
    """Return the names that a listing of ``folder`` (ends with a slash) has because of ``paths``.

    >>> sorted(names_below("out/", ["out/a.csv", "out/sub/b.csv", "c.csv"]))
    ['a.csv', 'sub']
    """
    top = "" if folder == "./" else folder
    return {path[len(top) :].partition("/")[0] for path in paths if path.startswith(top)}


def names_content(names: Iterable[str], *, own: Iterable[str]) -> str:
    """Return a text that represents the content of a listed folder: a hash of its names.

    Names that the listing step makes itself (``own``) are added in plain text instead of being
    hashed: the next time, they exist before the step.
    """
    mine = sorted(set(own))
    seen = hash_bytes("/".join(sorted(set(names) - set(mine))).encode("utf-8", "surrogateescape"))
    return "/".join(["names:" + seen, *mine])


def own_names(content: str) -> list[str]:
    """Return the ``own`` of :func:`names_content`."""
    return content.split("/")[1:]
