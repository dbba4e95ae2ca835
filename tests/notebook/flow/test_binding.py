"""Which names a step reads and binds, whatever the syntax that does it."""

from __future__ import annotations

import sys

import pytest

from tests.notebook.build import codes, pipeline

# Two steps: what "a" binds, what "b" reads, and the names that must flow.
FLOWS = {
    "an assignment": ("x = 1", "print(x)", "x"),
    "a chain of targets": ("x = y = []", "x, y", "x y"),
    "unpacking": ("(x, [y, *z]), w = (1, [2, 3]), 4", "x, y, z, w", "x y z w"),
    "an annotated assignment": ("x: int = 1", "x", "x"),
    "a for loop's variables": ("for i, (j, k) in enumerate([(1, 2)]):\n    t = j", "i, j, k, t", "i j k t"),
    "a while loop": ("n = 3\nwhile n:\n    n -= 1\n    last = n", "last, n", "last n"),
    "a branch": ("if True:\n    x = 1\nelse:\n    x = 2", "x", "x"),
    "with … as": ("with open('f') as (f, g):\n    text = 1", "text, f, g", "f g text"),
    "try, else and finally": ("try:\n    x = 1\nexcept E1:\n    x = 2\nelse:\n    y = 1\nfinally:\n    z = 1".replace("E1", "ValueError"), "x, y, z", "x y z"),
    "a walrus": ("if (n := len('abc')) > 2:\n    pass", "n", "n"),
    "a walrus in a comprehension": ("v = [last := k for k in [1, 2]]", "last", "last"),
    "match patterns": ("match [1, {'k': 2}]:\n    case [x, {'k': y, **rest}]:\n        pass", "x, y, rest", "rest x y"),
    "a match with a star and as": ("match [1, 2]:\n    case [*xs] as whole:\n        pass", "xs, whole", "whole xs"),
    "globals() by name": ("globals()['x'] = 1", "x", "x"),
    "exec of a literal": ("exec('x = 1')", "x", "x"),
    "an f-string": ("x, w = 1, 8", "f'{x!r:>{w}}'", "w x"),
    "a nested f-string": ("d = {'k': 1}", "f'{d[\"k\"]:{f\"{d}\"}}'", "d"),
    "a comprehension's iterable and condition": ("xs, lim = [1], 0", "[v for v in xs if v > lim]", "lim xs"),
    "a nested comprehension": ("rows, k = [[1]], 2", "{v: k for row in rows for v in row}", "k rows"),
    "a lambda that is passed": ("k = 2", "list(map(lambda v: v * k, [1]))", "k"),
    "a lambda's default": ("k = 2", "f = lambda v=k: v", "k"),
    "a default argument": ("k = 2", "def f(v=k): return v", "k"),
    "a keyword-only default": ("k = 2", "def f(*, v=k): return v", "k"),
    "a decorator": ("deco = print", "@deco\ndef f(): pass", "deco"),
    "a decorator with arguments": ("k = 2\nimport functools", "@functools.lru_cache(k)\ndef f(): pass", "k"),
    "a base class": ("Base = object", "class A(Base): pass", "Base"),
    "a metaclass keyword": ("Meta = type", "class A(metaclass=Meta): pass", "Meta"),
    "a class body": ("width = 3", "class A:\n    area = width * 2", "width"),
    "a class body's comprehension": ("n = 3", "class A:\n    xs = [i for i in range(n)]", "n"),
    "an annotation of a parameter": ("Kind = int", "def f(x: Kind) -> None: ...", "Kind"),
    "a return annotation": ("Kind = int", "def f() -> Kind: ...", "Kind"),
    "an annotated name without value": ("Kind = int", "x: Kind", "Kind"),
    "an annotation in a class": ("Kind = int", "class A:\n    x: Kind", "Kind"),
    "subscript assignment": ("d = {}", "d['k'] = 1", "d"),
    "attribute assignment": ("import types\no = types.SimpleNamespace()", "o.x = 1", "o"),
    "augmented assignment": ("n = 1", "n += 1", "n"),
    "augmented subscript": ("d, k = {'k': 1}, 'k'", "d[k] += 1", "d k"),
    "del of a name": ("x = 1", "del x", "x"),
    "del of an item": ("d = {1: 1}", "del d[1]", "d"),
    "a slice": ("xs, i, j = [1], 0, 1", "xs[i:j]", "i j xs"),
    "star arguments": ("args, kw = [1], {}", "print(*args, **kw)", "args kw"),
    "await": ("async def f(): ...\njob = f", "await job()", "job"),
    "async for and with": ("src = ctx = None", "async with ctx as c:\n    async for i in src:\n        pass", "ctx src"),
    "assert with a message": ("ok, why = 1, ''", "assert ok, why", "ok why"),
    "raise from": ("e, c = ValueError(), None", "raise e from c", "c e"),
    "a conditional expression": ("a, b, c = 1, 2, 3", "a if c else b", "a b c"),
    "a chained comparison": ("a, b, c = 1, 2, 3", "a < b < c", "a b c"),
    "a name read and bound in one line": ("x = 1", "x = x + 1", "x"),
    "a class attribute through an instance": ("xs = []", "class A:\n    items = xs\nA().items", "xs"),
    "an except clause's type": ("Err = ValueError", "try:\n    pass\nexcept Err:\n    pass", "Err"),
    "a return value by a plain call": ("def f(): return x\nx = 1", "print(f())", "x"),
    "a value under a name that is not ASCII": ("größe = 1", "größe", "größe"),
    "yield in a generator expression": ("xs = [1]", "sum(v for v in xs)", "xs"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "names"), FLOWS.values(), ids=FLOWS)
