"""Setup, parameters and metrics: what each step has of them."""

from __future__ import annotations

from typing import Any

import pytest

from kfnb.pipeline import Pipeline
from tests.notebook.build import codes, pipeline


def prelude(found: Pipeline, step: str) -> dict[int, int]:
    """Cells before a step's own, with the number of statements that it reaches."""
    return {p.cell: len(p.statements) for p in found.steps[step].prelude}


def test_setup_that_nothing_needs_stays_out() -> None:
    found = pipeline(("setup", "import json"), ("setup", "import math"), ("step:a", "math.pi"))
    assert prelude(found, "a") == {1: 1}


def test_setup_with_an_effect_is_in_every_step() -> None:
    found = pipeline(
        ("setup", "import warnings\nX = 1"),
        ("setup", "warnings.simplefilter('ignore')"),
        ("step:a", "1"),
        ("step:b", "2"),
    )
    assert prelude(found, "a") == prelude(found, "b") == {0: 1, 1: 1}


EFFECTS = {
    "print": "print(1)",
    "a magic": "%matplotlib inline",
    "a shell line": "!ls",
    "a throw-away result": "_ = seed(0)\n".replace("seed", "print"),
    "a module's attribute": "import sys\nsys.tracebacklimit = 0",
    "a module's method": "import sys\nsys.path.append('lib')",
    "an assertion": "assert True",
    "a call in a branch": "if len('a'):\n    print(1)",
    "a function that prints": "def hello():\n    print(1)\nhello()",
}


@pytest.mark.parametrize("source", EFFECTS.values(), ids=EFFECTS)
def test_an_effect_counts(source: str) -> None:
    found = pipeline(("setup", source), ("step:a", "1"))
    assert list(prelude(found, "a")) == [0]


PURE = {
    "an assignment": "x = len('abc')",
    "building a dictionary": "x = {}\nx['k'] = 1\nx.update(l=2)",
    "a branch that binds": "if len('a'):\n    x = 1\nelse:\n    x = 2",
    "a loop that fills": "x = []\nfor i in range(3):\n    x.append(i)",
    "a docstring": "'''Nothing.'''",
    "a definition": "def f(): print(1)",
}


@pytest.mark.parametrize("source", PURE.values(), ids=PURE)
def test_making_values_is_no_effect(source: str) -> None:
    found = pipeline(("setup", source), ("step:a", "1"))
    assert prelude(found, "a") == {}


def test_a_whole_cell_brings_what_it_needs_to_execute_but_counts_only_what_is_reached() -> None:
    found = pipeline(
        ("parameters", "lr = 0.1"),
        ("setup", "rate = lr * 2"),
        ("setup", "import math\nconfig = {'rate': rate}"),
        ("step:load", "math.pi"),
        ("step:train", "config"),
    )
    assert prelude(found, "load") == {0: 0, 1: 0, 2: 1}
    assert found.steps["load"].parameters == ()
    assert found.steps["train"].parameters == ("lr",)


def test_a_parameter_flows_only_into_steps_that_use_it() -> None:
    found = pipeline(
        ("parameters", "lr = 0.1\nn = 3"),
        ("setup", "def top(): return n"),
        ("step:a", "x = 1"),
        ("step:b", "x * lr"),
        ("step:c", "top()"),
    )
    assert [s.parameters for s in found.steps.values()] == [(), ("lr",), ("n",)]


def test_a_parameter_used_by_a_replayed_definition_counts() -> None:
    found = pipeline(("parameters", "n = 3"), ("step:a", "def f(k=n): return k"), ("step:b", "f()"))
    assert found.steps["b"].parameters == ("n",)
    assert dict(found.steps["b"].inputs) == {}


def test_a_parameter_that_a_step_reassigns_is_a_value_from_there_on() -> None:
    found = pipeline(
        ("parameters", "lr = 0.1"),
        ("step:a", "print(lr)"),
        ("step:b", "lr = lr * 2"),
        ("step:c", "print(lr)"),
    )
    assert [s.parameters for s in found.steps.values()] == [("lr",), ("lr",), ()]
    assert dict(found.steps["c"].inputs) == {"lr": "b"}


