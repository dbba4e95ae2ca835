"""No notebook makes reading do more than its work budgets allow: counted, not timed."""

from __future__ import annotations

import ast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.effects import call_facts, library_state_facts
from kfnb.notebook.effects.constant_propagation import Budget, ConstantWalk
from kfnb.notebook.flow import infer
from kfnb.notebook.flow.interpreter.expressions import Expressions
from kfnb.notebook.flow.interpreter.summaries import MOST_WORK
from kfnb.notebook.flow.memory import notebook_walk
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.flow.step_facts import WalkResult
from tests.notebook.build import notebook, pipeline

SLACK = 1.5
"""The budget is looked at before each call; one function's body may still be gone through."""

NAMES = [f"f{n}" for n in range(12)]


@st.composite
def functions(draw: st.DrawFn) -> str:
    """Functions and classes that call one another at random, some through values."""
    lines = ["table = []"]
    for name in NAMES:
        called = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
        form = draw(st.sampled_from(("def", "method", "closure")))
        calls = " + ".join(
            f"{other}({draw(st.sampled_from((name, 'x', 'table')))})" for other in called
        )
        if form == "def":
            lines += [f"def {name}(x=None):", f"    table.append({name})", f"    return {calls}"]
        elif form == "method":
            base = f"({draw(st.sampled_from(NAMES))})" if draw(st.booleans()) else ""
            lines += [f"class {name}{base}:", f"    def __init__(self, x=None): self.x = {calls}"]
            lines += ["    def run(self): return self.run() + self.x.run()"]
        else:
            lines += [f"def {name}(x=None):", f"    def inner(y): return {calls} + inner(y)"]
            lines += ["    table.append(inner)", "    return inner"]
    return "\n".join(lines)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=functions(), calls=st.lists(st.sampled_from(NAMES), min_size=1, max_size=20))
def test_generated_functions_stay_within_the_budget(source: str, calls: list[str]) -> None:
    cells = [(f"step:s{n}", f"v{n} = {name}(table)\nv{n}.run()") for n, name in enumerate(calls)]
    document = notebook(("setup", source), *cells)
    walks: list[WalkResult] = []
    original = notebook_walk.NotebookWalk.through

    def through(
        self: notebook_walk.NotebookWalk, visits: list[CellVisit], key: object
    ) -> WalkResult:
        walks.append(original(self, visits, key))
        return walks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook_walk.NotebookWalk, "through", through)
        infer(declare(document))
    assert walks
    assert max(walk.interpreter.work for walk in walks) <= MOST_WORK * SLACK


@st.composite
def nested_statements(draw: st.DrawFn, depth: int = 0) -> str:
    """Loops, branches, contexts, handlers and comprehensions within one another."""
    indent = "    " * depth
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 2))):
        form = draw(
            st.sampled_from(
                ("for", "range", "while", "if", "with", "try", "listed", "call", "bind")
            )
        )
        if depth < 5 and form in ("for", "range", "while", "if", "with", "try"):
            heading = {
                "for": f"for i{depth} in x:",
                "range": f"for i{depth} in range({draw(st.integers(1, 64))}):",
                "while": "while x:",
                "if": "if x:",
                "with": f"with open(f'{{i{depth}}}') as x:",
                "try": "try:",
            }[form]
            lines += [indent + heading, draw(nested_statements(depth + 1))]
            if form == "try":
                lines += [f"{indent}except ValueError:", f"{indent}    x = y"]
        elif form == "listed":
            inner = "open(f'{a}{b}')"
            for name in "abcd"[: draw(st.integers(1, 4))]:
                inner = f"[{inner} for {name} in range(40)]"
            lines.append(f"{indent}y = {inner}")
        elif form == "call":
            inner = "x"
            for _ in range(draw(st.integers(1, 12))):
                inner = f"np.add({inner}, y, out={inner if len(inner) < 40 else 'x'})"
            lines.append(f"{indent}y = {inner}")
        else:
            lines.append(f"{indent}x = y; y.append(x)")
    return "\n".join(lines)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells=st.lists(nested_statements(), min_size=1, max_size=3))
