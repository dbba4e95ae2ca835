"""Compare parts of a state by their content, whatever they are made of."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from typing import Any

_PLAIN = (int, float, complex, str, bytes, bool, type(None))


def content(value: Any) -> str:
    """Return a text that is the same for equal values, in any process.

    Raises
    ------
    Exception
        If the value cannot be pickled.
    """
    if type(value) in _PLAIN:
        return repr(value)
    if isinstance(value, Mapping) and type(value).__module__ in ("builtins", "collections"):
        items = ",".join(f"{content(k)}:{content(v)}" for k, v in value.items())
        return f"{type(value).__name__}{{{items}}}"
    if type(value) in (list, tuple):
        return f"{type(value).__name__}({','.join(map(content, value))})"
    if type(value) in (set, frozenset):
        return f"{type(value).__name__}({','.join(sorted(map(content, value)))})"
    # FIPS mode allows SHA-1 if nothing depends on its security.
    data = pickle.dumps(value, protocol=4)
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def same(one: Any, other: Any) -> bool:
    """Return whether two values have the same content; if that is unknown, whether they are one."""
    if one is other:
        return True
    if type(one) in _PLAIN and type(other) in _PLAIN:
        return repr(one) == repr(other)
    try:
        return content(one) == content(other)
    except Exception:
        return False


def digest(parts: Mapping[str, Any]) -> str:
    """Return a short hash of parts and their contents; empty if there are none."""
    if not parts:
        return ""
    texts = []
    for name, value in sorted(parts.items()):
        try:
            texts.append((name, content(value)))
        except Exception:  # It cannot be saved either.
            texts.append((name, f"{type(value).__module__}.{type(value).__qualname__}"))
    text = repr(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()[:16]
