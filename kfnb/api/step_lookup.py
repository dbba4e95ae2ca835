"""Names of steps: how people are shown them, and finding one that a person typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 12


def step_label(name: str, index: str) -> str:
    """Return how a step, or an instance of it, is named to people.

    Examples
    --------
    >>> step_label("fit", ""), step_label("fit", "3")
    ('fit', 'fit[3]')
    """
    return f"{name}[{index}]" if index else name


def no_such_step(steps: Iterable[str], name: str, *, owner: str = "pipeline") -> str:
    """Return a sentence for a name that no step has, with the names that were probably meant."""
    known = list(steps)
    near = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(f'"{one}"' for one in known[:_LISTED])
    listed += f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    return f'The {owner} has no step "{name}". {hint}It has: {listed}.'
