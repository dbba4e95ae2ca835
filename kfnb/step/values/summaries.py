"""Summarise a value: its type, shape, size and a short repr, in bounded time."""

from __future__ import annotations

import dataclasses
import itertools
import reprlib
from collections.abc import Sized
from typing import Any

LONGEST = 200
_MOST = 6
_PART = 80
# A repr of the user's own may show everything in an object; larger objects are only counted.
_MOST_HELD = 2_000


class _Short(reprlib.Repr):
    """Shows containers by their first items, in their order, and large things by their shape."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdeque = self.maxarray = _MOST
        self.maxstring = self.maxother = self.maxlong = _PART

    def repr_set(self, x: Any, level: int) -> str:
        """Show a set without sorting all of it."""
        return "{" + self._items(x, level) + "}" if x else "set()"

    def repr_frozenset(self, x: Any, level: int) -> str:
        """Show a frozen set without sorting all of it."""
        return "frozenset({" + self._items(x, level) + "})" if x else "frozenset()"

    def repr_dict(self, x: Any, level: int) -> str:
        """Show the first items of a dictionary."""
        if x and level <= 0:
            return "{…}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(item, level - 1)}"
            for key, item in itertools.islice(x.items(), _MOST)
        ]
        return "{" + ", ".join([*shown, "…"] if len(x) > _MOST else shown) + "}"

    def repr_bytes(self, x: bytes, level: int) -> str:  # noqa: ARG002
        """Show the first bytes."""
        return repr(x) if len(x) <= _PART else repr(x[:_PART]) + "…"

    def repr_int(self, x: int, level: int) -> str:
        """Show a number; one with thousands of digits by its size."""
        # Python takes long to write out large numbers, and refuses those of more than 4,300 digits.
        return super().repr_int(x, level) if abs(x) < 1 << 1000 else f"<int, {x.bit_length()} bits>"

    def repr_instance(self, x: Any, level: int) -> str:
        """Show other objects; their own repr is called only if the object is small."""
        shape = _shape(x)
        if shape is not None and shape != [] and not isinstance(x, tuple) and hasattr(x, "shape"):
            return f"<{type_name(x)} {' × '.join(map(str, shape))}>"
        if isinstance(x, (bytes, bytearray, memoryview)):
            return f"<{type_name(x)}, {len(x)} bytes>"
        kind = type(x)
        # Only a __repr__ that the decorator has generated is wrapped (against recursion).
        if dataclasses.is_dataclass(x) and hasattr(kind.__repr__, "__wrapped__"):
            fields = [f.name for f in dataclasses.fields(x) if f.repr and hasattr(x, f.name)]
            shown = (f"{n}={self.repr1(getattr(x, n), level - 1)}" for n in fields[:_MOST])
            more = ", …" if len(fields) > _MOST else ""
            return f"{kind.__qualname__}({', '.join(shown)}{more})"
        if isinstance(x, tuple) and hasattr(kind, "_fields"):
            pairs = zip(kind._fields[:_MOST], x, strict=False)
            shown = (f"{n}={self.repr1(item, level - 1)}" for n, item in pairs)
            more = ", …" if len(kind._fields) > _MOST else ""
            return f"{kind.__name__}({', '.join(shown)}{more})"
        for base in (list, tuple, set, frozenset, dict):
            if isinstance(x, base):
                return f"{kind.__name__}({getattr(self, 'repr_' + base.__name__)(x, level)})"
        if _own_repr(kind) and _held(x) > _MOST_HELD:
            count = f", {len(x)} items" if isinstance(x, Sized) else ""
            return f"<{type_name(x)}{count}>"
        text = repr(x)
        return text if len(text) <= self.maxother else text[: self.maxother - 1] + "…"

    def _items(self, x: Any, level: int) -> str:
        if level <= 0:
            return "…"
        shown = [self.repr1(item, level - 1) for item in itertools.islice(x, _MOST)]
        return ", ".join([*shown, "…"] if len(x) > _MOST else shown)


def describe(value: object) -> dict[str, Any]:
    """Describe a value. Never raises; the time does not grow with the size of the value.

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
    """Return a type's name as people write it: ``pandas.DataFrame``, ``int``, ``Point``."""
    kind = type(value)
    package = str(kind.__module__).partition(".")[0]
    name = kind.__qualname__
    return name if package in ("builtins", "__main__") else f"{package}.{name}"


def _shape(value: Any) -> list[int] | None:
    # A class has attributes such as `shape` as well, but they describe its instances.
    if isinstance(value, type):
        return None
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape):
            return [int(n) for n in shape]
        if isinstance(value, Sized) and not isinstance(value, (str, bytes, bytearray)):
            return [len(value)]
    except Exception:
        return None
    return None


def _size(value: Any) -> int | None:
    if isinstance(value, type):
        return None
    try:
        size = getattr(value, "nbytes", None)
        if size is None and isinstance(value, (str, bytes, bytearray)):
            size = len(value)
        if type(value).__name__ == "DataFrame" and hasattr(value, "memory_usage"):
            # deep=True would look at every object in the table.
            size = int(value.memory_usage(deep=False).sum())
        if size is None and hasattr(value, "estimated_size"):
            size = value.estimated_size()
        return int(size) if size is not None else None
    except Exception:
        return None


def _own_repr(kind: type) -> bool:
    return any("__repr__" in vars(base) for base in kind.__mro__[:-1])


def _held(value: Any, depth: int = 3) -> int:
    """Count roughly how many items an object holds, as far as that is quick."""
    count = len(value) if isinstance(value, Sized) else 1
    parts = [getattr(value, "__dict__", None), value]
    for part in parts if depth else ():
        if isinstance(part, dict):
            part = part.values()
        elif not isinstance(part, (list, tuple, set, frozenset)):
            continue
        count += sum(_held(item, depth - 1) for item in itertools.islice(part, 50))
    return count


def _text(value: Any) -> str:
    try:
        text = _table(value) or _Short().repr(value)
    except Exception as error:
        text = f"<{type_name(value)}, whose repr raises {type(error).__name__}>"
    # A repr may contain half a character, which no file in UTF-8 can hold.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _table(value: Any) -> str | None:
    """Describe an array or a table; None for anything else."""
    shape = _shape(value)
    if not shape or not hasattr(type(value), "shape"):
        return None
    columns = getattr(value, "column_names", None)
    if columns is None:
        columns = getattr(value, "columns", None)
    if columns is not None and len(shape) == 2:
        names = ", ".join(str(c)[:_PART] for c in list(columns[:8]))
        more = ", …" if shape[1] > 8 else ""
        return f"{shape[0]} rows × {shape[1]} columns: {names}{more}"
    if hasattr(value, "dtype"):
        return f"{type_name(value)} {value.dtype} {' × '.join(map(str, shape))}"
    return None
