"""Durations and numbers as people read them."""

from __future__ import annotations

from typing import Any


def duration(seconds: float | None) -> str:
    """Write a duration in the units that people use.

    >>> duration(0.25), duration(12.34), duration(75), duration(7260), duration(None)
    ('0.2 s', '12.3 s', '1 min 15 s', '2 h 1 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def number(value: Any) -> str:
    """Write a metric's value with up to six significant digits.

    >>> number(0.123456789), number(3), number(2.0), number("nan")
    ('0.123457', '3', '2', 'nan')
    """
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def count(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> count(1, "value"), count(3, "value")
    ('1 value', '3 values')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
