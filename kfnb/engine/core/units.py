"""Kubernetes quantities as people type them (``500m``, ``4Gi``), in plain numbers."""

from __future__ import annotations

import re

_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}
_DECIMAL = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}
# The unit is matched lazily, so that the B of 512MB is not taken for a part of it.
_QUANTITY = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]{0,2}?)[bB]?\s*")


def quantity(text: str) -> float | None:
    """Return the number that a quantity stands for; None if it is not one.

    Source of the notation: Kubernetes' ``resource.Quantity``; a trailing ``B`` is
    accepted too.

    >>> quantity("4Gi") == 4 * 2**30, quantity("500m"), quantity("lots")
    (True, 0.5, None)
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    unit = _BINARY.get(match[2]) or _DECIMAL.get(match[2])
    return float(match[1]) * unit if unit else None


def memory_bytes(text: str | None) -> int | None:
    """Return an amount of memory in bytes; None if it is missing or not a quantity."""
    number = quantity(text) if text else None
    return int(number) if number and number >= 1 else None
