"""Names under which steps publish the state of libraries. No variable can have one of them."""

from __future__ import annotations

_PREFIX = "state of the process: "


def state_name(state: str) -> str:
    """Return the name under which a state is published.

    >>> state_name("options of pandas")
    'state of the process: options of pandas'
    """
    return _PREFIX + state


def state_of(name: str) -> str | None:
    """Return the state that is published under a name; None if it is a value's name."""
    return name[len(_PREFIX) :] if name.startswith(_PREFIX) else None
