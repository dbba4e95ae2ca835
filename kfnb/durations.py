"""Durations as people write and read them: one grammar for tags, options and the Python API."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal

EXAMPLES = "90 (seconds), 30s, 30m, 2h, 1h30m or 7d"
"""What a message shows to somebody who wrote something else."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_LONG_NAMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def parse_duration(value: object) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    value
        A number of seconds, or a text: a number alone (seconds), or numbers that each have a
        unit (``s``, ``m``, ``h``, ``d``, ``w``, or a word such as ``min`` and ``hours``). Case and
        spaces do not matter.

    Raises
    ------
    ValueError
        If it is not a duration, or not positive.

    Examples
    --------
    >>> parse_duration("90"), parse_duration("1h30m"), parse_duration("2 hours 5 min")
    (90.0, 5400.0, 7500.0)
    """
    total = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        total = float(value)
    elif isinstance(value, str):
        total = _parse_text(value.strip().lower())
    if not 0 < total < math.inf:
        raise ValueError(f"{value!r} is not a duration: write {EXAMPLES}.")
    return total


def _parse_text(text: str) -> float:
    parts = _PART.findall(text)
    # Something is left over if a part of the text is no duration.
    if not parts or _PART.sub("", text):
        return math.nan
    if len(parts) == 1 and not parts[0][1]:
        return float(parts[0][0])
    # An unknown unit makes the sum NaN, which the caller refuses.
    units = [_SECONDS.get(_LONG_NAMES.get(unit, unit), math.nan) for _, unit in parts]
    return sum(float(number) * unit for (number, _), unit in zip(parts, units, strict=True))


def write_duration(seconds: float) -> str:
    """Write a duration as a tag has it; :func:`parse_duration` reads it again.

    >>> write_duration(600.0), write_duration(5400.0), write_duration(86400.0), write_duration(0.5)
    ('10m', '1h30m', '1d', '0.5s')
    """
    parts, rest = [], seconds
    for unit in ("d", "h", "m"):
        number, rest = divmod(rest, _SECONDS[unit])
        parts += [f"{number:g}{unit}"] if number else []
    return "".join([*parts, *([f"{rest:g}s"] if rest or not parts else [])])


def describe_duration(seconds: float | None) -> str:
    """Write a duration for a person, rounded; empty for None.

    Views in the browser write durations alike (``duration`` in ``labextension/src/format.ts``).

    >>> describe_duration(0.42), describe_duration(75), describe_duration(7260)
    ('0.42 s', '1 min 15 s', '2 h 01 min')
    """
    if seconds is None:
        return ""
    # From 9.95 on, one decimal would give 10.0, so whole seconds are written below.
    if seconds < 9.95:
        # Halves are rounded up, as in JavaScript.
        step = Decimal("0.1") if seconds >= 0.995 else Decimal("0.01")
        return f"{Decimal(seconds).quantize(step, ROUND_HALF_UP)} s"
    # round() would round halves to even numbers, and JavaScript does not.
    whole = math.floor(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24} h"