def test_a_parameter_that_a_step_changes_is_its_product() -> None:
    found = pipeline(
        ("parameters", "sizes = [1]"), ("step:a", "sizes.append(2)"), ("step:b", "print(sizes)")
    )
    assert dict(found.steps["b"].inputs) == {"sizes": "a"}
    assert dict(found.steps["a"].inputs) == {}


def test_a_setup_value_that_a_step_changes_is_its_product() -> None:
    found = pipeline(
        ("setup", "cfg = {}\nother = {}"),
        ("step:a", "cfg['k'] = 1"),
        ("step:b", "print(cfg, other)"),
        ("step:c", "cfg = {}"),
        ("step:d", "print(cfg)"),
    )
    assert dict(found.steps["b"].inputs) == {"cfg": "a"}
    assert dict(found.steps["d"].inputs) == {"cfg": "c"}
    assert 0 not in prelude(found, "d")


def test_a_setup_value_that_may_stay_is_in_the_prelude() -> None:
    found = pipeline(
        ("setup", "best = None"),
        ("step:a", "for m in []:\n    best = m"),
        ("step:b", "print(best)"),
    )
    assert prelude(found, "a") == {0: 1}
    assert dict(found.steps["b"].inputs) == {"best": "a"}


def test_a_setup_value_held_by_a_steps_value_flows_with_it() -> None:
    found = pipeline(
        ("setup", "cfg = {}"),
        ("step:a", "app = {'cfg': cfg}"),
        ("step:b", "app['cfg']['k'] = 1\nprint(cfg)"),
        ("step:c", "print(cfg)"),
    )
    assert dict(found.steps["b"].inputs) == {"app": "a", "cfg": "a"}
    assert dict(found.steps["c"].inputs) == {"cfg": "b"}


def test_setup_further_down_rebinds_for_what_follows() -> None:
    found = pipeline(
        ("setup", "n = 1"),
        ("step:a", "print(n)\nn = 2"),
        ("setup", "n = 3"),
        ("step:b", "print(n)"),
    )
    assert not found.errors
    assert prelude(found, "a") == {0: 1}
    assert prelude(found, "b") == {2: 1}
    assert dict(found.steps["b"].inputs) == {}


def test_setup_below_the_step_that_needs_it_is_used_with_a_warning() -> None:
    found = pipeline(("step:a", "math.pi"), ("imports", "import math"))
    assert codes(found) == ["KFNB-W109"]
    assert prelude(found, "a") == {1: 1}


SETUP_READS = {
    "reading": "y = x",
    "changing in place": "x.append(1)",
    "calling a function that reads": "def f(): return x\nf()",
    "a branch": "if len('a'):\n    print(x)",
    "asking carefully": "try:\n    x\nexcept NameError:\n    pass",
}


@pytest.mark.parametrize("source", SETUP_READS.values(), ids=SETUP_READS)
def test_setup_cannot_need_a_steps_value(source: str) -> None:
    found = pipeline(("step:a", "x = []"), ("setup", source), ("step:b", "print(x)"))
    assert [d.code for d in found.errors] == ["KFNB-E105"]
    assert '"x" of step "a"' in found.errors[0].message
    assert found.errors[0].cell == 1
    assert 'Tag the cell that assigns "x" as setup' in found.errors[0].remedy


def test_a_setup_function_may_read_a_steps_value_when_it_is_called() -> None:
    found = pipeline(
        ("setup", "def predict(v): return model + v"),
        ("step:a", "model = 1"),
        ("step:b", "predict(2)"),
    )
    assert not found.diagnostics
    assert dict(found.steps["b"].inputs) == {"model": "a"}


def test_setup_may_use_a_definition_of_a_step() -> None:
    found = pipeline(("step:a", "def f(): return 1"), ("setup", "n = f()"), ("step:b", "print(n)"))
    assert not found.errors
    assert prelude(found, "b") == {0: 1, 1: 1}


def test_lines_that_are_setup_in_any_cell_are_replayed() -> None:
    found = pipeline(("step:a", "%matplotlib inline\nx = 1"), ("step:b", "print(x)"))
    (piece,) = found.steps["b"].prelude
    assert (piece.cell, piece.role, piece.whole, len(piece.statements)) == (0, "setup", False, 1)


