"""Which static acts a step reaches, and the pieces that replay them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from kfnb.notebook.flow.step_facts import Act
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Piece, Role


class NeededActs(NamedTuple):
    """Acts that count for a step's result, and all that are executed so that none fails."""

    acts: tuple[int, ...]
    cells: tuple[int, ...]
    executed: tuple[int, ...]


class ActsContent(NamedTuple):
    """Names that acts define, parameters and modules on which they depend."""

    defined: frozenset[str]
    parameters: frozenset[str]
    modules: frozenset[str]


class Replay:
    """Follows names back through the acts that make them."""

    def __init__(
        self, acts: Sequence[Act], sources: Mapping[int, ParsedCell], whole: Collection[int]
    ):
        self.acts = acts
        self._sources = sources
        self._whole = frozenset(whole)
        self._makers: dict[str, list[int]] = {}
        self._of_cell: dict[int, list[int]] = {}
        self._always: list[int] = []
        self._with_cell: dict[int, set[int]] = {}
        self._needed: dict[tuple[frozenset[str], int, bool], NeededActs] = {}
        self._content: dict[NeededActs, ActsContent] = {}
        self._pieces: dict[NeededActs, tuple[Piece, ...]] = {}
        for number, act in enumerate(acts):
            for name in act.makes:
                self._makers.setdefault(name, []).append(number)
            self._of_cell.setdefault(act.cell, []).append(number)
            if act.always:
                self._always.append(number)

    def needed_for(self, names: Iterable[str], before: int, *, always: bool = True) -> NeededActs:
        """Follow ``names`` back from act ``before``; with ``always``, also what has an effect."""
        # Many steps need the same.
        key = frozenset(names), before, always
        needed = self._needed.get(key)
        if needed is None:
            needed = self._needed[key] = self._needed_for(*key)
        return needed

    def _needed_for(self, names: Iterable[str], before: int, always: bool) -> NeededActs:
        counted: set[int] = set()
        self._follow([(name, before) for name in names], counted)
        if always:
            for number in self._always[: bisect_left(self._always, before)]:
                if number not in counted:
                    counted.add(number)
                    self._follow([(n, number) for n in self.acts[number].reads], counted)
        executed, cells = self._executed(counted)
        return NeededActs(tuple(sorted(counted)), tuple(sorted(cells)), tuple(sorted(executed)))

    def needed_for_act(self, number: int, late: Iterable[str], before: int) -> NeededActs:
        """Follow one act's names back, and those that it needs ``late``, from act ``before``."""
        counted = {number}
        self._follow([(n, number) for n in self.acts[number].reads], counted)
        self._follow([(n, before) for n in late if n not in self.acts[number].defines], counted)
        executed, cells = self._executed(counted)
        return NeededActs(tuple(sorted(counted)), tuple(sorted(cells)), tuple(sorted(executed)))

    def _follow(self, waiting: list[tuple[str, int]], acts: set[int]) -> None:
        seen = set(waiting)
        while waiting:
            name, before = waiting.pop()
            makers = self._makers.get(name, ())
            # Backwards from the place of use: the nearest statement that certainly binds the name
            # ends the search.
            for at in range(bisect_left(makers, before) - 1, -1, -1):
                number = makers[at]
                act = self.acts[number]
                if number not in acts:
                    acts.add(number)
                    for each in act.reads:
                        if (each, number) not in seen:
                            seen.add((each, number))
                            waiting.append((each, number))
                if name in act.must:
                    break

    def _executed(self, counted: Collection[int]) -> tuple[set[int], set[int]]:
        """Close over whole cells: all that they execute must find its names."""
        executed = set(counted)
        cells: set[int] = set()
        while True:
            new = {self.acts[n].cell for n in executed} - cells
            if not new:
                return executed, cells
            cells |= new
            # Setup cells are executed completely, so statements that nobody needs must find their
            # names too.
            for cell in new & self._whole:
                executed |= self._executed_with(cell)

    def _executed_with(self, cell: int) -> set[int]:
        """Give the acts of a whole cell, and those that they need."""
        acts = self._with_cell.get(cell)
        if acts is None:
            acts = self._with_cell[cell] = set(self._of_cell[cell])
            for number in self._of_cell[cell]:
                self._follow([(n, number) for n in self.acts[number].reads], acts)
        return acts

    def pieces(self, needed: NeededActs, *, without: Collection[int] = ()) -> tuple[Piece, ...]:
        """Make the pieces that execute what was needed, in notebook order."""
        pieces = self._pieces.get(needed)
        if pieces is None:
            pieces = self._pieces[needed] = self._made_pieces(needed)
        # A step executes its own cells itself.
        return tuple(p for p in pieces if p.cell not in without) if without else pieces

    def _made_pieces(self, needed: NeededActs) -> tuple[Piece, ...]:
        counted = set(needed.acts)
        by_cell: dict[int, list[int]] = {}
        for number in needed.executed:
            by_cell.setdefault(self.acts[number].cell, []).append(number)
        pieces = []
        for cell in sorted(by_cell):
            whole = cell in self._whole
            # The cache key has only statements that the result depends on; a whole cell executes
            # more.
            numbers = [n for n in by_cell[cell] if n in counted or not whole]
            indices = sorted({self.acts[n].index for n in numbers})
            source = self._sources[cell]
            pieces.append(
                Piece(
                    cell=cell,
                    role=self._role(by_cell[cell]),
                    whole=whole,
                    statements=tuple(source.statement(i) for i in indices),
                )
            )
        return tuple(pieces)

    def _role(self, numbers: Sequence[int]) -> Role:
        roles = {self.acts[n].role for n in numbers}
        return "definitions" if "definitions" in roles else self.acts[numbers[0]].role

    def content(self, needed: NeededActs) -> ActsContent:
        """Sum up what was needed."""
        content = self._content.get(needed)
        if content is None:
            acts = [self.acts[n] for n in needed.acts]
            content = self._content[needed] = ActsContent(
                defined=frozenset(n for i in needed.executed for n in self.acts[i].defines),
                parameters=frozenset(n for a in acts if a.role == "parameters" for n in a.makes),
                modules=frozenset(module for act in acts for module in act.modules),
            )
        return content
