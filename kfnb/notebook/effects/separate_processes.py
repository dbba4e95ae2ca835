"""Report what each process has for itself: setup that differs, IPython's history, memos."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from kfnb.notebook.diagnostics import make
from kfnb.notebook.effects.call_facts import Fact
from kfnb.notebook.effects.notebook_names import Known, parsed
from kfnb.notebook.effects.step_facts import Code, StepFacts, listed_steps
from kfnb.pipeline import Diagnostic


def setup_that_differs(
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


def history(steps_facts: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    """Find uses of IPython's history that mean a cell of another step."""
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


def memos(steps_facts: Sequence[StepFacts]) -> Iterator[Diagnostic]:
    """Find functions with a cache that several steps call."""
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