DEFAULTS: dict[str, tuple[str, Any, str]] = {
    "an int": ("n = 3", 3, "int"),
    "a negative float": ("n = -1e-3", -0.001, "float"),
    "a text": ("n = 'a'", "a", "str"),
    "a bool": ("n = True", True, "bool"),
    "a list": ("n = [1, [2]]", [1, [2]], "list"),
    "a dictionary": ("n = {'k': 1}", {"k": 1}, "dict"),
    "None": ("n = None", None, "NoneType"),
    "an annotation": ("n: float = 1", 1, "float"),
    "arithmetic": ("n = 10 * 2", 20, "int"),
    "a call": ("n = open('f')", None, "Any"),
}


@pytest.mark.parametrize(("source", "default", "kind"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_parameter_has_its_default_and_type(source: str, default: Any, kind: str) -> None:
    (parameter,) = pipeline(("parameters", "# here\n" + source), ("step:a", "n")).parameters
    assert (parameter.name, parameter.default, parameter.type) == ("n", default, kind)
    assert (parameter.cell, parameter.line) == (0, 2)


def test_plain_metrics_belong_to_the_step_that_made_them_last() -> None:
    found = pipeline(
        ("step:a", "acc = 1"),
        ("step:b", "loss = 2"),
        ("step:c", "acc = acc + 1"),
        ("metrics", "acc\nprint('loss', loss)\nprint(f'{acc}')"),
    )
    assert {s.name: s.metrics for s in found.steps.values()} == {
        "a": (),
        "b": ("loss",),
        "c": ("acc",),
    }
    assert [len(s.body) for s in found.steps.values()] == [1, 1, 1]
    assert "loss" not in found.steps["b"].outputs


def test_metrics_that_compute_run_at_the_end_of_the_step_before() -> None:
    found = pipeline(
        ("step:a", "scores = [1]"),
        ("metrics", "mean = sum(scores) / len(scores)\nprint(mean)"),
        ("step:b", "print(mean)"),
    )
    assert [(p.cell, p.role) for p in found.steps["a"].body] == [(0, "step"), (1, "metrics")]
    assert found.steps["a"].metrics == ("mean",)
    assert found.steps["a"].cells == (0,)
    assert dict(found.steps["b"].inputs) == {"mean": "a"}


def test_metrics_before_the_first_step_run_at_its_beginning() -> None:
    found = pipeline(("metrics", "x = 1\nprint(x)"), ("step:a", "print(x)"))
    assert not found.diagnostics
    assert [p.cell for p in found.steps["a"].body] == [0, 1]


def test_a_parameter_can_be_a_metric() -> None:
    found = pipeline(
        ("parameters", "lr = 1"), ("step:a", "x = 1"), ("pipeline-metrics", "print(lr)")
    )
    assert found.steps["a"].metrics == ("lr",)
    assert found.steps["a"].parameters == ("lr",)


def test_a_metric_that_nobody_makes_is_undefined() -> None:
    found = pipeline(("step:a", "accuracy = 1"), ("metrics", "print(acuracy)"))
    assert codes(found) == ["KFNB-E102"]
    assert found.diagnostics[0].remedy == 'Did you mean "accuracy"?'


@pytest.mark.parametrize("tags", ["", "step:load"])
def test_the_cell_above_that_setup_needs_is_to_be_tagged_setup(tags: str) -> None:
    cells = [(tags, "limit = 3"), ("setup", "n = limit * 2"), ("step:a", "print(n)")]
    problem = next(d for d in pipeline(*cells).errors if d.code == "KFNB-E105")
    assert 'Tag the cell that assigns "limit" as setup' in problem.remedy
    assert not pipeline(("setup", "limit = 3"), *cells[1:]).errors


def test_setup_may_use_a_parameter_of_a_cell_above() -> None:
    found = pipeline(
        ("parameters", "limit = 3"), ("setup", "n = limit * 2"), ("step:a", "print(n)")
    )
    assert not found.diagnostics
    assert found.steps["a"].parameters == ("limit",)
