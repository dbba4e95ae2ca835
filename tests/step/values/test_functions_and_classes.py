"""Functions, classes and instances that a notebook defines, from one kernel to another."""

from __future__ import annotations

import pytest

from tests.step.values.kernels import Kernels

POINT = """
class Point:
    def __init__(self, x):
        self.x = x
    def double(self):
        return Point(self.x * 2)
    class Inner:
        pass
def helper(x):
    return x + 1
"""


def test_definitions_go_by_reference(step: Kernels) -> None:
    a = step("p = [Point(3), Point.Inner(), Point, helper]", setup=POINT, save="p",
             definitions="Point helper")  # fmt: skip
    assert a.result["classes"] == {"p": ["Point", "helper"]}
    b = step(
        "print(isinstance(p[0], Point), isinstance(p[1], Point.Inner), p[2] is Point, p[3] is helper)\n"
        "print(p[0].double().x)",
        setup=POINT.replace("* 2", "* 10"),
        load=[a],
    )
    assert b.text == "True True True True\n30"


def test_a_definition_that_is_not_there_is_named(step: Kernels) -> None:
    a = step("p = Point(3)", setup=POINT, save="p", definitions="Point")
    with pytest.raises(AssertionError, match='MissingDefinitionError: the value needs "Point"'):
        step(load=[a])


def test_decorated_definitions_go_by_reference(step: Kernels) -> None:
    setup = """
import functools, contextlib
@functools.lru_cache
def slow(x): return x
@contextlib.contextmanager
def around(): yield 1
@functools.singledispatch
def show(x): return "any"
@show.register
def _(x: int): return "int"
"""
    a = step("p = [slow, around, show]", setup=setup, save="p", definitions="slow around show")
    assert a.result["classes"] == {"p": ["around", "show", "slow"]}
    b = step("print(p[0] is slow, p[1] is around, p[2] is show)", setup=setup, load=[a])
    assert b.text == "True True True"


def test_classes_made_by_calls_go_by_reference_where_they_are_definitions(step: Kernels) -> None:
    setup = """
import collections
def factory():
    class Hidden: pass
    return Hidden
Made = factory()
Row = collections.namedtuple("Point", "x y")
def plain(f):
    def wrapper(): return f()
    return wrapper
@plain
def wrapped(): return 5
"""
    a = step("v = [Made(), Row(1, 2), wrapped]", setup=setup, save="v",
             definitions="factory Made Row plain wrapped")  # fmt: skip
    assert a.result["classes"] == {"v": ["Made", "Row", "wrapped"]}
    b = step("print(type(v[0]) is Made, type(v[1]) is Row, v[2] is wrapped)", setup=setup, load=[a])
    assert b.text == "True True True"


def test_what_was_imported_goes_by_import(step: Kernels) -> None:
    setup = "from collections import OrderedDict\nfrom os.path import join\nimport math, json as j"
    a = step("p = [OrderedDict, join, math, j, math.sqrt]", setup=setup, save="p",
             definitions="OrderedDict join math j")  # fmt: skip
    assert a.result["classes"] == {"p": []}
    b = step("import collections, os, math, json\n"
             "print(p == [collections.OrderedDict, os.path.join, math, json, math.sqrt])", load=[a])  # fmt: skip
    assert b.text == "True"


def test_another_object_under_a_definitions_name_goes_by_value(step: Kernels) -> None:
    code = "old = Point(1)\nclass Point:\n    new = True\np = Point()"
    a = step(code, setup=POINT, save="p old", definitions="Point")
    assert a.result["classes"]["p"] == ["Point"]
    b = step("print(type(old).__name__, old.x, old.double().__class__.__name__)",
             setup="class Point:\n    def __init__(self, x): pass", load=[a])  # fmt: skip
    assert b.text == "Point 1 Point"


def test_functions_see_the_main_of_whoever_loads_them(step: Kernels) -> None:
    a = step(
        "def outer():\n    return lambda x: x * rate + shift\nf = outer()\n"
        "def nested():\n    def inner():\n        return [depth for _ in range(2)]\n    return inner\n"
        "g = nested()",
        setup="rate, shift, depth = 2, 1, 7",
        save="f g",
    )
    assert a.result["globals"] == {"f": ["rate", "shift"], "g": ["depth"]}
    b = step("rate = 100\nprint(f(1), g(), f.__globals__ is globals())",
             setup="rate, shift, depth = 10, 5, 8", load=[a])  # fmt: skip
    assert b.text == "105 [8, 8] True"


