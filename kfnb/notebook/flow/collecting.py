"""Find steps that only add to a value, so that none of them waits for another.

A step that adds works without the value, so the source must show that a display made the value
(``{}``, ``[]``, ``0``), that nothing else holds it, and that the step mentions it only to add to it
(:mod:`kfnb.notebook.flow.mentions`), as do all functions that the notebook has up to then. The run
refuses what the source does not show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.notebook.authoring.grouping import StepDecl
from kfnb.notebook.flow.interpreter.name_table import BOUND
from kfnb.notebook.flow.liveness import Need
from kfnb.notebook.flow.mentions import Mention, Words, empty, kind_of_display, mention
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.flow.step_facts import Facts, WalkResult
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Addition, Collection

_FORMS = {
    ("dict", "item"): "items",
    ("dict", "update"): "items",
    ("dict", "grow"): "grow",
    ("list", "append"): "list",
    ("list", "extend"): "list",
    ("list", "iadd"): "list",
    ("set", "add"): "set",
    ("set", "update"): "set",
    ("sum", "iadd"): "sum",
}


@dataclass(slots=True)
class Collected:
    """By step, the names that it only adds to and those that it gets with additions."""

    adds: dict[str, dict[str, Addition]] = field(default_factory=dict)
    collects: dict[str, dict[str, Collection]] = field(default_factory=dict)


def collect(
    walked: WalkResult,
    needs: Mapping[str, Need],
    *,
    steps: Sequence[StepDecl],
    visits: Sequence[CellVisit],
    sources: Mapping[int, ParsedCell],
    on_exit: str | None,
) -> Collected:
    """Find out who only adds to what, and change ``needs`` accordingly."""
    collected = Collected()
    tagged = {(s.name, name) for s in steps for name in s.changes}
    users: dict[str, list[str]] = {}
    for step, facts in walked.facts.items():
        for name in sorted(facts.touched.keys() & facts.reads.keys() & facts.start.keys()):
            if step != on_exit and (step, name) not in tagged:
                users.setdefault(name, []).append(step)
    for name, among in users.items():
        if len(among) > 1 and (uses := _Uses.of(name, visits, sources)) is not None:
            forms = {
                step: form
                for step in among
                if (
                    form := _form(
                        name,
                        uses.by_step.get(step),
                        walked.facts[step],
                        need=needs[step],
                        walked=walked,
                        sources=sources,
                    )
                )
            }
            # A single step that adds gains nothing from working without the value.
            if len(forms) > 1:
                _separate(name, forms, needs, walked, collected)
    return collected


@dataclass(slots=True)
class _StepUse:
    """How a step uses a value, and what the value was when it began.

    ``added_by`` are the functions that add to it, ``in_functions`` how; ``hidden``: some function
    up to the step's end does more.
    """

    kind: str | None
    fresh: bool
    mentions: dict[tuple[int, int], Mention] = field(default_factory=dict)
    added_by: frozenset[str] = frozenset()
    in_functions: frozenset[str] = frozenset()
    hidden: bool = False


class _Uses:
    """All mentions of one name, in the order in which the cells are gone through."""

    def __init__(self) -> None:
        self.by_step: dict[str, _StepUse] = {}
        self._kind: str | None = None
        self._fresh = False  # Only grown since a display made it empty.
        self._added_by: set[str] = set()
        self._in_functions: set[str] = set()
        self._hidden = False

    @classmethod
    def of(
        cls, name: str, visits: Sequence[CellVisit], sources: Mapping[int, ParsedCell]
    ) -> _Uses | None:
        """Go through the cells; None if one of them cannot be gone through."""
        uses = cls()
        for number, visit in enumerate(visits):
            if uses._hidden:
                # No later step only adds to the value, whatever else it does.
                uses._hide_from({later.step for later in visits[number:]})
                break
            source = sources[visit.cell]
            if name not in source.code:
                if visit.step is not None:
                    uses._step(visit.step)
                continue
            if source.deep:
                return None
            for index, (mentioned, display, is_empty) in enumerate(_mentions(source, name)):
                uses._statement(visit, index, mentioned, display)
                if uses._fresh and display:
                    uses._fresh = is_empty
        return uses

    def _hide_from(self, steps: set[str | None]) -> None:
        for step in self.by_step.keys() & steps:
            self.by_step[step].hidden = True

    def _step(self, step: str) -> _StepUse:
        use = self.by_step.get(step)
        if use is None:
            use = self.by_step[step] = _StepUse(self._kind, self._fresh)
        use.added_by, use.in_functions = frozenset(self._added_by), frozenset(self._in_functions)
        use.hidden = self._hidden
        return use

    def _statement(
        self, visit: CellVisit, index: int, mentioned: Mention, display: str | None
    ) -> None:
        if visit.step is not None:
            self._step(visit.step)
        if display is not None:
            self._kind, self._fresh = display, True
        elif mentioned.binds:
            self._kind, self._fresh = None, False
        elif mentioned.other or mentioned.adds - {"grow"}:
            self._fresh = False
        self._added_by |= mentioned.functions
        self._in_functions |= mentioned.function_adds
        self._hidden = self._hidden or mentioned.function_other
        if visit.step is not None:
            self._step(visit.step).mentions[visit.cell, index] = mentioned


def _mentions(source: ParsedCell, name: str) -> list[tuple[Mention, str | None, bool]]:
    """Return for each statement how it mentions a name, and what display it binds it to."""
    key = "mentions", name
    if key not in source.derived:
        source.derived[key] = [
            (mention(node, name, words), kind_of_display(node, name), empty(node))
            for node, words in zip(source.body, _words(source), strict=True)
        ]
    mentions: list[tuple[Mention, str | None, bool]] = source.derived[key]
    return mentions


def _words(source: ParsedCell) -> list[Words]:
    """Return the words of each statement, remembered with the cell's text."""
    if "words" not in source.derived:
        source.derived["words"] = [Words.of(node) for node in source.body]
    words: list[Words] = source.derived["words"]
    return words


