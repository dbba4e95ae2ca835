"""Numbers as people read them."""

from __future__ import annotations

from typing import Any


def number(value: Any) -> str:
    """Write a metric's value with up to six significant digits.

    >>> number(0.123456789), number(3), number(2.0), number("nan")
    ('0.123457', '3', '2', 'nan')
    """
    return f"{value:.6g}" if isinstance(value, float) else str(value)
