"""Functions and classes of the notebook, and records of what executing them does."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    attribute (of which symbol, and which). ``field_names`` are the fields of a dataclass, in order;
    ``own_attributes`` are those that each instance of a class has for itself.
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
    methods: dict[str, CallableDefinition] = field(default_factory=dict)
    bases: tuple[int, ...] = ()
    class_attributes: dict[str, Objects] = field(default_factory=dict)
    subclasses: list[int] = field(default_factory=list)
    field_names: tuple[str, ...] = ()
    own_attributes: frozenset[str] = frozenset()


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