def _form(
    name: str,
    use: _StepUse | None,
    facts: Facts,
    *,
    need: Need,
    walked: WalkResult,
    sources: Mapping[int, ParsedCell],
) -> str | None:
    """Return the one form in which a step adds to a value; None if it may do anything else."""
    slot = facts.start[name]
    if use is None or use.kind is None or use.hidden or name in need.together:
        return None
    if facts.opaque is not None or any(step is None for step, _, _ in walked.opaque):
        return None
    if slot.definition is not None or slot.status != BOUND or name in facts.metrics:
        return None
    # The walk did not follow these cells, so they may do anything.
    if facts.cells.intersection(walked.exhausted):
        return None
    if any(mentioned.other or mentioned.binds for mentioned in use.mentions.values()):
        return None
    written: set[str] = set()
    for cell, index, names in facts.statements:
        if name not in names:
            continue
        # It is not known which statement uses the name.
        if index < 0:
            return None
        # A cell without the name may call a function that has it.
        mentioned = use.mentions.get((cell, index)) or mention(
            sources[cell].body[index], name, _words(sources[cell])[index]
        )
        # IPython, or code in a string, may use the name.
        if mentioned.magic or mentioned.text:
            return None
        if not mentioned.adds and mentioned.names.isdisjoint(use.added_by):
            return None
        written |= mentioned.adds or use.in_functions
    forms = {_FORMS.get((use.kind, each)) for each in written}
    form = forms.pop() if len(forms) == 1 else None
    if form is None or (form == "grow" and not use.fresh):
        return None
    return None if form != "sum" and _is_held(name, facts, walked) else form


def _is_held(name: str, facts: Facts, walked: WalkResult) -> bool:
    """Whether another name is, or holds, the value when the step begins."""
    heap = walked.interpreter.heap
    objects = facts.start[name].objects
    return not objects or any(
        not objects.isdisjoint(heap.reachable(slot.objects))
        for other, slot in facts.start.items()
        if other != name
    )


@dataclass(frozen=True, slots=True)
class _Version:
    """A value as a base, and how many of the steps that add to that base have done so."""

    base: str | None
    count: int


def _separate(
    name: str,
    forms: Mapping[str, str],
    needs: Mapping[str, Need],
    walked: WalkResult,
    collected: Collected,
) -> None:
    """Bind the steps that add to the base, and the readers to the base and all additions."""
    given: dict[str, _Version] = {}
    chains: dict[str | None, list[str]] = {}
    for step, need in needs.items():
        if name not in need.inputs and name not in need.static:
            continue
        producer = need.inputs.get(name)
        before = given.get(producer) if producer is not None and producer in forms else None
        given[step] = (
            _Version(producer, 0) if before is None else _Version(before.base, before.count + 1)
        )
        if step in forms:
            chains.setdefault(given[step].base, []).append(step)
    # Additions of two forms to one value, such as items and lists that grow, may depend on one
    # another.
    apart = {
        base
        for base, chain in chains.items()
        if len(chain) > 1 and len({forms[step] for step in chain}) == 1
    }
    later: dict[str | None, tuple[bool, bool]] = {}
    wanted: dict[str | None, int] = {}
    for step in reversed([*given]):
        version, need = given[step], needs[step]
        if version.base not in apart:
            continue
        read, changed = later.get(version.base, (False, False))
        if step in forms:
            need.maybe.discard(name)
            _take_base(name, need, version.base, needs)
            addition = Addition(forms[step], version.base)
            collected.adds.setdefault(step, {})[name] = addition
        elif version.count:
            wanted[version.base] = max(version.count, wanted.get(version.base, 0))
            adders = tuple(chains[version.base][: version.count])
            collected.collects.setdefault(step, {})[name] = Collection(
                version.base, adders, read_later=read, changed_later=changed
            )
            if version.base is None:
                need.static.add(name)
            else:
                needs[version.base].outputs.add(name)
        touched = step in forms or name in walked.facts[step].touched
        later[version.base] = True, changed or touched
    for base in apart:
        for number, step in enumerate(chains[base]):
            needs[step].outputs.discard(name)
            if number < wanted.get(base, 0):
                needs[step].outputs.add(name)


def _take_base(name: str, need: Need, base: str | None, needs: Mapping[str, Need]) -> None:
    if base is None:
        need.inputs.pop(name, None)
        need.static.add(name)
    else:
        need.inputs[name] = base
        needs[base].outputs.add(name)
