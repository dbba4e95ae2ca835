"""Report state of the process that one step sets and another relies on.

Random generators, environment variables, the working directory, the module
path, modules' attributes and libraries' global options belong to a process,
and each step is a separate process. Setup cells run in every step.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from kfnb.notebook.diagnostics import make
from kfnb.notebook.effects.call_facts import Fact
from kfnb.notebook.effects.constants import imported
from kfnb.notebook.effects.files import file_uses
from kfnb.notebook.effects.library_calls import FELT_ANYWHERE, LIBRARY_VARIABLES, PLOTTING
from kfnb.notebook.effects.library_state_facts import facts
from kfnb.notebook.effects.notebook_names import Known, know, parsed
from kfnb.notebook.effects.step_facts import Code, StepCells, StepFacts, listed_steps, where
from kfnb.pipeline import Diagnostic


def library_state_diagnostics(
    steps: Sequence[StepCells],
    setup: Sequence[Code],
    *,
    everywhere: Collection[tuple[int, int]] = (),
    execution_counts: Mapping[int, int | None] = MappingProxyType({}),
) -> list[Diagnostic]:
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
    list of Diagnostic
        Errors where the values would plainly differ from the notebook's and nothing
        would say so; warnings where they may.
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
    diagnostics: list[Diagnostic] = []
    diagnostics += _random(steps_facts, shared)
    diagnostics += _differs(steps_facts, setup, shared, known)
    for position, step in enumerate(steps_facts):
        later = steps_facts[position + 1 :]
        diagnostics += _environment(step, later)
        diagnostics += _folder(step, later)
        diagnostics += _path(step, later)
        diagnostics += _modules(step, later)
        diagnostics += _options(step, later)
    diagnostics += _history(steps_facts)
    diagnostics += _memos(steps_facts)
    return diagnostics


_LIBRARY = {
    "random": "Python's",
    "numpy": "NumPy's",
    "torch": "PyTorch's",
    "tensorflow": "TensorFlow's",
}
_GENERATOR = {
    "random": "rng = random.Random(SEED)",
    "numpy": "rng = numpy.random.default_rng(SEED)",
    "torch": "generator = torch.Generator().manual_seed(SEED)",
    "tensorflow": "generator = tf.random.Generator.from_seed(SEED)",
}


def _random(steps_facts: Sequence[StepFacts], shared: Sequence[Fact]) -> Iterator[Diagnostic]:
    for library, owner in _LIBRARY.items():
        source: tuple[str, Fact] | None = None
        drawn: str | None = None
        for fact in shared:
            if fact.area == "random" and fact.key == library and fact.kind == "set":
                source = ("", fact)
        for step in steps_facts:
            relied = step.uses_before_setting("random", library)
            first = next((f for f in relied if f.sure and f.kind == "use"), None)
            if relied and source is not None and source[0] != step.name:
                fact = first or relied[0]
                name, seed = source
                remedy = (
                    f'Seed at the start of step "{step.name}" too, or create one generator '
                    f"({_GENERATOR[library]}) and draw from it, since a generator is passed "
                    "between steps like other values."
                )
                draws = "draws" if first else "may draw"
                what = (
                    f'step "{step.name}" {draws} from {owner} global random generator '
                    f"({fact.shown})"
                )
                if name:
                    yield make(
                        "KFNB-E401" if first else "KFNB-W411",
                        f'{what}, which step "{name}" seeds ({where(seed)})',
                        remedy,
                        step=step.name, cell=fact.cell, line=fact.line,
                    )  # fmt: skip
                elif drawn is not None:
                    yield make(
                        "KFNB-E402" if first else "KFNB-W411",
                        f'{what}, which setup seeds ({where(seed)}), after step "{drawn}" has '
                        "drawn from it: in this step it starts from the seed again",
                        remedy,
                        step=step.name, cell=fact.cell, line=fact.line,
                    )  # fmt: skip
            drew = [f for f in step.of("random") if f.key == library and f.kind != "set"]
            if drew and (source is None or not source[0]):
                drawn = step.name
            for seeding in step.of("random"):
                if seeding.key == library and seeding.kind == "set":
                    source = (step.name, seeding)


def _differs(
    steps_facts: Sequence[StepFacts], setup: Sequence[Code], shared: Sequence[Fact], known: Known
) -> Iterator[Diagnostic]:
    """Find names that setup binds to something that is another thing in each process."""
    for index, code in setup:
        seeded = any(f.area == "random" and f.kind == "set" for f in shared)
        for statement in parsed(code).body:
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
                continue
            lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            once = next(
                (f for f in shared if f.area == "once" and f.cell == index and f.line in lines),
                None,
            )
            if once is None:
                continue
            drawn = once.key.startswith(("random.", "numpy.random."))
            # With a seed, or as an object that is created with one, it is the same in every
            # process.
            if drawn and (seeded or _own_generator(once.key)):
                continue
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]:
                readers = [s.name for s in steps_facts if _reads(s, name, known)]
                if len(readers) > 1:
                    yield make(
                        "KFNB-E407" if drawn or once.key.startswith("uuid.") else "KFNB-W418",
                        f'setup assigns "{name}" from {once.key}(), which returns a different '
                        f"value in each step, and {listed_steps(readers)} use it",
                        "Assign it in a step: then the other steps get the same value.",
                        step=None, cell=index, line=statement.lineno,
                    )  # fmt: skip


def _own_generator(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in ("seed", "Random", "default_rng", "RandomState", "Generator")


def _reads(step: StepFacts, name: str, known: Known) -> bool:
    for _, code in step.cells:
        for node in ast.walk(parsed(code)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if node.id == name:
                    return True
                function = known.functions.get(node.id)
                if function is not None and any(
                    isinstance(n, ast.Name) and n.id == name for n in ast.walk(function)
                ):
                    return True
    return False


def _environment(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    changed = {f.key: f for f in step.of("environment") if f.kind == "set"}
    for key, change in changed.items():
        shown = "environment variables" if key == "?" else f"the environment variable {key}"
        remedy = (
            "Set it in a cell tagged `setup` or with an `env:` tag, or pass the value in a "
            "variable."
        )
        reported = False
        for other in later:
            relied = other.uses_before_setting("environment", key)
            plain = next((f for f in relied if f.kind == "use" and f.key == key), None)
            fact = plain or next(iter(relied), None)
            if fact is None:
                continue
            reported = True
            yield make(
                "KFNB-E403" if plain and plain.sure and key != "?" else "KFNB-W413",
                f'step "{other.name}" '
                + ("reads " if plain else f"starts {fact.shown or 'a process'}, which may read ")
                + f'{shown}, which step "{step.name}" sets ({where(change)}), but each step is a '
                "separate process",
                remedy,
                step=other.name, cell=fact.cell, line=fact.line,
            )  # fmt: skip
        if not reported and later and key.startswith(tuple(LIBRARY_VARIABLES)):
            yield make(
                "KFNB-W413",
                f'step "{step.name}" sets {shown}, but each step is a separate process, so later '
                "steps do not see it",
                remedy,
                step=step.name, cell=change.cell, line=change.line,
            )  # fmt: skip


def _folder(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    moves = [f for f in step.of("folder") if f.kind in ("set", "restore")]
    # Only where the step leaves the working directory matters to others.
    if not moves or moves[-1].kind == "restore":
        return
    move = moves[-1]
    for other in later:
        own = next((f for f in other.of("folder") if f.kind == "set" and f.sure), None)
        # A move to an absolute path does not depend on the folder before it.
        if own is not None and own.shown.startswith(("os.chdir('/", "%cd /")):
            continue
        fact, plain = _relies_on_folder(other, own)
        if fact is None:
            continue
        sure = plain and move.sure
        yield make(
            "KFNB-E404" if sure else "KFNB-W414",
            f'step "{other.name}" {"relies" if sure else "may rely"} on the working directory '
            f'({fact.shown}), which step "{step.name}" changes ({where(move)}), but every step '
            "starts in the notebook's folder",
            "Move the change to a cell tagged `setup`, or use absolute paths.",
            step=other.name, cell=fact.cell, line=fact.line,
        )  # fmt: skip


def _relies_on_folder(step: StepFacts, own: Fact | None) -> tuple[Fact | None, bool]:
    """Find what a step does that depends on where it is, and whether that is plain."""
    for cell, code in step.cells:
        for use in file_uses(cell, code, constants={}):
            if use.path and not use.path.startswith(("/", "~")):
                return Fact("folder", "use", "", cell, use.line, shown=f'"{use.path}"'), True
    if own is not None:
        return own, True
    return next((f for f in step.of("folder") if f.kind == "guess"), None), False


def _path(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
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
        fact = next((f for f in other.of("path") if not _importable(f.key)), None)
        module, cell, line = (fact.key, fact.cell, fact.line) if fact else ("", 0, 0)
        if fact is None:
            used = next(_names(other, strange), None)
            if used is None:
                continue
            module, cell, line = used
        yield make(
            "KFNB-W415",
            f'step "{other.name}" imports the module {module!r}, but sys.path is changed only in '
            f'step "{step.name}" ({where(change)})',
            "Move the change of sys.path to a cell tagged `setup`.",
            step=other.name, cell=cell, line=line,
        )  # fmt: skip


def _names(step: StepFacts, names: set[str]) -> Iterator[tuple[str, int, int]]:
    for cell, code in step.cells:
        for node in ast.walk(parsed(code)):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                yield node.id, cell, node.lineno


def _importable(module: str) -> bool:
    if module in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


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


def _options(step: StepFacts, later: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    for change in {f.key: f for f in step.of("option") if f.kind == "set"}.values():
        names = [other.name for other in later if _lacks(other, change.key)]
        if names:
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
    return key in FELT_ANYWHERE or any(f.key in shown for f in step.of("option"))


def _history(steps_facts: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    for position, step in enumerate(steps_facts):
        first = step.cells[0][0] if step.cells else -1
        for fact in step.of("history"):
            last = not fact.key.strip("_")
            # "_" in a later cell of the step is a result of the step itself.
            if last and (fact.cell != first or not position):
                continue
            yield make(
                "KFNB-E406",
                f'step "{step.name}" uses "{fact.key}" of IPython\'s history, but a '
                "step's history does not contain the cells of other steps",
                "Assign the value to a variable in the cell that computes it.",
                step=step.name, cell=fact.cell, line=fact.line,
            )  # fmt: skip


def _memos(steps_facts: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    callers: dict[str, list[tuple[str, Fact]]] = {}
    for caller in steps_facts:
        for fact in {f.key: f for f in caller.of("memo")}.values():
            callers.setdefault(fact.key, []).append((caller.name, fact))
    for name, steps in callers.items():
        if len(steps) > 1:
            # The first caller fills the cache; the second one is where the notebook would have used
            # it.
            step, fact = steps[1]
            yield make(
                "KFNB-W417",
                f'the cache of "{name}" is not shared between steps: '
                f"{listed_steps([s for s, _ in steps])} each start with an empty one",
                "If the cache only saves time, there is nothing to do. Otherwise compute the "
                "value once, in a step.",
                step=step, cell=fact.cell, line=fact.line,
            )  # fmt: skip
