"""Where buffers are in memory, and whether the pages of a mapping were written to."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

Span = tuple[int, int]
"""Addresses: first, one past the last."""
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
    """Return the addresses of a contiguous buffer: first, one past the last."""
    if not view.nbytes:
        return 0, 0
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    first = int(buffer.buf)
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return first, first + view.nbytes


def written(mappings: Collection[Span]) -> Collection[Span]:
    """Return the private mappings with a page that was written to; all if the system cannot say.

    The kernel counts pages that were copied on write as anonymous (see proc(5), smaps).
    """
    if not mappings:
        return ()
    try:
        with _SMAPS.open("rb") as lines:
            touched = list(_anonymous(lines))
    except OSError:
        # Without this file each mapping is compared with the saved value.
        return mappings
    return {m for m in mappings if any(low < m[1] and high > m[0] for low, high in touched)}


def equal(one: memoryview, two: memoryview) -> bool:
    """Compare buffers piece by piece, without copying either as a whole."""
    one, two = one.cast("B"), two.cast("B")
    return one.nbytes == two.nbytes and all(
        one[at : at + _CHUNK].tobytes() == two[at : at + _CHUNK].tobytes()
        for at in range(0, one.nbytes, _CHUNK)
    )


def _anonymous(lines: Iterable[bytes]) -> Iterator[Span]:
    """Yield the addresses of mappings that have anonymous pages."""
    mapping = b""
    for line in lines:
        if line.startswith(b"Anonymous:"):
            if int(line.split()[1]):
                start, end = mapping.split(b" ", 1)[0].split(b"-")
                yield int(start, 16), int(end, 16)
        # A line that begins a mapping starts with its address; the names of fields have capitals.
        elif line[:1] in b"0123456789abcdef":
            mapping = line
