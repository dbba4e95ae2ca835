"""What is known of each name at a point of the program, and how branches join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects

UNBOUND, MAYBE, BOUND = 0, 1, 2

ANY = -1
"""The unit of a name that only some paths of a unit bind."""

MOST_OBJECTS = 32
"""Objects beyond which nothing is added to what a name may be."""


class Slot(NamedTuple):
    """What a name is at one point.

    ``unit`` certainly bound it (a step, a setup statement, a function's body),
    ``by`` touched it last; ``cells`` are those that may have had a part in it.
    ``definition`` is the number of the definition that it plainly is, ``module``
    the dotted name that an import gave it.
    """

    objects: Objects
    status: int
    unit: int
    by: int
    cells: frozenset[int]
    definition: int | None = None
    module: str | None = None


class Slots(dict[str, Slot]):
    """Slots by name; ``seen`` are the names that were looked up since the present cell began."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Look a name up."""
        self.seen.add(name)
        return _get(self, name, default)

    def __getitem__(self, name: str) -> Slot:
        """Look up a name that is there."""
        self.seen.add(name)
        return _getitem(self, name)

    def __contains__(self, name: object) -> bool:
        """Find out whether a name is there."""
        self.seen.add(name)  # type: ignore[arg-type]
        return _contains(self, name)


_get, _getitem, _contains = dict.get, dict.__getitem__, dict.__contains__
_setitem = dict.__setitem__

NEVER = Slot(NO_OBJECTS, UNBOUND, ANY, ANY, frozenset())

Changes = dict[str, Slot | None]


class NameTable:
    """All names with a trail, so that a branch can be taken and taken back.

    ``written`` has what the names were that the present cell has set.
    """

    def __init__(self) -> None:
        self.slots = Slots()
        self.written: dict[str, Slot | None] = {}
        self.of_object: dict[int, set[str]] = {}
        self._trails: list[Changes] = []

    @property
    def depth(self) -> int:
        """How many branches are open."""
        return len(self._trails)

    def set(self, name: str, slot: Slot) -> None:
        """Change what a name is, on the present path."""
        before = _get(self.slots, name)
        if name not in self.written:
            self.written[name] = before
        # Only the first change of a branch is noted: it has the value to which the name goes back.
        if self._trails and name not in self._trails[-1]:
            self._trails[-1][name] = before
        self.slots[name] = slot
        if before is None:
            new = slot.objects
        elif before.objects is slot.objects:
            return
        else:
            new = slot.objects - before.objects
        for number in new:
            self.of_object.setdefault(number, set()).add(name)

    def put(self, name: str, slot: Slot | None) -> None:
        """Make a name what it was found to be before; None: it is not there."""
        if slot is None:
            self.slots.pop(name, None)
            return
        _setitem(self.slots, name, slot)
        for number in slot.objects:
            self.of_object.setdefault(number, set()).add(name)

    def fork(self) -> None:
        """Begin a branch."""
        self._trails.append({})

    def roll_back(self) -> Changes:
        """End the branch, as if it had not been; gives what it changed."""
        before = self._trails.pop()
        changed: Changes = {name: _getitem(self.slots, name) for name in before}
        for name, slot in before.items():
            if slot is None:
                del self.slots[name]
            else:
                self.slots[name] = slot
        return changed

    def since(self, depth: int) -> Changes:
        """Give what changed since ``depth`` branches were open, without taking it back."""
        return {name: self.slots[name] for trail in self._trails[depth:] for name in trail}

    def join(self, branches: Sequence[Changes], unit: int) -> None:
        """Go on where several branches may have been taken."""
        if len(branches) == 1:
            for name, slot in branches[0].items():
                self.set(name, slot or NEVER)
            return
        for name in dict.fromkeys(n for branch in branches for n in branch):
            before = self.slots.get(name)
            paths = list(dict.fromkeys(branch.get(name, before) or NEVER for branch in branches))
            self.set(name, joined(paths, unit))


def joined(paths: Sequence[Slot], unit: int) -> Slot:
    """Give what a name is where it may be any of ``paths``."""
    first = paths[0]
    if len(paths) == 1:
        return first
    objects, cells = first.objects, first.cells
    for way in paths[1:]:
        if len(objects) < MOST_OBJECTS and not way.objects <= objects:
            objects |= way.objects
        if not way.cells <= cells:
            cells |= way.cells
    statuses = {w.status for w in paths}
    units = {w.unit for w in paths}
    touched = {w.by for w in paths}
    return Slot(
        objects=objects,
        status=first.status if len(statuses) == 1 else MAYBE,
        unit=first.unit if len(units) == 1 else ANY,
        by=first.by if len(touched) == 1 else unit,
        cells=cells,
        definition=first.definition if len({w.definition for w in paths}) == 1 else None,
        module=first.module if len({w.module for w in paths}) == 1 else None,
    )
