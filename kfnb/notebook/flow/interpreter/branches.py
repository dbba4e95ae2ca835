"""Statements that open paths: branches, loops, ``try``, ``with`` and ``match``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kfnb.notebook.flow.interpreter.callables import Arguments
from kfnb.notebook.flow.interpreter.calls import OptionalReads, called
from kfnb.notebook.flow.interpreter.expressions import Expressions
from kfnb.notebook.flow.interpreter.name_table import MOST_OBJECTS, NEVER, Changes, joined
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.syntax_trees import all_nodes

_ABSORBING = frozenset(("suppress", "raises", "assertRaises"))
_CATCHES_NAMES = frozenset(("NameError", "Exception", "BaseException", "UnboundLocalError"))
_DEEPEST_LOOP = 3


class Branches(Expressions):
    """Goes through each path, and continues with everything that may hold after any of them."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        self.loops: list[tuple[int, list[Changes]]] = []

    def branch(self, act: Callable[[], None], *, doubt: bool = True) -> Changes | None:
        """Go through a branch and take it back; None: the path ends in it."""
        self.names.fork()
        self.dead = False
        with self.doubtful(doubt):
            act()
        changed = self.names.roll_back()
        dead, self.dead = self.dead, False
        return None if dead else changed

    def merge(self, paths: Iterable[Changes | None]) -> None:
        """Go on where one of the branches was taken."""
        alive = [way for way in paths if way is not None]
        if alive:
            self.names.join(alive, self.unit)
        else:
            self.dead = True

    def if_(self, node: ast.If) -> None:
        """Take one of two branches."""
        self.evaluate(node.test)
        known = truth(node.test)
        # `if __name__ == "__main__":` is common in notebooks that were scripts.
        if known is not None:
            self.execute(node.body if known else node.orelse)
            return
        paths = [
            self.branch(lambda: self.execute(node.body)),
            self.branch(lambda: self.execute(node.orelse)),
        ]
        if self.function is not None and None in paths:
            # After an early return, the rest of the function is not certain.
            self.doubt += 1
        self.merge(paths)

    def for_(self, node: ast.For | ast.AsyncFor) -> None:
        """Turn over what an iterable gives."""
        objects = self.evaluate(node.iter)
        each = self.elements(objects)

        def turn() -> None:
            self.assign_each(node.target, objects, each)
            self.execute(node.body)

        self._loop(node, turn, certain=_has_elements(node.iter))

    def while_(self, node: ast.While) -> None:
        """Turn as long as a condition holds."""
        self.evaluate(node.test)

        def turn() -> None:
            self.execute(node.body)
            if not self.dead:
                self.evaluate(node.test)

        self._loop(node, turn, certain=truth(node.test) is True)

    def _loop(
        self,
        node: ast.For | ast.AsyncFor | ast.While,
        turn: Callable[[], None],
        *,
        certain: bool,
    ) -> None:
        first = self._turn(turn, certain=certain)
        paths = [way for way in first if way is not None]
        if not certain:
            paths.append({})
        if not paths:
            self.dead = True
            return
        self.names.join(paths, self.unit)
        if self.over_budget:
            # The budget is used up, so an assumption that is always safe replaces the second turn.
            self._assume_turns(node)
        elif len(self.loops) < _DEEPEST_LOOP:
            counted, self.counted = self.counted, True
            # The second turn sees what the first one bound, such as an alias of a changed value.
            again = self._turn(turn, certain=False)
            self.counted = counted
            self.names.join([{}, *(way for way in again if way is not None)], self.unit)
        if node.orelse:
            # A break skips the else block.
            self.merge([{}, self.branch(lambda: self.execute(node.orelse))])

    def _assume_turns(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        """Let each name that a loop binds be anything that the loop names, or a part of it."""
        self.exhausted.setdefault(self.cell, -1)
        slots = self.names.slots
        names = [n for n in all_nodes([node]) if isinstance(n, ast.Name)]
        named = [slots[key].objects for n in names if (key := self.key(n.id)) in slots]
        objects = self.heap.parts(NO_OBJECTS.union(*named))
        for key in sorted({self.key(n.id) for n in names if not isinstance(n.ctx, ast.Load)}):
            slot = slots.get(key)
            # What a name may be beyond this is not followed, as with what a value holds.
            if (
                slot is not None
                and len(slot.objects) < MOST_OBJECTS
                and not objects <= slot.objects
            ):
                self.set(key, slot._replace(objects=slot.objects | objects))

    def _turn(self, turn: Callable[[], None], *, certain: bool) -> list[Changes | None]:
        paths: list[Changes] = []
        self.loops.append((self.names.depth, paths))
        end = self.branch(turn, doubt=not certain)
        self.loops.pop()
        return [*paths, end]

    def with_(self, node: ast.With | ast.AsyncWith) -> None:
        """Enter contexts; one that absorbs exceptions makes its body doubtful."""
        absorbing = False
        for item in node.items:
            objects = self.evaluate(item.context_expr)
            absorbing |= called(item.context_expr) in _ABSORBING
            for method in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                for callee in self._matching_methods(objects, method):
                    given = Arguments([objects])
                    made = self.make(item, "entered")
                    objects |= self.apply(callee, given, certain=False, made=made)
            self.use(objects)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, self.heap.parts(objects))
        self.record.effect = True
        if not absorbing:
            self.execute(node.body)
            return
        # The context absorbs exceptions, so a name that is missing in the body does no harm.
        with OptionalReads(self):
            end = self.branch(lambda: self.execute(node.body))
        self.merge([{}, end])

    def try_(self, node: Any) -> None:
        """Try; a handler begins after any part of the body."""
        handled = bool(node.handlers)
        catches = any(_catches_names(h.type) for h in node.handlers)
        body_changes: list[Changes] = []

        def body() -> None:
            self.execute(node.body)
            # Whatever the body did may stand when a handler begins, even where it raised.
            body_changes.append(self.names.since(depth))
            if not self.dead:
                self.execute(node.orelse)

        depth = self.names.depth
        self.optional += catches
        paths = [self.branch(body, doubt=handled)]
        self.optional -= catches
        # The exception may have been raised before or after each of the changes.
        partly = {name: self._perhaps(name, slot) for name, slot in body_changes[0].items()}
        paths += [self.branch(partial(self._handler, h, partly)) for h in node.handlers]
        if all(way is None for way in paths) and node.finalbody:
            self.names.join([{}, partly], self.unit)
            self.execute(node.finalbody)
            self.dead = True
            return
        self.merge(paths)
        if not self.dead:
            self.execute(node.finalbody)

    def _perhaps(self, name: str, slot: Any) -> Any:
        """Return what a name may be after a part of a ``try`` body."""
        before = self.names.slots.get(name) or NEVER
        return joined([before, slot], self.unit) if slot != before else slot

    def _handler(self, handler: ast.ExceptHandler, partly: Changes) -> None:
        self.names.join([partly], self.unit)
        self.evaluate(handler.type)
        if handler.name:
            self.bind(handler.name, self.fresh(handler))
        self.execute(handler.body)
        if handler.name and not self.dead:
            # Python deletes the name at the end of the handler.
            self.unbind(handler.name)

    def match_(self, node: ast.Match) -> None:
        """Take one of the cases."""
        subject = self.evaluate(node.subject)
        paths: list[Changes | None] = []
        complete = False
        for case in node.cases:
            paths.append(self.branch(partial(self._case, case, subject)))
            complete |= case.guard is None and _irrefutable(case.pattern)
        if not complete:
            paths.append({})
        self.merge(paths)

    def _case(self, case: ast.match_case, subject: Objects) -> None:
        for pattern in ast.walk(case.pattern):
            if isinstance(pattern, ast.MatchValue):
                self.evaluate(pattern.value)
            elif isinstance(pattern, ast.MatchClass):
                self.evaluate(pattern.cls)
        parts = self.heap.parts(subject)
        for pattern in ast.walk(case.pattern):
            if isinstance(pattern, (ast.MatchAs, ast.MatchStar)) and pattern.name:
                self.bind(pattern.name, subject | parts)
            elif isinstance(pattern, ast.MatchMapping) and pattern.rest:
                self.bind(pattern.rest, self.fresh(pattern, parts))
        self.evaluate(case.guard)
        self.execute(case.body)


def truth(test: ast.expr) -> bool | None:
    """Return the value of a condition that is constant, or the same in every notebook."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
    ):
        return test.comparators[0].value == "__main__"
    return None


def _has_elements(node: ast.expr) -> bool:
    """Whether a loop over it certainly turns."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return bool(node.elts) and not all(isinstance(e, ast.Starred) for e in node.elts)
    if isinstance(node, ast.Dict):
        return bool(node.keys) and None not in node.keys
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes)) and bool(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id == "range" and len(node.args) == 1:
            stop = node.args[0]
            return isinstance(stop, ast.Constant) and isinstance(stop.value, int) and stop.value > 0
        if node.func.id == "enumerate" and len(node.args) == 1:
            return _has_elements(node.args[0])
    return False


def _catches_names(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(called(k) in _CATCHES_NAMES for k in kinds)


def _irrefutable(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and (
        pattern.pattern is None or _irrefutable(pattern.pattern)
    )
