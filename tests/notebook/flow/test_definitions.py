"""Definitions are replayed from source, values flow: which is which, and what is reached."""

from __future__ import annotations

import pytest

from kfnb.engine.dispatch.step_notebook import blank
from kfnb.pipeline import Pipeline
from tests.notebook.build import pipeline


def replayed(found: Pipeline, step: str) -> list[str]:
    """What a step executes of other steps' cells before its own, as text."""
    texts = []
    for piece in found.steps[step].prelude:
        cell = found.cells[piece.cell]
        code = cell.source if cell.code is None else cell.code
        texts.append(code if piece.whole else blank(code, piece.statements).strip())
    return texts


DEFINITIONS = {
    "a function": "def d(): return 1",
    "an async function": "async def d(): ...",
    "a class": "class d: pass",
    "an import": "import json as d",
    "an import from": "from json import dumps as d",
    "a dotted import": "import os.path as d",
    "a function with a default that is a constant": "def d(x=(1, 2)): ...",
    "a decorated function": "import functools\n@functools.lru_cache\ndef d(): ...",
    "a function that reads a value when it is called": "def d(): return x",
    "a named tuple": "from collections import namedtuple\nd = namedtuple('d', 'x')",
    "a functional enumeration": "import enum\nd = enum.Enum('d', 'A B')",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass d:\n    n: int = 1",
}


