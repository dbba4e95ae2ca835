"""What must flow: from the last step back to the first, who needs what from whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.notebook.flow.interpreter.name_table import Slot
from kfnb.notebook.flow.interpreter.tables.library_tables import KNOWN_NAMES
from kfnb.notebook.flow.step_facts import Facts, WalkResult


@dataclass(slots=True)
class Need:
    """What flows into and out of one step.

    ``static`` names come from setup and definitions; of those in ``together`` some
    later step relies on that they share objects.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    static: set[str] = field(default_factory=set)
    together: set[str] = field(default_factory=set)


def step_needs(walked: WalkResult, order: Sequence[str]) -> dict[str, Need]:
    """Work out inputs and outputs of every step."""
    needs = {name: Need() for name in order}
    position = {name: n for n, name in enumerate(order)}
    changed: set[str] = set()
    # Backwards, because a step's outputs are what later steps need.
    for name in reversed(order):
        facts, need = walked.facts.get(name), needs[name]
        if facts is None:
            continue
        _read(facts, need, walked, order[: position[name]])
        _keep(facts, need, walked)
        changed |= facts.changed
        _together(facts, needs, walked, position=position, changed=changed)
        for each, source in need.inputs.items():
            needs[source].outputs.add(each)
    return needs


def _read(facts: Facts, need: Need, walked: WalkResult, before: Sequence[str]) -> None:
    for name, use in facts.reads.items():
        slot = facts.start.get(name)
        if slot is not None:
            _take(name, slot, need, walked)
        elif not use.optional and name not in KNOWN_NAMES and not walked.stars:
            # Code that cannot be read may have bound it, in the last step that runs some.
            hidden = [s for s in before if (f := walked.facts.get(s)) and f.opaque is not None]
            if hidden and all(step is not None for step, _, _ in walked.opaque):
                need.inputs[name] = hidden[-1]


def _keep(facts: Facts, need: Need, walked: WalkResult) -> None:
    """Add what the step may leave as it was, or only hands on."""
    for name in sorted(need.outputs):
        slot = facts.touched.get(name)
        if slot is not None and slot.unit == facts.unit:
            continue
        if name not in need.inputs:
            _take(name, facts.start.get(name), need, walked)
            if name in need.inputs:
                need.maybe.add(name)


def _take(name: str, slot: Slot | None, need: Need, walked: WalkResult) -> None:
    if slot is None:
        return
    owner = walked.owners.get(slot.by)
    if owner is not None and slot.definition is None:
        need.inputs[name] = owner
    else:
        need.static.add(name)


def _together(
    facts: Facts,
    needs: Mapping[str, Need],
    walked: WalkResult,
    *,
    position: Mapping[str, int],
    changed: set[str],
) -> None:
    """Take names that share an object from one step, so that they share it here too.

    Only where something changes them from here on, or asks whether they are one:
    otherwise nothing depends on it, and the step between need not save what it only hands on.
    """
    need = needs[facts.name]
    static = {n for n in need.static if n in facts.start and facts.start[n].definition is None}
    if not need.inputs or len(need.inputs) + len(static) < 2:
        return
    heap = walked.interpreter.heap
    reachable = {
        name: heap.plain(heap.reachable_before(facts.start[name].objects, facts.clock))
        for name in sorted({*need.inputs, *static})
        if name in facts.start
    }
    holders: dict[int, list[str]] = {}
    for name, objects in reachable.items():
        for number in objects:
            holders.setdefault(number, []).append(name)
    groups = [
        names
        for names in holders.values()
        if len(names) > 1 and (facts.identity or not set(names).isdisjoint(changed | need.together))
    ]
    settled = False
    # Moving one group to another step may move the source of the next group.
    while not settled:
        settled = True
        for names in groups:
            sources = [need.inputs[n] for n in names if n in need.inputs]
            if not sources:
                continue
            latest = max(sources, key=position.__getitem__)
            source = walked.facts[latest]
            for name in names:
                # Setup that stands after that step makes its own.
                there = source.touched.get(name) or source.start.get(name)
                if need.inputs.get(name) != latest and there == facts.start[name]:
                    need.inputs[name] = latest
                    need.static.discard(name)
                    settled = False
            needs[latest].together.update(n for n in names if need.inputs.get(n) == latest)
