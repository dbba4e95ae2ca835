"""Steps that only add to a value do not wait for one another; whoever reads it has all additions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.pipeline import Pipeline
from tests.notebook.build import pipeline
from tests.notebook.flow.simulate import linear, stepwise


def edges(found: Pipeline) -> str:
    return " ".join(sorted(e.source + e.target for e in found.edges))


def read(base: str, one: str, two: str, last: str = "print(v)") -> Pipeline:
    return pipeline(("step:s", base), ("step:a", one), ("step:b", two), ("step:r", last))


PARALLEL = "ar br sa sb sr"
SERIAL = "ab br sa"


@pytest.mark.parametrize(
    ("base", "one", "two"),
    [
        ("v = {}", "v['a'] = 1", "v['b'] = 2"),
        ("v = dict(z=0)", "v['a'], x = 1, 2", "v.update(b=3)"),
        ("v = []", "for i in range(3):\n    v.append(i)", "if True:\n    v += [1]"),
        ("v: list = []", "with open('x') as f:\n    v.extend(f)", "v.append(1)"),
        ("v = set()", "v.add(1)", "v.update({2})"),
        ("v = 0", "v += 1", "v += 2"),
        ("v = -1.5", "v += 1", "try:\n    v += 2\nfinally:\n    pass"),
        ("v = ''", "v += 'a'", "v += 'b'"),
        (
            "from collections import defaultdict\nv = defaultdict(list)",
            "v.setdefault('a', []).append(1)",
            "v.setdefault('b', []).append(2)",
        ),
        ("v = {}", "v.setdefault('a', []).append(1)", "v.setdefault('b', []).extend([1])"),
        ("v = {}", "v.setdefault('a', set()).add(1)", "v.setdefault('a', set()).add(2)"),
        ("v = {}", "def f(v):\n    return v['x']\nv['a'] = 1", "v['b'] = 2"),
        ("v = {}\ndef f(k):\n    v[k] = 1", "f('a')", "f('b')"),
        (
            "v = []\nclass C:\n    def add(self, x):\n        v.append(x)\nc = C()",
            "c.add(1)",
            "c.add(2)",
        ),
        ("v = 0\ndef f():\n    global v\n    v += 1", "f()", "f()"),
        ("v = {}\nx = [v for v in [1]]", "v['a'] = 1", "v['b'] = 2"),
        ("v = []", "m = max([1])\nv.append(m)", "m = max([2])\nv.append(m)"),
    ],
)
def test_steps_that_only_add_do_not_wait_for_one_another(base: str, one: str, two: str) -> None:
    found = read(base, one, two)
    got = {tuple(e) for e in edges(found).split()}
    assert got - {("s", "a"), ("s", "b")} == {("a", "r"), ("b", "r"), ("s", "r")}, edges(found)
    assert set(found.steps["a"].adds) == {"v"}
    assert found.steps["r"].collects["v"].adders == ("a", "b")


@pytest.mark.parametrize(
    ("base", "one", "two"),
    [
        (
            "from collections import defaultdict\nv = defaultdict(list, {'a': [0]})",
            "v.setdefault('a', []).append(1)",
            "v.setdefault('b', []).append(2)",
        ),
        ("v = make()", "v['a'] = 1", "v['b'] = 2"),
        ("v = {}\nw = v", "v['a'] = 1", "v['b'] = 2"),
        ("v = {}\nw = [v]", "v['a'] = 1", "v['b'] = 2"),
        ("v = {}", "v['a'] = len(v)", "v['b'] = 2"),
        ("v = {}", "v['a'] = 1\nprint(v)", "v['b'] = 2\nprint(v)"),
        ("v = {}", "v[len(v)] = 1", "v[len(v)] = 2"),
        ("v = {}", "v['a'] = 1\ndel v['a']", "v['b'] = 2\nv.pop('b')"),
        ("v = {'n': 0}", "v['n'] += 1", "v['n'] += 1"),
        ("v = []", "v.append(1)\nv.sort()", "v.append(2)\nv.sort()"),
        ("v = [0]", "v[0] = 1", "v[0] = 2"),
        ("v = []", "v[0:0] = [1]", "v[0:0] = [2]"),
        ("v = []", "v.insert(0, 1)", "v.insert(0, 2)"),
        ("v = 1", "v *= 2", "v -= 1"),
        ("v = {}\ndef n():\n    return len(v)", "v['a'] = n()", "v['b'] = n()"),
        ("v = {}\ng = (k for k in v)", "v['a'] = 1", "v['b'] = next(g)"),
        ("v = {}\ndef f(d):\n    d['a'] = 1", "f(v)", "f(v)"),
        ("v = {}", "v['a'] = 1\nw = v", "v['b'] = 2\nw = v"),
        ("v = {'a': []}", "v.setdefault('a', []).append(1)", "v.setdefault('a', []).append(2)"),
        ("v = {}", "v['a'] = eval('len(v)')", "v['b'] = eval('len(v)')"),
        ("v = {}", "%time v['a'] = len(v)", "v['b'] = 2"),
    ],
)
def test_steps_that_do_more_than_add_keep_their_order(base: str, one: str, two: str) -> None:
    found = read(base, one, two)
    assert "ab" in edges(found).split()
    assert not any(step.adds for step in found.steps.values())


def test_a_single_step_that_adds_publishes_the_value() -> None:
    found = pipeline(("step:s", "v = {}"), ("step:a", "v['a'] = 1"), ("step:r", "print(v)"))
    assert edges(found) == "ar sa"


def test_a_value_of_setup_needs_no_edge_to_what_adds() -> None:
    found = pipeline(
        ("setup", "v = {}"), ("step:a", "v['a'] = 1"), ("step:b", "v['b'] = 2"), ("step:r", "v")
    )
    assert edges(found) == "ar br"
    assert found.steps["a"].inputs == {}


def test_a_reader_in_between_waits_for_those_before_it_only() -> None:
    found = pipeline(
        ("step:s", "v = []"),
        ("step:a", "v.append(1)"),
        ("step:q", "print(v)"),
        ("step:b", "v.append(2)"),
        ("step:r", "print(v)"),
    )
    assert edges(found) == "aq ar br sa sb sq sr"
    assert found.steps["q"].inputs == {"v": "a"}
    assert found.steps["r"].inputs == {"v": "b"}
    assert found.steps["b"].inputs == {"v": "s"}
    assert found.edges[0].names == ("v",)


def test_a_step_that_changes_the_value_is_a_new_beginning() -> None:
    found = pipeline(
        ("step:s", "v = []"),
        ("step:a", "v.append(1)"),
        ("step:b", "v.append(2)"),
        ("step:c", "v.reverse()"),
        ("step:d", "v.append(3)"),
        ("step:e", "v.append(4)"),
        ("step:r", "print(v)"),
    )
    assert edges(found) == "ac bc cd ce cr dr er sa sb sc"


def test_a_tag_that_says_a_step_changes_the_value_is_believed() -> None:
    found = pipeline(
        ("step:s", "v = []"),
        (("step:a", "changes:v"), "v.append(1)"),
        ("step:b", "v.append(2)"),
        ("step:r", "print(v)"),
    )
    assert edges(found) == SERIAL


ADDS = {
    "{}": ["v[{k}] = {n}", "v.update({{{k}: {n}}})", "for i in range({k}):\n    v[i] = {n}"],
    "[]": ["v.append({n})", "v += [{n}, {k}]", "if {k}:\n    v.extend([{n}] * {k})"],
    "set()": ["v.add({n})", "v.update([{k}, {n}])"],
    "0.1": ["v += {n}", "for i in range({k}):\n    v += {n} / 3"],
    "''": ["v += '{n}'"],
    "dict()": ["v.setdefault({k}, []).append({n})", "v.setdefault({k}, []).extend([{n}] * {k})"],
}  # fmt: skip
OTHERS = [
    "print(v)",
    "w = v",
    "print(len(str(v)))",
    "x = [v]\nprint(x)",
    "pass",
    "print(w)",
    "w = None",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_steps_that_add_print_what_the_notebook_prints(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(sorted(ADDS)))
    cells = [(data.draw(st.sampled_from(["setup", "step:s"])), f"v = {base}"), ("step:w", "w = 1")]
    for number in range(data.draw(st.integers(2, 6))):
        lines = []
        for _ in range(data.draw(st.integers(1, 3))):
            adds = data.draw(st.integers(0, 3)) > 0
            line = data.draw(st.sampled_from(ADDS[base] if adds else OTHERS))
            lines.append(
                line.format(k=data.draw(st.integers(0, 3)), n=data.draw(st.integers(0, 9)))
            )
        cells.append((f"step:x{number}", "\n".join(lines)))
    cells.append(("step:r", "print(v, w)"))
    if base == "set()":  # The order of members depends on how a set was copied.
        cells = [(tag, s.replace("print(v", "print(sorted(v)")) for tag, s in cells]
        cells = [(tag, s.replace("print(x)", "print(sorted(v))")) for tag, s in cells]
    found = pipeline(*cells)
    assert not found.errors
    expected = linear(found, [c.index for c in found.cells])
    printed = stepwise(found)
    assert printed == {cell: expected[cell] for cell in printed}