@pytest.mark.parametrize("source", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_definition_is_replayed_and_makes_no_edge(source: str) -> None:
    found = pipeline(("step:a", "x = 1\n" + source), ("step:b", "print(d)"))
    assert "d" not in found.steps["b"].inputs
    assert "d" in found.steps["b"].definitions
    assert "d" in found.steps["a"].definitions
    assert "d" not in found.steps["a"].outputs
    assert any(d.name == "d" for d in found.definitions)


VALUES = {
    "a default that is a step's value": "x = [1]\ndef d(v=x): ...",
    "a decorator that is a step's value": "x = print\n@x\ndef d(): ...",
    "a base that is a step's value": "x = object\nclass d(x): ...",
    "a class body that reads a step's value": "x = 1\nclass d:\n    n = x",
    "an annotation that is a step's value": "x = int\ndef d(v: x): ...",
    "a definition on a branch": "if len('a'):\n    def d(): ...",
    "a definition in try": "try:\n    import nowhere as d\nexcept ImportError:\n    d = None",
    "a function with an attribute": "def d(): ...\nd.cache = {}",
    "a function that is rebound": "def d(): ...\nd = 1",
    "a lambda": "d = lambda: 1",
    "a function that registers itself": "seen = []\ndef note(f):\n    seen.append(f)\n    return f\n@note\ndef d(): ...",
    "a function made by a function": "def make():\n    def inner(): ...\n    return inner\nd = make()",
    "a class whose metaclass keeps a list": "class M(type):\n    seen = []\n    def __init__(cls, *a):\n        M.seen.append(cls)\nclass d(metaclass=M): ...",
    "a class whose base keeps a list": "class B:\n    seen = []\n    def __init_subclass__(cls):\n        B.seen.append(cls)\nclass d(B): ...",
}  # fmt: skip


@pytest.mark.parametrize("source", VALUES.values(), ids=VALUES)
def test_what_depends_on_the_step_is_a_value(source: str) -> None:
    found = pipeline(("step:a", source), ("step:b", "print(d)"))
    assert found.steps["b"].inputs["d"] == "a"
    assert "d" not in found.steps["b"].definitions


def test_only_the_statement_is_replayed_at_its_place() -> None:
    found = pipeline(
        ("step:a", "x = 1\nimport json; y = 2\ndef d():\n    return json"),
        ("step:b", "d()"),
    )  # fmt: skip
    (piece,) = found.steps["b"].prelude
    assert (piece.cell, piece.role, piece.whole) == (0, "definitions", False)
    code = found.cells[0].source
    assert blank(code, piece.statements).split("\n")[1:] == [
        "import json",
        "def d():",
        "    return json",
    ]


def test_columns_count_characters() -> None:
    found = pipeline(("step:a", "ä = 'ö'; import json"), ("step:b", "json"))
    (piece,) = found.steps["b"].prelude
    assert piece.statements[0].first_column == 9
    assert piece.statements[0].last_column == 20


def test_a_definition_brings_what_it_reads() -> None:
    found = pipeline(
        ("setup", "import math\nLIMIT = 3\nOTHER = 4"),
        ("step:a", "def base(): return math.pi"),
        ("step:b", "def more(n=LIMIT): return base() * n"),
        ("step:c", "more()"),
    )
    assert replayed(found, "c")[1:] == [
        "def base(): return math.pi",
        "def more(n=LIMIT): return base() * n",
    ]
    assert [len(p.statements) for p in found.steps["c"].prelude] == [2, 1, 1]


def test_globals_of_a_function_are_inputs_of_the_step_that_calls_it() -> None:
    found = pipeline(
        ("step:a", "model = 1\ndef predict(): return model"),
        ("step:b", "model = 2"),
        ("step:c", "predict()"),
    )
    assert dict(found.steps["c"].inputs) == {"model": "b"}


def test_a_reference_counts_as_a_call() -> None:
    found = pipeline(("step:a", "k = 1\ndef f(v): return k"), ("step:b", "list(map(f, [1]))"))
    assert dict(found.steps["b"].inputs) == {"k": "a"}


def test_methods_read_their_globals_where_an_instance_is_used() -> None:
    found = pipeline(
        ("step:a", "k = 1\nclass A:\n    def f(self): return k\no = A()"),
        ("step:b", "k = 2"),
        ("step:c", "o.f()"),
    )
    assert dict(found.steps["c"].inputs) == {"k": "b", "o": "a"}
    assert "A" in found.steps["a"].definitions


def test_a_function_sees_the_latest_of_another_that_it_calls() -> None:
    found = pipeline(
        ("step:a", "def g(): return 1\ndef f(): return g()"),
        ("step:b", "def g(): return 2"),
        ("step:c", "f()"),
    )
    assert replayed(found, "c") == ["def f(): return g()", "def g(): return 2"]


def test_each_reader_sees_the_latest_definition_before_it() -> None:
    found = pipeline(
        ("step:a", "def f(): return 1"),
        ("step:b", "f()"),
        ("step:c", "def f(): return 2"),
        ("step:d", "f()"),
    )
    assert replayed(found, "b") == ["def f(): return 1"]
    assert replayed(found, "d") == ["def f(): return 2"]


def test_a_function_of_two_versions_is_not_pickled_by_its_name() -> None:
    found = pipeline(
        ("step:a", "def f(): return 1\nfs = [f]"),
        ("step:b", "def f(): return 2"),
        ("step:c", "fs, f"),
    )
    assert not any("f" in s.definitions for s in found.steps.values())


def test_a_class_of_two_versions_is_a_value() -> None:
    found = pipeline(
        ("step:a", "class A: n = 1\no = A()"), ("step:b", "class A: n = 2"), ("step:c", "o, A")
    )
    assert dict(found.steps["c"].inputs) == {"A": "b", "o": "a"}


def test_a_class_attribute_that_is_set_makes_the_class_a_value() -> None:
    found = pipeline(
        ("setup", "class Config:\n    level = 1"),
        ("step:a", "print(Config.level)"),
        ("step:b", "Config.level = 2"),
        ("step:c", "print(Config.level)"),
    )
    assert dict(found.steps["a"].inputs) == {}
    assert dict(found.steps["c"].inputs) == {"Config": "b"}


def test_a_class_that_counts_its_instances_is_changed_by_making_one() -> None:
    found = pipeline(
        ("setup", "class A:\n    made = 0\n    def __init__(self):\n        A.made += 1"),
        ("step:a", "A()"),
        ("step:b", "A()"),
        ("step:c", "print(A.made)"),
    )
    assert [(e.source, e.target) for e in found.edges] == [("a", "b"), ("b", "c")]


def test_class_state_that_instances_share_is_seen() -> None:
    found = pipeline(
        ("setup", "class A:\n    items = []\n    def add(self):\n        self.items.append(1)"),
        ("step:a", "A().add()"),
        ("step:b", "print(A().items)"),
    )
    assert found.steps["b"].inputs == {"A": "a"}


def test_an_instance_attribute_is_no_class_state() -> None:
    found = pipeline(
        ("setup", "class A:\n    items = None\n    def __init__(self):\n        self.items = []\n    def add(self):\n        self.items.append(1)"),
        ("step:a", "o = A()\no.add()"),
        ("step:b", "p = A()"),
    )  # fmt: skip
    assert found.edges == ()
    assert "A" in found.steps["a"].definitions


def test_submodules_imported_apart_are_replayed_together() -> None:
    found = pipeline(
        ("step:a", "import xml.dom"), ("step:b", "import xml.sax"), ("step:c", "xml.dom, xml.sax")
    )
    assert replayed(found, "c") == ["import xml.dom", "import xml.sax"]


def test_a_submodule_stays_when_the_package_is_imported_again() -> None:
    found = pipeline(("step:a", "import xml.dom"), ("step:b", "import xml\nxml.dom"))
    assert replayed(found, "b") == ["import xml.dom"]


def test_an_imported_object_that_is_changed_is_a_value() -> None:
    found = pipeline(
        ("setup", "from config import settings"),
        ("step:a", "settings['k'] = 1"),
        ("step:b", "print(settings)"),
    )
    assert found.steps["b"].inputs == {"settings": "a"}


def test_a_module_whose_attribute_is_set_does_not_flow() -> None:
    found = pipeline(
        ("setup", "import matplotlib.pyplot as plt\nfrom matplotlib import pyplot"),
        ("step:a", "plt.rcParams['x'] = 1\npyplot.rcParams['x'] = 2"),
        ("step:b", "plt.plot, pyplot.plot"),
    )
    assert dict(found.steps["b"].inputs) == {}


def test_a_star_import_is_replayed_in_every_later_step_and_hides_nothing() -> None:
    found = pipeline(
        ("step:a", "x = 1\nfrom math import *"), ("step:b", "sqrt(x)"), ("step:c", "unheard_of()")
    )
    assert not found.diagnostics
    assert replayed(found, "b") == ["from math import *"]
    assert replayed(found, "c") == ["from math import *"]
    assert dict(found.steps["b"].inputs) == {"x": "a"}


def test_recursion_between_functions_is_closed() -> None:
    found = pipeline(
        ("step:a", "def even(n): return n == 0 or odd(n - 1)"),
        ("step:b", "def odd(n): return n != 0 and even(n - 1)"),
        ("step:c", "even(4)"),
    )
    assert len(replayed(found, "c")) == 2
    assert not found.diagnostics
    (even,) = (d for d in found.definitions if d.name == "even")
    assert [p.cell for p in even.pieces] == [0]


def test_pieces_of_a_definition_are_closed() -> None:
    found = pipeline(
        ("setup", "import abc\nN = 3\nM = 4"),
        ("step:a", "class Base(abc.ABC):\n    n = N"),
        ("step:b", "class Child(Base):\n    def f(self): return M"),
        ("step:c", "1"),
    )
    (child,) = (d for d in found.definitions if d.name == "Child")
    assert (child.kind, child.cell) == ("class", 2)
    assert [(p.cell, p.whole, len(p.statements)) for p in child.pieces] == [
        (0, True, 3),
        (1, False, 1),
        (2, False, 1),
    ]


def test_the_code_of_a_statement_does_not_change_with_layout() -> None:
    one = pipeline(("step:a", "x = f( 1,2 ) # so\ndef f():\n    'doc'\n    return 1"))
    two = pipeline(("step:a", "\n\nx = f(1, 2)\n\ndef f():\n\n    'doc'\n    return  1"))
    three = pipeline(("step:a", "x = f(1, 2)\ndef f():\n    'other'\n    return 1"))
    hashes = [
        [s.code for p in found.steps["a"].body for s in p.statements] for found in (one, two, three)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0][0] == hashes[2][0]
    assert hashes[0][1] != hashes[2][1]


def test_modules_are_listed_also_from_functions_that_are_called() -> None:
    found = pipeline(
        ("setup", "import numpy as np\nimport pandas"),
        ("step:a", "from sklearn import svm\ndef f():\n    import scipy.stats"),
        ("step:b", "f()\nnp.zeros(1)"),
    )
    assert set(found.steps["b"].modules) == {"numpy", "scipy.stats"}
    assert {"sklearn", "sklearn.svm"} <= set(found.steps["a"].modules)


def test_a_default_that_nobody_changes_leaves_a_definition() -> None:
    found = pipeline(
        ("setup", "COLUMNS = ['a']"), ("step:a", "def f(c=COLUMNS): return c"), ("step:b", "f()")
    )
    assert found.edges == ()
    assert "f" in found.steps["b"].definitions


def test_a_default_that_somebody_changes_makes_the_function_a_value() -> None:
    found = pipeline(
        ("setup", "shared = ['a']"),
        ("step:a", "def f(c=shared): return c"),
        ("step:b", "shared.append(1)"),
        ("step:c", "print(f())"),
    )
    assert found.steps["c"].inputs["f"] == "b"
    assert "f" not in found.steps["a"].definitions
