"""What a walk through the cells finds: acts, what each step does, and what is missing.

An *act* is a statement that may be replayed in other steps: of a setup or
parameters cell, a definition or star import anywhere, a line that is setup
wherever it stands.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kfnb.notebook.flow.interpreter.callables import Missing
from kfnb.notebook.flow.interpreter.magics import Interpreter
from kfnb.notebook.flow.interpreter.name_table import Slot
from kfnb.pipeline import Role

Kind = Literal["function", "class", "import"]


@dataclass(frozen=True, slots=True)
class Act:
    """A static statement: the names that it reads and makes.

    ``must`` are the names that it certainly binds, ``may`` those that it possibly binds.
    ``always``: it has an effect besides its names, so later steps execute it even if
    they use none of its names.
    """

    cell: int
    index: int
    role: Role
    reads: frozenset[str]
    must: frozenset[str]
    may: frozenset[str]
    always: bool
    modules: frozenset[str]
    defines: tuple[str, ...] = ()
    kind: Kind | None = None
    step: str | None = None

    @property
    def makes(self) -> frozenset[str]:
        """Names that it binds, changes or deletes."""
        return self.must | self.may


@dataclass(frozen=True, slots=True)
class Use:
    """Where a step first reads a name."""

    cell: int
    line: int
    certain: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that is read where nothing binds it; ``step`` is None in setup."""

    step: str | None
    cell: int
    missing: Missing


@dataclass(slots=True)
class Facts:
    """What one step does, in the order of the walk.

    ``statements`` gives the names that each statement (cell, index) touches or reads; the index
    is -1 where that is not known of single statements. ``fitted`` and ``drawn`` say where an
    estimator is fitted and where a random generator is used. ``clock`` is when the step began.
    """

    name: str
    unit: int
    start: Mapping[str, Slot]
    acts_before: int
    reads: dict[str, Use] = field(default_factory=dict)
    touched: dict[str, Slot] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    cells: set[int] = field(default_factory=set)
    fitted: dict[str, tuple[int, int]] = field(default_factory=dict)
    drawn: dict[str, tuple[int, int]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    metrics: dict[str, None] = field(default_factory=dict)
    opaque: tuple[int, int] | None = None
    identity: bool = False
    statements: list[tuple[int, int, frozenset[str]]] = field(default_factory=list)
    acts_after: int = 0
    clock: int = 0

    def add(self, cell: Facts, *, without: Collection[str] = ()) -> None:
        """Add what one of the step's cells does; it does not only fit ``without``."""
        for name, use in cell.reads.items():
            old = self.reads.get(name)
            if old is None or (old.optional and not use.optional):
                self.reads[name] = use
        self.touched |= cell.touched
        self.changed |= cell.changed
        self.cells |= cell.cells
        for name, at in cell.fitted.items():
            if name not in without:
                self.fitted.setdefault(name, at)
        self.drawn = {**cell.drawn, **self.drawn}
        self.modules |= cell.modules
        self.metrics |= cell.metrics
        self.opaque = self.opaque or cell.opaque
        self.identity |= cell.identity
        self.statements += cell.statements


@dataclass(slots=True)
class Findings:
    """What is found in cells: acts, names that nobody binds, and what cannot be read."""

    acts: list[Act] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    setup_reads: list[tuple[int, int, str, str]] = field(default_factory=list)
    returns: list[tuple[int, int]] = field(default_factory=list)
    opaque: list[tuple[str | None, int, int]] = field(default_factory=list)
    too_deep: list[tuple[str | None, int, int]] = field(default_factory=list)
    stars: list[int] = field(default_factory=list)
    constants: dict[str, tuple[ast.expr, int]] = field(default_factory=dict)
    sharing: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)

    def add(self, findings: Findings) -> None:
        """Add what was found in a cell."""
        self.acts += findings.acts
        self.unknown += findings.unknown
        self.setup_reads += findings.setup_reads
        self.returns += findings.returns
        self.opaque += findings.opaque
        self.too_deep += findings.too_deep
        self.stars += findings.stars
        self.constants |= findings.constants
        self.sharing |= findings.sharing


@dataclass(slots=True)
class CellFindings(Findings):
    """What is found in one cell; ``facts`` is what it contributes to its step."""

    facts: Facts | None = None


@dataclass(slots=True, kw_only=True)
class WalkResult(Findings):
    """The result of a walk."""

    interpreter: Interpreter
    facts: dict[str, Facts] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    first_seen: dict[tuple[int, str], frozenset[int]] = field(default_factory=dict)
    exhausted: dict[int, int] = field(default_factory=dict)
    changed_objects: set[int] = field(default_factory=set)