def test_functions_keep_all_they_have(step: Kernels) -> None:
    code = '''
import functools
def deco(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        """wrapped"""
        wrapper.calls += 1
        return f(*args, **kwargs)
    wrapper.calls = 0
    return wrapper
@deco
def f(a: int, b: str = "b", *, c: list = [1]) -> float:
    "doc of f"
    return a, b, c
f(1)
def generator():
    yield from range(3)
async def coroutine():
    return 5
h = functools.partial(generator)
'''
    a = step(code, save="f generator coroutine h")
    b = step(
        "import asyncio, inspect\n"
        "print(f.calls, f(2), f.calls, f.__doc__, f.__name__, f.__wrapped__.__annotations__)\n"
        "print(inspect.signature(f), list(generator()), asyncio.run(coroutine()), list(h()))",
        load=[a],
    )
    assert b.text == (
        "1 (2, 'b', [1]) 2 doc of f f "
        "{'a': <class 'int'>, 'b': <class 'str'>, 'c': <class 'list'>, 'return': <class 'float'>}\n"
        "(a: int, b: str = 'b', *, c: list = [1]) -> float [0, 1, 2] 5 [0, 1, 2]"
    )


def test_closures_keep_sharing_their_cell(step: Kernels) -> None:
    code = """
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    def get():
        return n
    return up, get
up, get = counter()
up()
"""
    a = step(code, save="up get")
    assert a.result["aliases"] == [["up", "get"]]
    b = step("up(); up(); print(get())", load=[a], save="up get")
    assert b.text == "3"
    assert b.result["changed"] == ["get", "up"]
    assert step("print(up(), get())", load=[b]).text == "4 4"


def test_recursive_closures_and_empty_cells(step: Kernels) -> None:
    code = """
def make():
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)
    def never():
        return unset
    if False:
        unset = 1
    return fact, never
fact, never = make()
"""
    a = step(code, save="fact never")
    b = step("print(fact(5))\ntry:\n    never()\nexcept NameError:\n    print('unset')", load=[a])
    assert b.text == "120\nunset"


def test_a_function_that_reads_an_output_is_no_alias(step: Kernels) -> None:
    a = step("data = [1]\nf = lambda: data", save="data f")
    assert a.result["aliases"] == []
    assert a.result["globals"]["f"] == ["data"]


FACTORY = """
def factory():
    import abc, enum, dataclasses, collections, typing
    class Base(abc.ABC):
        seen = []
        @abc.abstractmethod
        def run(self): ...
        @property
        def name(self): return type(self).__name__
    class Child(Base):
        __slots__ = ("x", "y")
        def __init__(self, x):
            super().__init__()
            self.x = x
        def run(self): return self.x
        @classmethod
        def of(cls, x): return cls(x)
        @staticmethod
        def twice(x): return 2 * x
    class Colour(enum.Enum):
        RED = 1
        BLUE = "b"
        def shout(self): return self.name + "!"
    class Bits(enum.IntFlag):
        A = 1
        B = 2
    @dataclasses.dataclass
    class Data:
        a: int
        b: list = dataclasses.field(default_factory=list)
        c: typing.ClassVar[int] = 3
    @dataclasses.dataclass(frozen=True, order=True, slots=True)
    class Frozen:
        a: int
        b: float = 0.5
    Pair = collections.namedtuple("Pair", "left right", defaults=[9])
    class Typed(typing.NamedTuple):
        a: int
        b: str = "t"
    class Meta(type):
        def __call__(cls, *a): return super().__call__(*a)
    class Metaed(metaclass=Meta): pass
    T = typing.TypeVar("T")
    class Generic(typing.Generic[T]): pass
    class Error(ValueError): pass
    return dict(locals())
made = factory()
"""


def test_classes_by_value(step: Kernels) -> None:
    a = step(
        FACTORY + "m = made\n"
        "v = [m['Child'](3), m['Colour'].RED, m['Bits'].A | m['Bits'].B, m['Data'](1), "
        "m['Frozen'](2), m['Pair'](1), m['Typed'](5), m['Metaed'](), m['Generic'](), m['Error']('e')]",
        save="made v",
    )
    b = step(
        """
import dataclasses
m = made
child, colour, bits, data, frozen, pair, typed, metaed, generic, error = v
print(child.run(), child.name, isinstance(child, m["Base"]), child.of(4).run(), child.twice(4))
print(colour is m["Colour"].RED, m["Colour"]("b").shout(), int(bits), m["Bits"](3) is bits)
print(data, dataclasses.replace(data, a=5), [f.name for f in dataclasses.fields(data)])
class More(m["Data"].__class__ and m["Data"]): pass
@dataclasses.dataclass
class Sub(m["Data"]):
    d: int = 4
print(Sub(1), m["Data"].c, [f.default is dataclasses.MISSING for f in dataclasses.fields(data)])
print(frozen, frozen < m["Frozen"](3), hash(frozen) == hash(m["Frozen"](2)), pair, pair._replace(left=2), typed)
print(isinstance(metaed, m["Metaed"]), type(m["Metaed"]) is m["Meta"], isinstance(generic, m["Generic"]), repr(error))
print(isinstance(error, ValueError), m["Generic"].__parameters__[0] is m["T"])
try:
    m["Base"]()
except TypeError:
    print("abstract")
""",
        load=[a],
    )
    assert b.text.splitlines() == [
        "3 Child True 4 8",
        "True BLUE! 3 True",
        "factory.<locals>.Data(a=1, b=[]) factory.<locals>.Data(a=5, b=[]) ['a', 'b']",
        "Sub(a=1, b=[], d=4) 3 [True, True]",
        (
            "factory.<locals>.Frozen(a=2, b=0.5) True True Pair(left=1, right=9) "
            "Pair(left=2, right=9) Typed(a=5, b='t')"
        ),
        "True True True Error('e')",
        "True True",
        "abstract",
    ]


