"""What a kind of template hands to the template's program once it has loaded its modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kfnb.step.templates.spec import ForkOrder

Run = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How children begin.

    Attributes
    ----------
    start
        Prepares a child for its order, and returns what it executes.
    refuse
        Says why the template cannot serve an order, or returns None.
    left_out
        The import statements that are left to the children, each with the reason.
    """

    start: Callable[[ForkOrder], Run]
    refuse: Callable[[ForkOrder], str | None] = lambda _order: None
    left_out: Mapping[str, str] = field(default_factory=dict)