def test_generated_statements_are_followed_within_the_budget(cells: list[str]) -> None:
    evaluations = 0
    original = Expressions.evaluate

    def evaluate(self: Expressions, node: ast.expr | None) -> frozenset[int]:
        nonlocal evaluations
        evaluations += 1
        return original(self, node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", 300)
        patch.setattr(Expressions, "evaluate", evaluate)
        patch.setattr("kfnb.notebook.flow.file_dependencies.Budget", lambda: Budget(0))
        pipeline("x = []\ny = []", *((f"step:s{n}", cell) for n, cell in enumerate(cells)))
    nodes = sum(1 for cell in cells for _ in ast.walk(ast.parse(cell)))
    # Walks are repeated where setup cells or shared definitions ask for it, four times at most.
    assert evaluations <= 4 * (300 * SLACK + 4 * nodes) + 100


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells=st.lists(nested_statements(), min_size=1, max_size=3))
def test_files_in_loops_are_looked_for_within_the_budget(cells: list[str]) -> None:
    walked = 0
    original = ConstantWalk.statement

    def statement(self: ConstantWalk, node: ast.stmt) -> None:
        nonlocal walked
        walked += 1
        original(self, node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstantWalk, "statement", statement)
        patch.setattr("kfnb.notebook.flow.file_dependencies.Budget", lambda: Budget(500))
        pipeline("x = []\ny = []", *((f"step:s{n}", cell) for n, cell in enumerate(cells)))
    nodes = sum(1 for cell in cells for _ in ast.walk(ast.parse(cell)))
    assert walked <= 500 * SLACK + 8 * nodes


def test_each_function_is_gone_through_once_for_the_state_of_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone_through: list[str] = []
    original = library_state_facts._own_items

    def own_items(
        function: ast.FunctionDef | ast.AsyncFunctionDef, known: object
    ) -> list[call_facts.Fact | call_facts.Entry]:
        gone_through.append(function.name)
        return original(function, known)  # type: ignore[arg-type]

    monkeypatch.setattr(library_state_facts, "_own_items", own_items)
    functions = [
        f"def f{n}():\n    return " + " + ".join(f"f{m}()" for m in range(n)) for n in range(1, 40)
    ]
    source = "import numpy as np\ndef f0():\n    return np.random.rand()\n" + "\n".join(functions)
    read = pipeline(("setup", source), ("step:a", "np.random.seed(1)"), ("step:b", "f39()\nf38()"))
    assert sorted(gone_through) == sorted(f"f{n}" for n in range(40))
    (edge,) = read.edges
    assert edge.state == ("NumPy's random generator, seeded in line 1: `np.random.seed(1)`",)


def test_loops_over_the_work_budget_keep_their_dependencies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = (
        ("step:a", "a, b, c = [], [], []"),
        ("step:b", "for i in range(3):\n    d = b\n    b = a\nd.append(1)"),
        ("step:c", "print(a)"),
    )
    exact = pipeline(*cells)
    assert exact.steps["c"].inputs == {"a": "b"}
    assert exact.diagnostics == ()
    monkeypatch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", -1)
    assumed = pipeline(*cells)
    assert assumed.steps["c"].inputs == {"a": "b"}
    assert [(d.code, d.step) for d in assumed.diagnostics] == [("KFNB-H112", "b")]


def test_a_function_is_not_gone_through_beyond_the_work_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works: list[int] = []
    original = notebook_walk.NotebookWalk.through

    def through(
        self: notebook_walk.NotebookWalk, visits: list[CellVisit], key: object
    ) -> WalkResult:
        result = original(self, visits, key)
        works.append(self.interpreter.work)
        return result

    monkeypatch.setattr(notebook_walk.NotebookWalk, "through", through)
    monkeypatch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", 300)
    body = "\n".join(f"    x.append({n})" for n in range(3000))
    read = pipeline(("setup", f"def long(x):\n{body}"), ("step:a", "v = []\nlong(v)"))
    assert max(works) < 400
    assert {d.code for d in read.diagnostics} == {"KFNB-H112"}


def test_a_definition_is_replayed_with_all_that_it_names_beyond_the_work_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = (
        "def outer():\n    return inner()\ndef inner():\n    return LIMIT\nLIMIT = 3\nother = 4"
    )
    cells = (("setup", source), ("step:a", "x = [outer]"), ("step:b", "x[0]()"))
    exact = {d.name: d.pieces for d in pipeline(*cells).definitions}
    monkeypatch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", -1)
    assumed = {d.name: d.pieces for d in pipeline(*cells).definitions}
    assert len(exact["outer"][0].statements) == 3
    assert assumed == exact


def test_a_long_literal_is_one_step_of_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = 0
    original = Expressions.evaluate

    def evaluate(self: Expressions, node: ast.expr | None) -> frozenset[int]:
        nonlocal evaluations
        evaluations += 1
        return original(self, node)

    monkeypatch.setattr(Expressions, "evaluate", evaluate)
    literal = ", ".join(f"'k{n}': [{n}, ({n}, -{n})]" for n in range(1000))
    read = pipeline(
        ("step:a", f"d = {{{literal}}}"),
        ("step:b", "x = d['k1']\nx.append(1)"),
        ("step:c", "print(d['k2'])"),
        ("step:d", "print(x)"),
    )
    assert evaluations < 50
    assert read.steps["c"].inputs == {"d": "b"}
    assert read.steps["d"].inputs == {"x": "b"}