def test_a_name_flows_through(first: str, second: str, names: str) -> None:
    found = pipeline(("step:a", first), ("step:b", second))
    assert not found.errors, found.errors
    assert dict(found.steps["b"].inputs) == dict.fromkeys(names.split(), "a")
    assert set(found.steps["a"].outputs) == set(names.split())


# What "a" binds and "b" does, where nothing flows.
NOTHING = {
    "rebound before it is read": ("x = 1", "x = 2\nprint(x)"),
    "bound on every branch": ("x = 1", "if len([1]):\n    x = 2\nelse:\n    x = 3\nprint(x)"),
    "a comprehension's own variable": ("i = 1", "[i for i in range(3)]"),
    "a lambda's parameter": ("v = 1", "sorted([1], key=lambda v: -v)"),
    "a function's local": ("x = 1", "def f():\n    x = 2\n    return x\nf()"),
    "a parameter of a function": ("x = 1", "def f(x): return x\nf(2)"),
    "an import's name": ("json = 1", "import json\njson.dumps(1)"),
    "except … as, in its handler": ("e = 1", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(e)"),
    "a keyword of a call": ("key = 1", "sorted([1], key=None)"),
    "an attribute's name": ("real = 1", "(1).real"),
    "an annotation of a local variable": ("Kind = int", "def f():\n    x: Kind = 1\nf()"),
    "a name in a string": ("x = 1", "'{x}'"),
    "a global statement at the top": ("x = 1", "global x\nx = 2\nprint(x)"),
    "with … as, read inside": ("f = 1", "with open('x') as f:\n    f"),
    "a class's own attribute": ("x = 1", "class A:\n    x = 2\n    y = x"),
    "a loop that certainly turns": ("i = 1", "for i in range(3):\n    pass\nprint(i)"),
    "a nested function's variable": ("x = 1", "def f():\n    x = 2\n    def g(): return x\n    return g\nf()()"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), NOTHING.values(), ids=NOTHING)
def test_nothing_flows_where_a_name_is(first: str, second: str) -> None:
    found = pipeline(("step:a", first), ("step:b", second))
    assert not found.errors, found.errors
    assert dict(found.steps["b"].inputs) == {}
    assert found.steps["a"].outputs == ()


# "b" may leave what "a" made: then it needs it, and "c" has it from "b".
KEPT = {
    "a branch": "if len([]):\n    x = 2",
    "a loop": "for x in []:\n    pass",
    "a while loop": "while len([]):\n    x = 2",
    "try": "try:\n    x = int('n')\nexcept ValueError:\n    pass",
    "a case": "match 1:\n    case 2:\n        x = 2",
    "an expression": "0 or (x := 2)",
    "a suppressed exception": "import contextlib\nwith contextlib.suppress(ValueError):\n    x = int('n')",
    "a function that may bind it": "def f():\n    global x\n    if len([]):\n        x = 2\nf()",
    "break before it": "for _ in range(3):\n    if len([1]):\n        break\n    x = 2",
}  # fmt: skip


@pytest.mark.parametrize("second", KEPT.values(), ids=KEPT)
def test_what_may_stay_is_an_input_for_that_reason(second: str) -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", second), ("step:c", "print(x)"))
    assert not found.errors, found.errors
    b = found.steps["b"]
    assert dict(b.inputs) == {"x": "a"}
    assert b.maybe == ("x",)
    assert dict(found.steps["c"].inputs) == {"x": "b"}


def test_what_may_stay_and_nobody_reads_is_no_input() -> None:
    found = pipeline(("step:a", "x = 1\nprint(x)"), ("step:b", "if len([]):\n    x = 2"))
    assert dict(found.steps["b"].inputs) == {}
    assert found.edges == ()


def test_a_name_that_was_perhaps_never_bound_flows_without_an_error() -> None:
    found = pipeline(("step:a", "if len([]):\n    x = 1"), ("step:b", "print(x)"))
    assert not found.errors
    assert dict(found.steps["b"].inputs) == {"x": "a"}
    assert dict(found.steps["a"].inputs) == {}


def test_a_deleted_name_is_absent_for_who_asks_carefully() -> None:
    found = pipeline(
        ("step:a", "x = 1"),
        ("step:b", "del x"),
        ("step:c", "try:\n    print(x)\nexcept NameError:\n    print('gone')"),
    )
    assert not found.errors
    assert dict(found.steps["c"].inputs) == {"x": "b"}


def test_except_as_unbinds_its_name() -> None:
    found = pipeline(
        ("step:a", "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    pass"),
        ("step:b", "print(error)"),
    )
    # The handler may not have run; where it ran the name is gone: certainly nothing to read.
    assert codes(found) == ["KFNB-E102"]


def test_asking_whether_a_name_is_there_reads_it() -> None:
    found = pipeline(
        ("step:a", "model = 1"), ("step:b", "if 'model' not in globals():\n    model = 2")
    )
    assert not found.errors
    assert dict(found.steps["b"].inputs) == {"model": "a"}


def test_the_value_of_a_cell_is_read() -> None:
    found = pipeline(("step:a", "x = 1\nx"), ("step:b", "x"))
    assert dict(found.steps["b"].inputs) == {"x": "a"}


def test_future_annotations_are_not_evaluated() -> None:
    found = pipeline(
        ("setup", "from __future__ import annotations"),
        ("step:a", "Kind = int"),
        ("step:b", "def f(x: Kind) -> Nobody: ...\ny: Missing = f"),
    )
    assert not found.errors
    assert dict(found.steps["b"].inputs) == {}


def test_an_inner_scope_of_a_class_does_not_see_its_names() -> None:
    found = pipeline(
        ("step:a", "n = 5"), ("step:b", "class A:\n    n = 1\n    def f(self): return n\nA().f()")
    )
    assert dict(found.steps["b"].inputs) == {"n": "a"}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters_are_local() -> None:
    found = pipeline(
        (
            "step:a",
            "def f[T](x: T) -> T: return x\nclass A[U]:\n    y: U = None\ntype L[V] = list[V]",
        ),
        ("step:b", "f(A), L"),
    )
    assert not found.diagnostics
    assert dict(found.steps["b"].inputs) == {"L": "a"}
