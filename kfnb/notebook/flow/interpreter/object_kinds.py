"""What kinds of objects there are, as far as data flow depends on it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING

from kfnb.notebook.flow.interpreter.objects.relations import ObjectSet, Relation

if TYPE_CHECKING:
    from kfnb.notebook.flow.interpreter.callables import CallableDefinition

Objects = frozenset[int]
NO_OBJECTS: Objects = frozenset()

_versions = count()


class ObjectKinds:
    """Sets of the objects of a heap, by kind.

    ``callables`` are functions and classes of the notebook, ``classes`` gives those of an
    instance; ``version`` changes when more is known of them, and no two heaps have the same.
    ``stateful`` objects are changed by any use, ``lazy`` ones when an item is read,
    ``iterators`` are used up by iterating, ``random_generators`` are stateful too.

    ``cloning`` objects never change what they hold, a fit of ``estimators`` begins anew,
    ``displays`` are collections written as such, ``frames`` arrays and frames, which no method
    of what holds them changes. ``selectors`` are lists and conditions, which select a copy when
    they are an index. ``tensors`` cannot be modules, and ``batching`` ones give new values when
    they are iterated.
    """

    def __init__(self) -> None:
        self.callables: Relation[CallableDefinition] = Relation()
        self.classes: Relation[Objects] = Relation()
        self.version = next(_versions) << 32
        self.stateful = ObjectSet()
        self.lazy = ObjectSet()
        self.iterators = ObjectSet()
        self.random_generators = ObjectSet()
        self.cloning = ObjectSet()
        self.estimators = ObjectSet()
        self.displays = ObjectSet()
        self.frames = ObjectSet()
        self.selectors = ObjectSet()
        self.tensors = ObjectSet()
        self.batching = ObjectSet()
        self.adopted = ObjectSet()

    def adopt(self, made: int, numbers: Iterable[int]) -> None:
        """Let ``made`` be of the kinds of ``numbers``, which it stands for."""
        numbers = [n for n in numbers if n != made and n not in self.callables]
        if not numbers:
            return
        for number in numbers:
            self.add_classes(made, self.classes.get(number, NO_OBJECTS))
        for kind in (self.stateful, self.lazy, self.iterators, self.random_generators):
            if not kind.isdisjoint(numbers):
                kind.add(made)
        first = made not in self.adopted
        self.adopted.add(made)
        kinds = (
            self.cloning,
            self.estimators,
            self.displays,
            self.frames,
            self.selectors,
            self.tensors,
            self.batching,
        )
        for kind in kinds:
            if not kind.issuperset(numbers):
                kind.discard(made)
            elif first:
                kind.add(made)

    def plain(self, objects: Objects) -> Objects:
        """Leave out functions and classes."""
        if self.callables.keys().isdisjoint(objects):
            return objects
        return frozenset(o for o in objects if o not in self.callables)

    def add_callable(self, number: int, callee: CallableDefinition) -> None:
        """Say that an object is a function or class of the notebook."""
        if number not in self.callables:
            self.version += 1
            self.callables[number] = callee

    def change_callable(self, callee: CallableDefinition) -> None:
        """Note that a function or class is about to change."""
        written = self.callables.written
        if callee.number not in written and callee.number in self.callables:
            written[callee.number] = callee.copy()

    def set_classes(self, number: int, classes: Objects) -> None:
        """Say of which of the notebook's classes an object is an instance."""
        if self.classes.get(number) != classes:
            self.classes[number] = classes
            self.version += 1

    def add_classes(self, number: int, classes: Objects) -> None:
        """Say that an object may be an instance of further classes."""
        if classes:
            self.set_classes(number, self.classes.get(number, NO_OBJECTS) | classes)