def test_a_class_is_one_class_in_all_bundles_and_steps(step: Kernels) -> None:
    code = "def factory():\n    class C:\n        def who(self): return super().__repr__\n    return C\nC = factory()\nx, y = C(), C()"
    a = step(code, save="C x y")
    assert a.result["aliases"] == []
    b = step("z = type(x)()\nprint(type(x) is type(y) is C)", load=[a], save="z")
    assert b.text == "True"
    c = step("print(isinstance(z, C), isinstance(x, type(z)))", load=[a, b])
    assert c.text == "True True"
    d = step("print(isinstance(z, C), isinstance(x, type(z)))", load=[b, a])
    assert d.text == "True True"


def test_using_a_class_is_no_change(step: Kernels) -> None:
    code = "def factory():\n    class C:\n        def m(self): return 1\n    return C\nC = factory()\nx = C()"
    a = step(code, save="C x")
    b = step("isinstance(x, C); x.m(); C(); C.__annotations__; C.m.__annotations__; repr(C); help",
             load=[a])  # fmt: skip
    assert b.result["changed"] == []
    b = step("C.m = lambda self: 2", load=[a])
    assert b.result["changed"] == ["C", "x"]


def test_two_classes_of_one_name_stay_two(step: Kernels) -> None:
    code = "def factory():\n    class C: pass\n    return C\nA, B = factory(), factory()\na, b = A(), B()"
    a = step(code, save="A B a b")
    b = step("print(A is B, type(a) is A, type(b) is B)", load=[a])
    assert b.text == "False True True"


def test_watching_gives_no_class_an_identity(step: Kernels) -> None:
    # Two steps each make a class of the same name inside a value that they were given.
    code = "def factory():\n    class C:\n        n = %d\n    return C\nl%d.append(factory()())"
    a = step("l1, l2 = [], []", save="l1 l2")
    b = step(code % (1, 1), load=[a], save="l1")
    c = step(code % (2, 2), load=[a], save="l2")
    d = step("print(l1[0].n, l2[0].n, type(l1[0]) is type(l2[0]))", load=[b, c])
    assert d.text == "1 2 False"


def test_the_latest_state_of_a_class_counts_in_whatever_order(step: Kernels) -> None:
    code = "def factory():\n    class C:\n        n = 1\n        seen = []\n    return C\nC = factory()\nx = C()"
    a = step(code, save="C x")
    b = step("C.n = 2\nC.seen.append('b')\ny = C()", load=[a], save="C y")
    for order in ([a, b], [b, a]):
        c = step("print(C.n, x.n, C.seen, type(x) is C is type(y))", load=order)
        assert c.text == "2 2 ['b'] True"


def test_the_same_source_gives_the_same_bytes(step: Kernels) -> None:
    code = (
        FACTORY + "v = made['Child'](3)\nf = lambda x, y=[1]: (x, y)\nt = {'a': {1, 'b', None}}\n"
    )
    names = "v f t made"
    a = step(code, save=names, origin="same")
    b = step("\n\n# moved down\n" + code, save=names, origin="same")
    for name in names.split():
        assert a.bytes(name) == b.bytes(name), name


def test_a_cached_function_begins_anew(step: Kernels) -> None:
    a = step("import functools\nf = functools.lru_cache(maxsize=3)(lambda x: x * k)\nk = 2\nf(1)",
             save="f")  # fmt: skip
    b = step("k = 5\nprint(f(1), f.cache_parameters()['maxsize'])", load=[a])
    assert b.text == "5 3"


def test_bound_methods_and_instances_that_hold_functions(step: Kernels) -> None:
    a = step("p = Point(4)\nm = p.double\np.callback = lambda: p.x", setup=POINT, save="p m",
             definitions="Point")  # fmt: skip
    assert a.result["aliases"] == [["p", "m"]]
    b = step("print(m().x, m.__self__ is p, p.callback())", setup=POINT, load=[a])
    assert b.text == "8 True 4"


def test_main_itself(step: Kernels) -> None:
    a = step("import sys\nme = [sys.modules['__main__']]", save="me")
    assert step("import __main__\nprint(me[0] is __main__)", load=[a]).text == "True"
