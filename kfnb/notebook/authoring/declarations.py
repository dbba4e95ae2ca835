"""What one cell declares about itself, whether by tag, by metadata or by magic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from kfnb.notebook.authoring.options import Entry

CellRole = Literal["step", "setup", "parameters", "metrics", "skip"]

ROLES: tuple[CellRole, ...] = ("step", "setup", "parameters", "metrics", "skip")


class Problem(NamedTuple):
    """A diagnostic about a cell, without the cell's index."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one source (tags, metadata or magic) declares about a cell; None and empty mean nothing.

    ``after`` is as written: whether ``a,b`` names one step or two is known only when all
    steps are known. A skipped cell may still name its step. ``kale`` tells whether the cell
    orders steps by Kale's tags (``block:``, ``prev:``).
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
        With a sentence that lacks its subject.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(name.isidentifier() for name in names):
        raise ValueError("takes the name of a value, as in changes:model")
    return names
