"""What one cell says about itself, by tag, metadata or magic: the three doors' common form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from kfnb.notebook.authoring.options import Entry

CellRole = Literal["step", "setup", "parameters", "metrics", "skip"]

ROLES: tuple[CellRole, ...] = ("step", "setup", "parameters", "metrics", "skip")


class Problem(NamedTuple):
    """A finding about a cell, before it is known where the cell stands."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A door's statement about a cell; None and empty mean: not said.

    ``after`` is as written: whether ``a,b`` is one step's name or two is known only
    when all steps are. A skipped cell may still name its step. ``kale`` tells that the
    cell says its place among the steps in Kale's words.
    """

    role: CellRole | None = None
    step: str | None = None
    after: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    on_exit: bool = False
    options: Mapping[Entry, Any] = field(default_factory=dict)
    kale: bool = False
    problems: tuple[Problem, ...] = ()


def changed_names(text: str) -> tuple[str, ...]:
    """Read the names of ``changes:``: Python names, separated by commas.

    Raises
    ------
    ValueError
        A sentence without its subject.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(name.isidentifier() for name in names):
        raise ValueError("takes the name of a value, as in changes:model")
    return names
