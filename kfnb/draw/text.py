"""Text that is safe to show: control characters in names have no effect."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"  # makes one emoji of several
# An SVG picture cannot measure its text, so widths are estimated.
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|![]() "), frozenset("mwMW@%…—")


def visible(text: str) -> str:
    r"""Return ``text`` on one line, with control characters written out as Python would.

    >>> visible("träge 🎲"), visible(chr(27) + "[31m") == r"\x1b[31m"
    ('träge 🎲', True)
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == _JOINER else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def shortened(text: str, most: int) -> str:
    """Return ``text`` with at most ``most`` characters, the end replaced by an ellipsis.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> width_of("abc"), width_of("会")
    (3, 2)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def pixels_of(text: str, size: float) -> float:
    """Estimate how wide a text is in a sans-serif font of ``size`` pixels; rather too wide.

    >>> pixels_of("ill", 10) < pixels_of("abc", 10) < pixels_of("ABC", 10) < pixels_of("会会会", 10)
    True
    """
    return size * sum(map(_ems, text))


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.95
    if character.isupper():
        return 0.74
    return 0.61 * width_of(character)
