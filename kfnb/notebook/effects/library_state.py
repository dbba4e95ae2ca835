"""State of libraries that one step sets and another relies on: a dependency between the two.

The state of random generators, environment variables, the working directory, the module path and
libraries' global options belongs to a process, and each step is a separate process. A step that has
changed such a state publishes it (:mod:`kfnb.step.library_state`), and later steps begin with it.
What the source shows of this makes the later step wait; what it does not show, the run finds out.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from kfnb.notebook.diagnostics import make
from kfnb.notebook.effects.call_facts import Fact
from kfnb.notebook.effects.constants import imported
from kfnb.notebook.effects.files import file_uses
from kfnb.notebook.effects.library_calls import CARRIED_OPTIONS, PLOTTING, USED_EVERYWHERE
from kfnb.notebook.effects.library_state_facts import facts
from kfnb.notebook.effects.notebook_names import know, parsed
from kfnb.notebook.effects.separate_processes import history, memos, setup_that_differs
from kfnb.notebook.effects.step_facts import Code, StepCells, StepFacts, listed_steps, where
from kfnb.pipeline import Diagnostic


@dataclass(frozen=True, slots=True)
class StateFlow:
    """A state that flows from one step to a later one: which it is, and where it is set."""

    source: str
    target: str
    state: str


@dataclass(frozen=True, slots=True)
class LibraryState:
    """What reading shows about the state of libraries."""

    flows: tuple[StateFlow, ...]
    diagnostics: tuple[Diagnostic, ...]


def library_state(
    steps: Sequence[StepCells],
    setup: Sequence[Code],
    *,
    everywhere: Collection[tuple[int, int]] = (),
    execution_counts: Mapping[int, int | None] = MappingProxyType({}),
) -> LibraryState:
    """Find state of the process that is set in one step and relied on in another.

    Parameters
    ----------
    steps
        All steps, in pipeline order.
    setup
        Setup and parameter cells, in notebook order: they run in every step.
    everywhere
        Cells and lines whose effects later steps have too, because they execute them as well.
    execution_counts
        What Jupyter shows beside each cell, by the cell's index.

    Returns
    -------
    LibraryState
        The dependencies, and diagnostics about what cannot flow.
    """
    known = know([code for _, code in setup] + [code for s in steps for _, code in s.cells])

    def facts_of(index: int, code: str) -> Iterator[Fact]:
        count = execution_counts.get(index)
        for fact in facts(index, code, known):
            yield fact if count is None else replace(fact, execution_count=count)

    shared = [fact for index, code in setup for fact in facts_of(index, code)]
    steps_facts = [
        StepFacts(
            s.name,
            tuple(
                replace(f, kind="everywhere")
                # A seed is not one of these: executing it again would restart the generator in each
                # step.
                if f.kind == "set" and f.area != "random" and (f.cell, f.line) in everywhere
                else f
                for i, code in s.cells
                for f in facts_of(i, code)
            ),
            s.cells,
        )
        for s in steps
    ]
    flows = list(_random(steps_facts, shared))
    problems: list[Diagnostic] = [*setup_that_differs(steps_facts, setup, shared, known)]
    for position, step in enumerate(steps_facts):
        later = steps_facts[position + 1 :]
        flows += _environment(step, later)
        flows += _folder(step, later)
        flows += _path(step, later)
        flows += _options(step, later)
        problems += _modules(step, later)
        problems += _options_that_stay(step, later)
    problems += history(steps_facts)
    problems += memos(steps_facts)
    return LibraryState(tuple(dict.fromkeys(flows)), tuple(problems))


_GENERATORS = {
    "random": "Python's random generator",
    "numpy": "NumPy's random generator",
    "torch": "PyTorch's random generator",
    "tensorflow": "TensorFlow's random generator",
}


def _random(steps_facts: Sequence[StepFacts], shared: Sequence[Fact]) -> Iterator[StateFlow]:
    """Find the steps that draw from a generator after another has seeded it or drawn from it.

    A generator that nobody seeds orders nothing.
    """
    for library, generator in _GENERATORS.items():
        seed = next(
            (f for f in reversed(shared) if (f.area, f.kind, f.key) == ("random", "set", library)),
            None,
        )
        last = ""
        for step in steps_facts:
            if seed is not None and last and step.uses_before_setting("random", library):
                yield StateFlow(last, step.name, f"{generator}, seeded in {where(seed)}")
            for fact in step.of("random"):
                if fact.key != library:
                    continue
                if fact.kind == "set":
                    seed = fact
                # Before the first seed there is nothing that a later draw would continue.
                if seed is not None:
                    last = step.name


def _environment(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[StateFlow]:
    changed = {f.key: f for f in step.of("environment") if f.kind == "set"}
    for key, change in changed.items():
        shown = "environment variables" if key == "?" else f"the environment variable {key}"
        for other in later:
            if other.uses_before_setting("environment", key):
                yield StateFlow(step.name, other.name, f"{shown}, set in {where(change)}")


def _folder(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[StateFlow]:
    moves = [f for f in step.of("folder") if f.kind in ("set", "restore")]
    # Only where the step leaves the working directory matters to others.
    if not moves or moves[-1].kind == "restore":
        return
    for other in later:
        own = next((f for f in other.of("folder") if f.kind == "set" and f.sure), None)
        # A move to an absolute path does not depend on the folder before it.
        if own is not None and own.shown.startswith(("os.chdir('/", "%cd /")):
            continue
        if _relies_on_folder(other, own):
            state = f"the working directory, set in {where(moves[-1])}"
            yield StateFlow(step.name, other.name, state)


def _relies_on_folder(step: StepFacts, own: Fact | None) -> bool:
    """Return whether a step does something that depends on where it is."""
    relative = any(
        use.path and not use.path.startswith(("/", "~"))
        for cell, code in step.cells
        for use in file_uses(cell, code, constants={})
    )
    return relative or own is not None or any(f.kind == "guess" for f in step.of("folder"))


def _path(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[StateFlow]:
    change = next((f for f in step.of("path") if f.kind == "set"), None)
    if change is None:
        return
    own: dict[str, str] = {}
    for _, code in step.cells:
        for node in ast.walk(parsed(code)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                own.update({n: m.split(".")[0] for n, m in imported(node).items()})
    # Modules that this process cannot import need the changed path; others do not care.
    strange = {name for name, module in own.items() if not _importable(module)}
    for other in later:
        # This step changes sys.path itself, so it probably finds its modules.
        if any(f.kind == "set" for f in other.of("path")):
            continue
        imports = any(not _importable(f.key) for f in other.of("path"))
        if imports or any(True for _ in _names(other, strange)):
            yield StateFlow(step.name, other.name, f"the module path, set in {where(change)}")


def _names(step: StepFacts, names: set[str]) -> Iterator[str]:
    for _, code in step.cells:
        for node in ast.walk(parsed(code)):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                yield node.id


def _importable(module: str) -> bool:
    if module in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _options(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[StateFlow]:
    for change in {f.key: f for f in step.of("option") if f.kind == "set"}.values():
        if change.key not in CARRIED_OPTIONS:
            continue
        for other in later:
            if _lacks(other, change.key):
                state = f"options of {change.key}, set in {where(change)}"
                yield StateFlow(step.name, other.name, state)


def _options_that_stay(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    for change in {f.key: f for f in step.of("option") if f.kind == "set"}.values():
        names = [other.name for other in later if _lacks(other, change.key)]
        if names and change.key not in CARRIED_OPTIONS:
            yield make(
                "KFNB-W416",
                f'step "{step.name}" sets a global option ({change.shown}) that '
                f"{listed_steps(names)} may rely on, but each step is a separate process",
                "Move it to a cell tagged `setup`, which every step executes.",
                step=step.name, cell=change.cell, line=change.line,
            )  # fmt: skip


def _lacks(step: StepFacts, key: str) -> bool:
    """Tell whether a step would be another without a global option, as far as it shows."""
    if any(f.kind == "set" and f.key == key for f in step.of("option")):
        return False
    shown = PLOTTING if key == "matplotlib" else frozenset((key,))
    return key in USED_EVERYWHERE or any(f.key in shown for f in step.of("option"))


def _modules(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    for change in {f.key: f for f in step.of("module") if f.kind == "set"}.values():
        for other in later:
            relied = other.uses_before_setting("module", change.key)
            if not relied:
                continue
            fact = relied[0]
            yield make(
                "KFNB-E405" if change.sure and fact.sure else "KFNB-W416",
                f'step "{other.name}" uses {change.key}, which step "{step.name}" changes '
                f"({where(change)}), but each step is a separate process that imports modules "
                "again",
                "Move the change to a cell tagged `setup`, or pass the value in a variable.",
                step=other.name, cell=fact.cell, line=fact.line,
            )  # fmt: skip
