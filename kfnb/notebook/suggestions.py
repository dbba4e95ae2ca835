"""What a person may have meant: the nearest of the names that there are."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Give the name that is most like ``word``, if one is; capitals do not count.

    Parameters
    ----------
    cutoff
        Likeness from 0 to 1 that is asked for, as in :func:`difflib.get_close_matches`.
    """
    from difflib import get_close_matches

    folded = {name.lower(): name for name in names}
    found = get_close_matches(word.lower()[:200], folded, 1, cutoff)
    return folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str], otherwise: str) -> str:
    """Write the remedy for a name that is not there."""
    found = nearest(word, names)
    return f'Did you mean "{found}"?' if found else otherwise
