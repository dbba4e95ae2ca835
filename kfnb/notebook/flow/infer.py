"""From declared steps to a pipeline: what flows between them, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from kfnb.notebook.authoring.grouping import Declared, StepDecl
from kfnb.notebook.authoring.magic import extension_not_loaded
from kfnb.notebook.diagnostics import located
from kfnb.notebook.effects.library_state import LibraryState, library_state
from kfnb.notebook.effects.statement_effects import Effects, statement_effects
from kfnb.notebook.effects.step_facts import StepCells
from kfnb.notebook.flow import diagnostics
from kfnb.notebook.flow.assembly import Assembly, with_state
from kfnb.notebook.flow.collecting import collect
from kfnb.notebook.flow.liveness import step_needs
from kfnb.notebook.flow.memory.notebook_walk import walk
from kfnb.notebook.flow.memory.walk_memory import NotebookMemory, memories
from kfnb.notebook.flow.metrics import plain_metrics
from kfnb.notebook.flow.order import (
    CellVisit,
    joined_sequence,
    linear_sequence,
    metrics_homes,
    ordered,
)
from kfnb.notebook.flow.parameters import parameters
from kfnb.notebook.flow.step_facts import WalkResult
from kfnb.notebook.flow.undefined_names import UndefinedNames
from kfnb.notebook.groups.step_groups import group_diagnostics, step_groups
from kfnb.notebook.parsed_cell import (
    ParsedCell,
    keeping_trees,
    parse_cells,
    with_deep_tree,
)
from kfnb.pipeline import Diagnostic, Pipeline

_MOST_WALKS = 4
_MOST_CHARACTERS = 1_500_000
"""Of larger notebooks nothing is remembered, so that memory is bounded."""


def infer(declared: Declared) -> Pipeline:
    """Work out what flows between the steps of a notebook.

    Never raises for what stands in a cell: that is among the diagnostics.
    """
    notebook = hash(declared.document.path or declared.document.name)
    memory = memories.take(notebook)
    with keeping_trees():
        try:
            pipeline = _infer(declared, memory)
        # Only deeply nested code needs a larger stack, and a thread for it costs time.
        except RecursionError:
            return with_deep_tree(lambda: _infer(declared, NotebookMemory()))
    if sum(len(cell.source) for cell in declared.document.cells) <= _MOST_CHARACTERS:
        memories.keep(notebook, memory)
    return pipeline


def _infer(declared: Declared, memory: NotebookMemory) -> Pipeline:
    cells = declared.document.cells
    python = declared.document.language == "python"
    sources = parse_cells(cells, python=python)
    steps = ordered(declared.steps, declared.on_exit)
    homes = metrics_homes(declared, steps)
    plain = {cell: names for cell in homes if (names := plain_metrics(sources[cell])) is not None}

    effects = statement_effects(sources)
    demoted: set[tuple[int, int]] = set()
    early: dict[int, tuple[str, str]] = {}

    memory.begin(sources)

    def through(visits: Sequence[CellVisit], key: object) -> WalkResult:
        return walk(
            visits,
            sources,
            setup_lines=declared.setup_lines,
            changes={step.name: step.changes for step in declared.steps},
            plain_metrics=plain,
            demoted=demoted,
            effects=effects,
            memory=memory,
            key=key,
        )

    # What one walk finds changes the order or the roles of statements, so the next walk sees more.
    for number in range(_MOST_WALKS):
        visits = joined_sequence(declared, steps, homes=homes, early=early)
        walked = through(visits, number)
        more = _too_late(walked, early, declared)
        touched = walked.changed_objects
        shared = {at for at, held in walked.sharing.items() if not held.isdisjoint(touched)}
        if not more and not shared:
            break
        early.update(more)
        demoted |= shared

    problems: list[Diagnostic] = list(declared.diagnostics)
    problems += extension_not_loaded(cells)
    owner = {c: s.name for s in steps for c in s.cells}
    used = {p.cell for p in visits}
    problems += diagnostics.syntax_errors({c: s for c, s in sources.items() if c in used}, owner)
    problems += diagnostics.returns(walked, owner)
    hidden: set[tuple[int, str]] = set()
    linear = linear_sequence(declared, steps, homes=homes)
    # Cells of different steps interleave, so joining those of each step may change what a cell
    # sees.
    if [p.cell for p in linear] != [p.cell for p in visits]:
        hidden, differing = diagnostics.interleaving(
            walked,
            through(linear, "linear"),
            visits=visits,
            early=early,
            on_exit=declared.on_exit,
            cells=cells,
        )
        problems += differing
    broken = any(s.error is not None for c, s in sources.items() if c in used)
    undefined = UndefinedNames(walked, declared, sources, broken=broken)
    problems += undefined.diagnostics(hidden=hidden)
    problems += diagnostics.setup_reads(walked, {s.name: min(s.cells, default=0) for s in steps})
    problems += diagnostics.early_setup(early)
    problems += diagnostics.changes_nothing(walked, steps)
    problems += diagnostics.opaque(walked)

    needs = step_needs(walked, [s.name for s in steps])
    collected = collect(
        walked, needs, steps=steps, visits=visits, sources=sources, on_exit=declared.on_exit
    )
    problems += diagnostics.not_followed(walked)
    problems += diagnostics.waits_for_a_copy(walked, needs)
    problems += diagnostics.kale(needs, walked, steps)
    pipeline_parameters = parameters(sources[c] for c in declared.parameters)
    made, edges, definitions, incomplete = Assembly(
        walked=walked,
        needs=needs,
        collected=collected,
        order=steps,
        sources=sources,
        declared=declared,
        homes=homes,
        plain=plain,
        parameters=pipeline_parameters,
        memory=memory,
    ).pipeline_parts()
    problems += diagnostics.files_not_followed(incomplete)
    problems += diagnostics.whole_environment(steps, sources)
    state = _library_state(declared, steps, sources, effects)
    edges = with_state(edges, state.flows, [s.name for s in steps])
    problems += state.diagnostics
    groups = step_groups(
        tuple(made.values()), edges, sources, setup=declared.setup, on_exit=declared.on_exit
    )
    problems += group_diagnostics(groups, made)
    return Pipeline(
        name=declared.name,
        description=declared.description,
        kernel=declared.document.kernel,
        language=declared.document.language,
        cells=cells,
        parameters=pipeline_parameters,
        steps=MappingProxyType(made),
        edges=edges,
        diagnostics=_sorted(list(located(problems, cells))),
        definitions=definitions,
        defaults=declared.defaults,
        volumes=declared.volumes,
        targets=declared.targets,
        on_exit=declared.on_exit,
        path=declared.document.path,
        groups=groups,
    )


def _too_late(
    walked: WalkResult, early: Mapping[int, object], declared: Declared
) -> dict[int, tuple[str, str]]:
    """Find setup cells that bind what a step before them needs."""
    static = {*declared.setup, *declared.parameters}
    makers: dict[str, int] = {}
    for act in walked.acts:
        if act.cell in static and act.cell not in early:
            for name in act.makes:
                makers.setdefault(name, act.cell)
    return {
        makers[name]: (unknown.step, name)
        for unknown in reversed(walked.unknown)
        if unknown.step is not None
        and (name := unknown.missing.name) in makers
        and makers[name] > unknown.cell
        # A step that binds the name itself uses it too early by mistake; setup cannot help.
        and name not in walked.facts[unknown.step].touched
    }


def _library_state(
    declared: Declared,
    steps: Sequence[StepDecl],
    sources: Mapping[int, ParsedCell],
    effects: Effects,
) -> LibraryState:
    static = sorted({*declared.setup, *declared.parameters})
    return library_state(
        [StepCells(s.name, [(c, sources[c].code) for c in s.cells]) for s in steps],
        [(c, sources[c].code) for c in static],
        everywhere=effects.lines(sources),
        execution_counts={cell.index: cell.execution_count for cell in declared.document.cells},
    )


def _sorted(problems: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Errors first, then in the order of cells; nothing twice."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda d: (
                d.severity != "error",
                d.cell if d.cell is not None else -1,
                d.line or 0,
                d.code,
            ),
        )
    )
