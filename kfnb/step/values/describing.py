"""A value in a few words: type, shape, size and a short repr, at a bounded price."""

from __future__ import annotations

import reprlib
from collections.abc import Sized
from typing import Any

LONGEST = 200


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = self.maxdeque = 6
        self.maxstring = self.maxother = 80

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002
        """Show other objects: their repr is asked for only where it is known to be short work."""
        shape = _shape(x)
        if shape is not None and not _scalar(x):
            return f"<{type_name(x)} {' × '.join(map(str, shape))}>"
        text = repr(x)
        return text if len(text) <= self.maxother else text[: self.maxother - 1] + "…"


def describe(value: object) -> dict[str, Any]:
    """Describe a value; never raises and never takes time that grows with the value.

    Returns
    -------
    dict
        ``type`` (as people write it), ``shape`` (list of lengths, or None), ``size``
        (bytes of data where the value knows it, or None) and ``repr`` (≤ 200 characters).
    """
    return {
        "type": type_name(value),
        "shape": _shape(value),
        "size": _size(value),
        "repr": _text(value),
    }


def type_name(value: object) -> str:
    """Give a type's name as people write it: ``pandas.DataFrame``, ``int``, ``Point``."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    name = kind.__qualname__
    return name if package in ("builtins", "__main__") else f"{package}.{name}"


def _shape(value: Any) -> list[int] | None:
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape):
            return [int(n) for n in shape]
        if isinstance(value, Sized) and not isinstance(value, (str, bytes, type)):
            return [len(value)]
    except Exception:
        return None
    return None


def _size(value: Any) -> int | None:
    try:
        size = getattr(value, "nbytes", None)
        if size is None and isinstance(value, (str, bytes, bytearray)):
            size = len(value)
        if type(value).__name__ == "DataFrame" and hasattr(value, "memory_usage"):
            size = int(value.memory_usage(deep=False).sum())
        if size is None and hasattr(value, "estimated_size"):
            size = value.estimated_size()
        return int(size) if size is not None else None
    except Exception:
        return None


def _scalar(value: object) -> bool:
    return _shape(value) == []


def _text(value: Any) -> str:
    try:
        columns = getattr(value, "columns", None)
        shape = _shape(value)
        if columns is not None and shape is not None and len(shape) == 2:
            names = ", ".join(str(c) for c in list(columns[:8]))
            more = ", …" if shape[1] > 8 else ""
            text = f"{shape[0]} rows × {shape[1]} columns: {names}{more}"
        elif type(value).__module__.partition(".")[0] == "numpy" and shape:
            text = f"{type_name(value)} {value.dtype} {' × '.join(map(str, shape))}"
        else:
            text = _Short().repr(value)
    except Exception as error:
        text = f"<{type_name(value)}, whose repr raises {type(error).__name__}>"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
