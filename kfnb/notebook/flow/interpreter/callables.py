"""Functions and classes of the notebook, and records of what executing them does."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

from kfnb.notebook.flow.interpreter.name_table import Changes, Slot
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.scopes import Function


@dataclass(eq=False, slots=True)
class CallableDefinition:
    """A function, lambda or class that the notebook defines.

    ``number`` is its object. ``parent`` is the function in whose frame it was made,
    ``free`` the names that are local to the functions around it; ``arguments`` maps
    the objects that stand for its parameters to their names, ``argument_contents`` those that
    stand for whatever the parameters hold, ``field_symbols`` those of them that stand for an
    attribute (of which symbol, and which). ``methods`` gives the objects of methods,
    ``field_names`` the fields of a dataclass, in order; ``own_attributes`` are those that each
    instance of a class has for itself.
    """

    number: int
    name: str
    node: Function | ast.ClassDef
    cell: int = 0
    parent: int | None = None
    free: frozenset[str] = frozenset()
    owner: int | None = None
    bound_to: str = "instance"
    parameters: tuple[str, ...] = ()
    positional: int = 0
    arguments: dict[int, str] = field(default_factory=dict)
    argument_contents: dict[int, str] = field(default_factory=dict)
    field_symbols: dict[int, tuple[int, str]] = field(default_factory=dict)
    symbol_names: dict[int, str] = field(default_factory=dict)
    defaults: dict[str, Objects] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    bases: tuple[int, ...] = ()
    class_attributes: dict[str, Objects] = field(default_factory=dict)
    subclasses: list[int] = field(default_factory=list)
    field_names: tuple[str, ...] = ()
    own_attributes: frozenset[str] = frozenset()

    def copy(self) -> CallableDefinition:
        """Copy it as it is now."""
        return replace(
            self,
            arguments=dict(self.arguments),
            argument_contents=dict(self.argument_contents),
            field_symbols=dict(self.field_symbols),
            symbol_names=dict(self.symbol_names),
            defaults=dict(self.defaults),
            methods=dict(self.methods),
            class_attributes=dict(self.class_attributes),
            subclasses=list(self.subclasses),
        )

    def is_like(self, other: CallableDefinition) -> bool:
        """Whether a call is described in the same way, whatever the code."""
        return type(self.node) is type(other.node) and all(
            getattr(self, each.name) == getattr(other, each.name)
            for each in fields(self)
            if each.name != "node"
        )


class Origin(NamedTuple):
    """Where in a function's body a name is read."""

    cell: int
    line: int
    function: str


class Summary(NamedTuple):
    """What calling a function may do, in terms of its parameters' objects.

    ``reads`` says of each outer name whether it is certainly read, whether a handler
    waits for its absence, and where it is read; ``bound`` what outer names are afterwards;
    ``changed_objects`` are changed; ``used_objects`` are used, which changes those that have a
    state (a generator); ``moved_objects`` are changed if they are modules; ``links`` are
    containers, what is put into them, and as which attribute. ``identity``: it makes a difference
    whether two names stand for one object. ``fitted_objects`` are fitted.
    """

    reads: Mapping[str, tuple[bool, bool, Origin]] = {}
    bound: Mapping[str, Slot] = {}
    changed_objects: Objects = NO_OBJECTS
    used_objects: Objects = NO_OBJECTS
    moved_objects: Objects = NO_OBJECTS
    links: frozenset[tuple[Objects, Objects, str | None]] = frozenset()
    returns: Objects = NO_OBJECTS
    modules: frozenset[str] = frozenset()
    effect: bool = False
    opaque: bool = False
    identity: bool = False
    fitted_objects: Objects = NO_OBJECTS


NOTHING = Summary()


class Dependency(NamedTuple):
    """What a summary took an outer name to be: all that decides what calling the function does."""

    there: bool
    mutable: bool
    direct: Objects
    callables: tuple[int, ...]
    classes: Objects
    module: str | None


@dataclass(slots=True)
class CachedSummary:
    """A summary, and the slots for which its dependencies held at ``version`` of the heap."""

    summary: Summary
    dependencies: dict[str, Dependency]
    slots: list[Slot | None] = field(default_factory=list)
    version: int = -1
    _objects: Objects | None = None

    @property
    def objects(self) -> Objects:
        """All objects that the summary mentions."""
        if self._objects is None:
            summary = self.summary
            self._objects = summary.changed_objects.union(
                summary.used_objects,
                summary.moved_objects,
                summary.returns,
                summary.fitted_objects,
                *(objects for link in summary.links for objects in link[:2]),
                *(slot.objects for slot in summary.bound.values()),
            )
        return self._objects

    def is_like(self, other: CachedSummary) -> bool:
        """Whether two summaries say the same, except on which lines names are read."""
        if self.dependencies != other.dependencies:
            return False
        ours, theirs = self.summary, other.summary
        return ours == theirs or (
            ours._replace(reads={}) == theirs._replace(reads={})
            and [(n, *r[:2], r[2].cell, r[2].function) for n, r in ours.reads.items()]
            == [(n, *r[:2], r[2].cell, r[2].function) for n, r in theirs.reads.items()]
        )


@dataclass(slots=True)
class Arguments:
    """What a call passes, as far as it is known.

    ``spread`` are objects that may be any argument (``*args``, ``**options``);
    ``known`` is False where the call itself is a guess.
    """

    positional: list[Objects] = field(default_factory=list)
    keywords: dict[str, Objects] = field(default_factory=dict)
    spread: Objects = NO_OBJECTS
    known: bool = True

    def all(self) -> Objects:
        """Every object that is passed."""
        return self.spread.union(*self.positional, *self.keywords.values())


UNKNOWN = Arguments(known=False)


class Read(NamedTuple):
    """A name that is read before the unit certainly binds it; ``slot`` is what it was then."""

    line: int
    certain: bool
    optional: bool
    slot: Slot | None
    origin: Origin | None = None


class Missing(NamedTuple):
    """A name that is read where nothing certainly or possibly binds it."""

    name: str
    line: int
    certain: bool
    slot: Slot | None
    origin: Origin | None = None


@dataclass(slots=True)
class Record:
    """What a statement, or a function's body, does."""

    reads: dict[str, Read] = field(default_factory=dict)
    seen: dict[str, Slot | None] = field(default_factory=dict)
    touched: dict[str, Slot] = field(default_factory=dict)
    before: dict[str, Slot | None] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    changed_objects: set[int] = field(default_factory=set)
    used_objects: set[int] = field(default_factory=set)
    moved_objects: set[int] = field(default_factory=set)
    links: set[tuple[Objects, Objects, str | None]] = field(default_factory=set)
    returns: set[int] = field(default_factory=set)
    findings: list[tuple[str, int, str]] = field(default_factory=list)
    effect: bool = False
    opaque: int | None = None
    star: bool = False
    identity: bool = False
    fitted_objects: set[int] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Frame:
    """A scope that is being executed: where its names live, and the ways out of it."""

    number: int
    kind: str
    keys: dict[str, str | None]
    callee: CallableDefinition | None = None
    depth: int = 0
    exits: list[Changes] = field(default_factory=list)
