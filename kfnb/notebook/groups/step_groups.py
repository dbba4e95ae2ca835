"""Find the groups that are known when the notebook is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kfnb.notebook.diagnostics import make
from kfnb.notebook.effects.statement_effects import imported_modules
from kfnb.notebook.groups.unsaveable import generator_functions, owns_more, unsaveable_names
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Diagnostic, Edge, Step, StepGroup


def step_groups(
    steps: Sequence[Step],
    edges: Iterable[Edge],
    sources: Mapping[int, ParsedCell],
    *,
    setup: Iterable[int],
    on_exit: str | None,
) -> tuple[StepGroup, ...]:
    """Return the groups of steps between which a value flows that is known not to be saved.

    A value of such a kind that setup makes counts too, if several steps use it. Every step on a
    path between members is a member, and groups that share a step are one.
    """
    steps = [step for step in steps if step.name != on_exit]
    modules = imported_modules(sources.values())
    generators = generator_functions(sources.values())
    kinds = {cell: unsaveable_names(s, modules, generators) for cell, s in sources.items()}
    seeds: list[tuple[set[str], str, str, bool]] = []
    for step in steps:
        made = {name: what for cell in step.cells for name, what in kinds.get(cell, {}).items()}
        for name, what in made.items():
            users = _users(steps, step.name, name) if name in step.outputs else set()
            if owns_more(what):
                # A path of it, for example, is of no use when it has ended.
                users |= {s.name for s in steps if step.name in s.sources.values()}
            if users:
                why = f"{name} is {what}, which cannot be saved"
                seeds.append(({step.name, *users}, name, why, True))
    for name, what in {n: w for cell in setup for n, w in kinds.get(cell, {}).items()}.items():
        users = {s.name for s in steps if name in s.setup_values or name in s.inputs}
        if len(users) > 1 and not what.startswith("what threading."):
            why = f"setup makes {name}, {what}, which cannot be saved"
            seeds.append((users, name, why, False))
    order = [step.name for step in steps]
    groups: list[StepGroup] = []
    edges = tuple(edges)
    after = _Reachable((edge.source, edge.target) for edge in edges)
    before = _Reachable((edge.target, edge.source) for edge in edges)
    for members, name, why, flows in seeds:
        names, reasons = ({name} if flows else set()), [why]
        while True:
            between = {
                step
                for step in order
                if step not in members
                and any(step in after.of(m) for m in members)
                and any(step in before.of(m) for m in members)
            }
            joined = [g for g in groups if not members.isdisjoint(g.steps)]
            groups = [g for g in groups if g not in joined]
            for group in joined:
                members |= {*group.steps}
                names |= {*group.names}
                reasons.insert(0, group.why)
            if not between and not joined:
                break
            members |= between
        text = "; ".join(dict.fromkeys(reasons))
        groups.append(
            StepGroup(tuple(s for s in order if s in members), tuple(sorted(names)), text)
        )
    return tuple(sorted(groups, key=lambda group: order.index(group.steps[0])))


def group_diagnostics(
    groups: Iterable[StepGroup], steps: Mapping[str, Step]
) -> Iterator[Diagnostic]:
    """Say which steps share a kernel, and which cannot because of their options."""
    for group in groups:
        listed = ", ".join(f'"{name}"' for name in group.steps)
        first = steps[group.steps[0]]
        cell = min(first.cells, default=None)
        others = [
            name
            for name in group.steps
            if (steps[name].options.env, steps[name].options.image)
            != (first.options.env, first.options.image)
        ]
        if others:
            yield make(
                "KFNB-E410",
                f'steps "{first.name}" and "{others[0]}" have to share a kernel ({group.why}), '
                "but have different options env: or image:",
                "Give both the same ones, or make the value in the step that uses it.",
                step=first.name,
                cell=cell,
            )
        yield make(
            "KFNB-H117",
            f"steps {listed} execute one after another in one kernel: {group.why}",
            "To execute them side by side, make the value in each step that uses it.",
            step=first.name,
            cell=cell,
        )


def _users(steps: Sequence[Step], producer: str, name: str) -> set[str]:
    """Return the steps that use a value under its name, through those that change it."""
    users, producers = set(), {producer}
    for step in steps:
        if step.name != producer and step.sources.get(name) in producers:
            users.add(step.name)
            producers.add(step.name)
    return users


class _Reachable:
    """The steps that can be reached from one by edges, each computed once."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._next: dict[str, list[str]] = {}
        for source, target in pairs:
            self._next.setdefault(source, []).append(target)
        self._known: dict[str, frozenset[str]] = {}

    def of(self, step: str) -> frozenset[str]:
        """Return the steps that can be reached from a step."""
        if step not in self._known:
            seen, ways = set[str](), [step]
            while ways:
                for other in self._next.get(ways.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        ways.append(other)
            self._known[step] = frozenset(seen)
        return self._known[step]
