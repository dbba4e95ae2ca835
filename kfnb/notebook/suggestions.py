"""Suggest the name that a misspelt one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name that is most like ``word``, ignoring case, or None.

    Parameters
    ----------
    cutoff
        Least similarity, from 0 to 1, as in :func:`difflib.get_close_matches`.
    """
    from difflib import get_close_matches

    folded = {name.lower(): name for name in names}
    # The time of difflib grows with the square of the length.
    matches = get_close_matches(word.lower()[:200], folded, 1, cutoff)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, names: Iterable[str], otherwise: str) -> str:
    """Return the remedy for a name that does not exist."""
    near = nearest(word, names)
    return f'Did you mean "{near}"?' if near else otherwise
