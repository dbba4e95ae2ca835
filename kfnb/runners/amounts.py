"""Amounts in sentences: how many things, how many bytes."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Write a number of things.

    >>> count(1, "run"), count(0, "run")
    ('1 run', '0 runs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Write a number of bytes.

    >>> size(2_500_000)
    '2.5 MB'
    """
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
