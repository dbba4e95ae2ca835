"""Where buffers lie in memory, and whether a mapping's pages were written to."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

_SMAPS = Path("/proc/self/smaps")
_CHUNK = 1 << 20


class _Buffer(ctypes.Structure):
    # The beginning of CPython's Py_buffer, and room for the rest of it.
    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("rest", ctypes.c_ssize_t * 16),
    )


def span(view: memoryview) -> tuple[int, int]:
    """Give the addresses of a contiguous buffer: first, one past the last."""
    if not view.nbytes:
        return 0, 0
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    first = int(buffer.buf)
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return first, first + view.nbytes


def written(mapping: tuple[int, int]) -> bool | None:
    """Tell whether a page of a private mapping was written to; None where nobody says.

    The kernel counts pages that were copied on write as anonymous (see proc(5), smaps).
    """
    try:
        with _SMAPS.open("rb") as lines:
            return any(size for size in _anonymous(lines, mapping))
    except OSError:
        return None


def equal(one: memoryview, two: memoryview) -> bool:
    """Compare buffers of the same length, without copying more than a little at a time."""
    one, two = one.cast("B"), two.cast("B")
    return one.nbytes == two.nbytes and all(
        one[at : at + _CHUNK].tobytes() == two[at : at + _CHUNK].tobytes()
        for at in range(0, one.nbytes, _CHUNK)
    )


def _anonymous(lines: Iterator[bytes], mapping: tuple[int, int]) -> Iterator[int]:
    """Give the anonymous kilobytes of each part of a mapping."""
    inside = False
    for line in lines:
        first = line.split(b" ", 1)[0]
        if first.endswith(b":"):
            if inside and first == b"Anonymous:":
                yield int(line.split()[1])
        elif b"-" in first:
            start, end = (int(address, 16) for address in first.split(b"-"))
            inside = start < mapping[1] and end > mapping[0]
