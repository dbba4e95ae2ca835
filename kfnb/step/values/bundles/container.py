"""The file format of a bundle: a pickle, followed by the large buffers, page-aligned.

Layout: magic, three little-endian 64-bit numbers (length of the pickle, number of
buffers, length of the whole file), a pair (offset, length) for each buffer, the
pickle, then the buffers at multiples of the page size, so that they can be mapped.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from kfnb.store import disk

MAGIC = b"kfnbval"
VERSION = b"1"
PAGE = 4096
_HEAD = struct.Struct("<8sQQQ")
_ENTRY = struct.Struct("<QQ")


class DamagedError(Exception):
    """The file is not a complete bundle."""


class NoSpaceError(OSError):
    """The disk has no room for a value."""


def write(path: Path, pickled: bytes, buffers: Sequence[memoryview]) -> int:
    """Write a bundle and return its length in bytes; buffers are not copied in memory.

    Raises
    ------
    NoSpaceError
        If the disk is full; the file is removed.
    """
    at = _HEAD.size + _ENTRY.size * len(buffers)
    end = at + len(pickled)
    entries = []
    for buffer in buffers:
        start = -(-end // PAGE) * PAGE
        entries.append((start, buffer.nbytes))
        end = start + buffer.nbytes
    head = _HEAD.pack(MAGIC + VERSION, len(pickled), len(buffers), end)
    head += b"".join(_ENTRY.pack(*entry) for entry in entries)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(descriptor, memoryview(head))
            _write(descriptor, memoryview(pickled))
            written = at + len(pickled)
            for buffer, (start, length) in zip(buffers, entries, strict=True):
                _write(descriptor, memoryview(bytes(start - written)))
                _write(descriptor, buffer)
                written = start + length
        finally:
            os.close(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno in disk.FULL:
            raise NoSpaceError(
                error.errno, f"no space is left for a value of {end} bytes", str(path)
            ) from None
        raise
    return end


def read(path: Path) -> tuple[memoryview, list[memoryview], mmap.mmap | None]:
    """Map a bundle, privately and writable: changes stay in this process.

    Returns
    -------
    pickled, buffers, mapping
        The pickle, the buffers, and the mapping that holds them (None if there are none).

    Raises
    ------
    DamagedError
        If the file is incomplete, or is not a bundle.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            raise DamagedError(f"{path.name} is not a saved value, or it was cut")
        if not head.startswith(MAGIC + VERSION):
            raise DamagedError(f"{path.name} was saved by another version of kfnb")
        _, length, count, end = _HEAD.unpack(head)
        size = os.fstat(file.fileno()).st_size
        if size != end:
            raise DamagedError(f"{path.name} was cut: it has {size} bytes and should have {end}")
        table = file.read(_ENTRY.size * count)
        if not count:
            return memoryview(file.read(length)), [], None
        pickled = memoryview(file.read(length))
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    whole = memoryview(mapping)
    buffers = [whole[start : start + size] for start, size in _ENTRY.iter_unpack(table)]
    return pickled, buffers, mapping


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """Map a whole file for reading."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping,
        memoryview(mapping) as view,
    ):
        yield view


def _write(descriptor: int, view: memoryview) -> None:
    view = view.cast("B") if view.nbytes else memoryview(b"")
    while view:
        # One write moves at most 2 GiB on Linux; 256 MiB lets a signal in.
        view = view[os.write(descriptor, view[: 1 << 28]) :]
