"""Changes in place: by methods, functions and aliases, seen in the source."""

from __future__ import annotations

import pytest

from tests.notebook.build import edge, pipeline

# "a" makes x, "b" changes it in this way, "c" reads it: from "b".
CHANGES = {
    "append": ("x = []", "x.append(1)"),
    "update": ("x = {}", "x.update(k=1)"),
    "pop in an expression": ("x = [1]", "y = x.pop()"),
    "sort": ("x = [2, 1]", "x.sort()"),
    "an item": ("x = {}", "x['k'] = 1"),
    "an item of an item": ("x = {'k': {}}", "x['k']['l'] = 1"),
    "a slice": ("x = [1, 2]", "x[:1] = []"),
    "an attribute": ("import types\nx = types.SimpleNamespace()", "x.y = 1"),
    "an attribute's attribute": ("import types\nx = types.SimpleNamespace()", "x.y.z = 1"),
    "an attribute's method": ("import types\nx = types.SimpleNamespace()", "x.items.append(1)"),
    "augmented assignment": ("x = []", "x += [1]"),
    "augmented item": ("x = {'k': 1}", "x['k'] += 1"),
    "del of an item": ("x = {1: 1}", "del x[1]"),
    "del of an attribute": ("import types\nx = types.SimpleNamespace(y=1)", "del x.y"),
    "setattr": ("import types\nx = types.SimpleNamespace()", "setattr(x, 'y', 1)"),
    "vars": ("import types\nx = types.SimpleNamespace()", "vars(x)['y'] = 1"),
    "inplace=True": ("import pandas as pd\nx = pd.DataFrame()", "x.dropna(inplace=True)"),
    "inplace by a variable": ("import pandas as pd\nx, yes = pd.DataFrame(), True", "x.dropna(inplace=yes)"),
    "loc": ("import pandas as pd\nx = pd.DataFrame()", "x.loc[0, 'k'] = 1"),
    "a column's method": ("import pandas as pd\nx = pd.DataFrame()", "x['k'].fillna(0, inplace=True)"),
    "fit": ("from sklearn.svm import SVC\nx = SVC()", "x.fit([[1]], [1])"),
    "fit_transform": ("from sklearn.preprocessing import StandardScaler as S\nx = S()", "y = x.fit_transform([[1]])"),
    "out=": ("import numpy as np\nx = np.zeros(3)", "np.add(1, 2, out=x)"),
    "np.fill_diagonal": ("import numpy as np\nx = np.zeros((3, 3))", "np.fill_diagonal(x, 1)"),
    "np.add.at": ("import numpy as np\nx = np.zeros(3)", "np.add.at(x, [0], 1)"),
    "random.shuffle": ("import random\nx = [1, 2]", "random.shuffle(x)"),
    "from random import shuffle": ("from random import shuffle\nx = [1, 2]", "shuffle(x)"),
    "heapq": ("import heapq\nx = [2, 1]", "heapq.heappush(x, 0)"),
    "bisect.insort": ("import bisect\nx = [1]", "bisect.insort(x, 2)"),
    "next": ("x = iter([1, 2])", "next(x)"),
    "a loop over an iterator": ("x = iter([1, 2])", "for _ in x:\n    break"),
    "an iterator in a list": ("x = [iter([1])]", "[list(each) for each in x]"),
    "an iterator that is repeated": ("import itertools\nx = list(itertools.repeat(iter([1]), 2))", "for each in x:\n    next(each)"),
    "an iterator that is passed": ("x = iter([1, 2])", "list(x)"),
    "a numpy generator": ("import numpy as np\nx = np.random.default_rng(1)", "x.normal()"),
    "a numpy generator that is passed": ("import numpy as np\nx = np.random.default_rng(1)", "np.whatever(random_state=x)"),
    "a Random object": ("import random\nx = random.Random(1)", "x.random()"),
    "a RandomState from its own name": ("from numpy.random import RandomState\nx = RandomState(1)", "x.rand(3)"),
    "a figure's axes": ("import matplotlib.pyplot as plt\nfigure, x = plt.subplots()", "x.plot([1])"),
    "a default dictionary that is read": ("from collections import defaultdict\nx = defaultdict(list)", "x['k']"),
    "a loop over what it holds": ("x = [[1], [2]]", "for each in x:\n    each.append(0)"),
    "a loop over its items": ("x = {'k': []}", "for k, each in x.items():\n    each.append(0)"),
    "a comprehension over what it holds": ("x = [[1]]", "[each.append(0) for each in x]"),
    "enumerate and zip": ("x = [[1]]", "for i, (each, n) in enumerate(zip(x, [1])):\n    each.append(n)"),
    "max of what it holds": ("x = [[1]]", "best = max(x, key=len)\nbest.append(1)"),
    "a function of the notebook": ("def add(l):\n    l.append(1)\nx = []", "add(x)"),
    "a function by keyword": ("def add(*, to):\n    to.append(1)\nx = []", "add(to=x)"),
    "a function by star arguments": ("def add(l):\n    l.append(1)\nx = []", "add(*[x])"),
    "a function's local alias": ("def add(l):\n    m = l\n    m.append(1)\nx = []", "add(x)"),
    "a function through a function": ("def add(l):\n    l.append(1)\ndef more(m):\n    add(m)\nx = []", "more(x)"),
    "recursion": ("def fill(l, n):\n    if n:\n        l.append(n)\n        fill(l, n - 1)\nx = []", "fill(x, 3)"),
    "functions that call one another": ("def f(l, n):\n    return g(l, n - 1)\ndef g(l, n):\n    l.append(n)\n    return n and f(l, n)\nx = []", "f(x, 3)"),
    "a global that a function changes": ("def add():\n    x.append(1)\nx = []", "add()"),
    "a function given to map": ("def add(l):\n    l.append(1)\nx = []", "list(map(add, [x]))"),
    "a lambda": ("x = []\nadd = lambda: x.append(1)", "add()"),
    "a function in a dictionary": ("def add():\n    x.append(1)\nx = []\ndo = {'add': add}", "do['add']()"),
    "a partial": ("import functools\ndef add(l):\n    l.append(1)\nx = []\np = functools.partial(add, x)", "p()"),
    "a closure": ("def make(l):\n    def add():\n        l.append(1)\n    return add\nx = []\nadd = make(x)", "add()"),
    "a method of its class": ("class A:\n    def go(self):\n        self.n = 1\nx = A()", "x.go()"),
    "a part of its argument": ("def go(d):\n    d['k'].append(1)\nx = []\nd = {}\nd['k'] = x", "go(d)"),
    "a part of itself": ("class A:\n    def go(self):\n        self.l.append(1)\nx, o = [], A()\no.l = x", "o.go()"),
    "a method through another": ("class A:\n    def go(self):\n        self.step()\n    def step(self):\n        self.n = 1\nx = A()", "x.go()"),
    "an inherited method": ("class A:\n    def go(self):\n        self.n = 1\nclass B(A): pass\nx = B()", "x.go()"),
    "super": ("class A:\n    def go(self):\n        self.n = 1\nclass B(A):\n    def go(self):\n        super().go()\nx = B()", "x.go()"),
    "calling an instance": ("class A:\n    def __call__(self):\n        self.n = 1\nx = A()", "x()"),
    "a method's argument": ("class A:\n    def go(self, l):\n        l.append(1)\nx, o = [], A()", "o.go(x)"),
    "a context manager's own state": ("class A:\n    def __enter__(self):\n        self.n = 1\n    def __exit__(self, *e): ...\nx = A()", "with x:\n    pass"),
    "a deep change of a pipeline's part": ("from sklearn.pipeline import Pipeline\nfrom sklearn.svm import SVC\nx = SVC()\np = Pipeline([('m', x)])", "p.fit([[1]], [1])"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CHANGES.values(), ids=CHANGES)
def test_a_change_makes_the_step_its_producer(first: str, second: str) -> None:
    found = pipeline(("step:a", first), ("step:b", second), ("step:c", "print(x)"))
    assert not found.errors, found.errors
    assert found.steps["c"].inputs["x"] == "b"
    assert found.steps["b"].inputs["x"] == "a"


# "b" only looks at x: "c" has it from "a", and runs at the same time.
LOOKS = {
    "reading": "print(x)",
    "a method that gives a new one": "y = x.copy()\ny.append(1)",
    "sorted": "y = sorted(x)\ny.append(1)",
    "a list of it": "y = list(x)\ny.append(1)",
    "a comprehension": "y = [v for v in x]\ny.append(1)",
    "addition": "y = x + [1]\ny.append(1)",
    "a parameter that is rebound": "def f(l):\n    l = l + [1]\n    return l\nf(x)",
    "a parameter's copy": "def f(l):\n    l = list(l)\n    l.append(1)\n    return l\nf(x)",
    "a local of the same name": "def f():\n    x = []\n    x.append(1)\nf()",
    "a column that was picked by a list": "y = x[['k']]\ny['l'] = 1",
    "rows that were picked by a condition": "y = x[x > 1]\ny['l'] = 1",
    "inplace=False": "y = x.dropna(inplace=False)",
    "an argument of fit": "from sklearn.svm import SVC\nSVC().fit(x, [1])",
    "a new name for something else": "y = x\ny = []\ny.append(1)",
    "a container that holds it": "d = {}\nd['x'] = x\nd['y'] = 1",
    "a string method of its name": "', '.join(map(str, x))",
    "passing it on": "import numpy as np\nnp.mean(x)",
    "set_index": "y = x.set_index('k')",
}  # fmt: skip


@pytest.mark.parametrize("second", LOOKS.values(), ids=LOOKS)
def test_looking_is_no_change(second: str) -> None:
    found = pipeline(
        ("step:a", "x = load = list('ab')"), ("step:b", second), ("step:c", "print(x)")
    )
    assert not found.errors, found.errors
    assert found.steps["c"].inputs["x"] == "a"
    assert edge(found, "b", "c") is None


# x is made in "a" with another name for it; "b" changes that one.
ALIASES = {
    "a second name": ("x = []\ny = x", "y.append(1)"),
    "a second name the other way round": ("y = []\nx = y", "y.append(1)"),
    "two targets": ("x = y = []", "y.append(1)"),
    "an attribute": ("import types\nx = types.SimpleNamespace(l=[])\ny = x.l", "y.append(1)"),
    "an item": ("x = {'l': []}\ny = x['l']", "y.append(1)"),
    "a dictionary that holds it": ("x = []\ny = {'x': x}", "y['x'].append(1)"),
    "a list that holds it": ("x = []\ny = [x]", "y[0].append(1)"),
    "a tuple that holds it": ("x = []\ny = (x, 1)", "y[0].append(1)"),
    "an attribute store": ("import types\nx, y = [], types.SimpleNamespace()\ny.l = x", "y.l.append(1)"),
    "an item store": ("x, y = [], {}\ny['x'] = x", "y['x'].append(1)"),
    "append": ("x, y = [], []\ny.append(x)", "y[0].append(1)"),
    "extend": ("x, y = [], []\ny.extend([x])", "y[0].append(1)"),
    "unpacking": ("x = []\ny, z = x, 1", "y.append(1)"),
    "a branch": ("x, other = [], []\ny = x if len('a') else other", "y.append(1)"),
    "or": ("x = []\ny = x or []", "y.append(1)"),
    "an instance's argument": ("class A:\n    def __init__(self, l):\n        self.l = l\nx = []\ny = A(x)", "y.l.append(1)"),
    "a function that gives it back": ("def same(l):\n    return l\nx = []\ny = same(x)", "y.append(1)"),
    "a function that gives a part": ("def part(d):\n    return d['k']\nx = {'k': []}\ny = part(x)", "y.append(1)"),
    "a function that gives a global": ("def get():\n    return x\nx = []\ny = get()", "y.append(1)"),
    "setdefault": ("x = {}\ny = x.setdefault('k', [])", "y.append(1)"),
    "fit gives itself": ("from sklearn.svm import SVC\nx = SVC()\ny = x.fit([[1]], [1])", "y.c = 1"),
    "a comprehension that holds it": ("x = []\ny = [x for _ in range(2)]", "y[0].append(1)"),
    "a loop's variable": ("x, z = [], []\nfor y in [z, x]:\n    pass", "y.append(1)"),
    "a walrus": ("x = []\n(y := x)", "y.append(1)"),
    "a bound method": ("x = []\ny = x.append", "y(1)"),
    "a bound method that is passed": ("x = []\ny = x.append", "list(map(y, [1]))"),
    "a bound method of its class": ("class A:\n    def go(self):\n        self.n = 1\nx = A()\ny = x.go", "y()"),
    "with … as": ("import contextlib\nx = []\nwith contextlib.nullcontext(x) as y:\n    pass", "y.append(1)"),
    "an array's view": ("import numpy as np\nx = np.zeros(4)\ny = x[1:3]", "y[0] = 1"),
    "reshape": ("import numpy as np\nx = np.zeros(4)\ny = x.reshape(2, 2)", "y[0] = 1"),
    "a default argument": ("x = []\ndef f(l=x):\n    l.append(1)", "f()"),
    "a class attribute": ("x = []\nclass A:\n    items = x\n    def add(self):\n        self.items.append(1)\ny = A()", "y.add()"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), ALIASES.values(), ids=ALIASES)
def test_a_change_through_another_name_is_seen(first: str, second: str) -> None:
    found = pipeline(("step:a", first), ("step:b", second), ("step:c", "print(x)"))
    assert not found.errors, found.errors
    assert found.steps["c"].inputs["x"] == "b"
    assert found.steps["b"].inputs["x"] == "a"


def test_an_alias_that_is_made_later_brings_both_names_from_one_step() -> None:
    found = pipeline(
        ("step:a", "x = []"), ("step:b", "y = x"), ("step:c", "y.append(1)"), ("step:d", "x, y")
    )
    assert dict(found.steps["c"].inputs) == {"x": "b", "y": "b"}
    assert set(found.steps["b"].outputs) == {"x", "y"}
    assert dict(found.steps["d"].inputs) == {"x": "c", "y": "c"}


def test_names_that_are_compared_by_identity_come_from_one_step() -> None:
    found = pipeline(("step:a", "x = []"), ("step:b", "y = x"), ("step:c", "print(x is y)"))
    assert dict(found.steps["c"].inputs) == {"x": "b", "y": "b"}


def test_two_steps_that_only_read_are_not_ordered() -> None:
    found = pipeline(("step:a", "x = []"), ("step:b", "len(x)"), ("step:c", "max(x)"))
    assert [(e.source, e.target) for e in found.edges] == [("a", "b"), ("a", "c")]


TAKEN_OUT = (
    "import csv\nx = [dict(row) for row in csv.DictReader(open('f'))]",
    "import csv\nwith open('f') as f:\n    x = list(csv.reader(f))",
    "import csv\nx = next(csv.reader(open('f')))",
    "x = [line.split() for line in open('f')]",
    "x = {n: line for n, line in enumerate(open('f'))}",
    "x = []\nfor line in open('f'):\n    x.append(line)",
    "x = list(zip([1], [2]))",
    "y, x = zip(*[(1, 2)])",
    "x = sorted(filter(None, [1]))",
    "x = tuple(line for line in open('f'))",
    "import itertools\nx = list(itertools.islice(open('f'), 3))",
)


@pytest.mark.parametrize("first", TAKEN_OUT)
def test_what_was_taken_out_of_an_iterator_can_be_read_twice(first: str) -> None:
    made = pipeline(("step:a", first), ("step:b", "y = [*x]"), ("step:c", "z = [*x]"))
    assert edge(made, "b", "c") is None
    assert made.steps["c"].inputs["x"] == "a"


def test_two_steps_that_change_are_ordered_as_in_the_notebook() -> None:
    found = pipeline(
        ("step:a", "x = []"), ("step:b", "x.sort()"), ("step:c", "x.append(2)"), ("step:d", "x")
    )
    assert [(e.source, e.target) for e in found.edges] == [("a", "b"), ("b", "c"), ("c", "d")]


def test_a_reader_between_two_changes_has_the_first() -> None:
    found = pipeline(
        ("step:a", "x = []"), ("step:b", "print(x)"), ("step:c", "x.append(2)"), ("step:d", "x")
    )
    assert found.steps["b"].inputs["x"] == "a"
    assert found.steps["d"].inputs["x"] == "c"
    assert edge(found, "b", "c") is None


def test_a_number_that_has_two_names_is_not_shared() -> None:
    found = pipeline(("step:a", "x = 1\ny = x"), ("step:b", "y += 1"), ("step:c", "print(x, y)"))
    assert dict(found.steps["c"].inputs) == {"x": "a", "y": "b"}


def test_rebinding_breaks_an_alias() -> None:
    found = pipeline(
        ("step:a", "x = []\ny = x\ny = []"), ("step:b", "y.append(1)"), ("step:c", "x, y")
    )
    assert dict(found.steps["c"].inputs) == {"x": "a", "y": "b"}


def test_the_changes_tag_is_believed() -> None:
    found = pipeline(
        ("step:a", "x = object()"),
        (["step:b", "changes:x"], "import lib\nlib.touch(x)"),
        ("step:c", "x"),
    )
    assert found.steps["c"].inputs["x"] == "b"


def test_a_changes_tag_that_names_nothing_is_reported() -> None:
    found = pipeline(("step:a", "model = 1"), (["step:b", "changes:modle"], "print(model)"))
    assert [d.code for d in found.diagnostics] == ["KFNB-W111"]
    assert found.diagnostics[0].remedy == 'Did you mean "model"?'


def test_a_mutable_default_that_the_body_changes_makes_the_function_a_value() -> None:
    found = pipeline(
        ("step:a", "def f(v, seen=[]):\n    seen.append(v)\n    return seen"),
        ("step:b", "f(1)"),
        ("step:c", "print(f(2))"),
    )
    assert dict(found.steps["c"].inputs) == {"f": "b"}
    assert "f" not in found.steps["c"].definitions


def test_a_counter_in_a_closure_is_state() -> None:
    found = pipeline(
        ("step:a", "def counter():\n    n = 0\n    def tick():\n        nonlocal n\n        n += 1\n        return n\n    return tick\ntick = counter()"),
        ("step:b", "tick()"),
        ("step:c", "print(tick())"),
    )  # fmt: skip
    assert dict(found.steps["c"].inputs) == {"tick": "b"}


# "a" makes x with a function that reads k; "b" changes k, and "c" uses x only.
DONE = {
    "a method that applies it": "x = load.map(lambda v: v * k)",
    "a column": "x = {}\nx['k'] = load.apply(lambda v: v * k)",
    "map": "x = list(map(lambda v: v * k, [1]))",
    "sorted by a key": "x = sorted([1], key=lambda v: v * k)",
    "max by a key": "x = max([[1]], key=lambda v: k)",
    "a comprehension": "x = [f(v) for v in [1]]",
    "a call": "x = f(1)",
    "a call of a partial": "import functools\nx = functools.partial(f, 1)()",
    "joblib": "from joblib import Parallel, delayed\nx = Parallel()(delayed(f)(v) for v in [1])",
    "calling an instance": "net = Net()\nx = net(1)",
    "a method of an instance": "net = Net()\nx = net.predict(1)",
}


@pytest.mark.parametrize("source", DONE.values(), ids=DONE)
def test_a_result_does_not_carry_the_function_that_made_it(source: str) -> None:
    first = "k, load = 1, open('f')\ndef f(v): return v * k\nclass Net(object):\n    def forward(self): return k\n"
    found = pipeline(("step:a", first + source), ("step:b", "k = 2"), ("step:c", "print(x)"))
    assert dict(found.steps["c"].inputs) == {"x": "a"}


# Here x does carry it: whoever uses x may call it, and reads the k of then.
CARRIED = {
    "a list": "x = [f]",
    "a dictionary's values": "x = list({'f': f}.values())",
    "a partial": "import functools\nx = functools.partial(f, 1)",
    "a wrapper": "import numpy as np\nx = np.vectorize(f)",
    "an object that is given it": "from lib import Runner\nx = Runner(f)",
    "an instance of its class": "x = Net()",
    "a list of classes": "x = [Net]",
    "an instance from a registry": "x = {'net': Net}['net']()",
    "a lambda": "x = lambda: k",
    "a closure": "def make():\n    return lambda: k\nx = make()",
    "a decorated function": "import functools\n@functools.wraps(f)\ndef g(): return k\nx = g",
    "adding a handler": "from lib import App\nx = App()\nx.add_handler(f)",
}


@pytest.mark.parametrize("source", CARRIED.values(), ids=CARRIED)
def test_a_value_may_carry_a_function(source: str) -> None:
    first = "k = 1\ndef f(v=1): return v * k\nclass Net(object):\n    def forward(self): return k\n"
    found = pipeline(("step:a", first + source), ("step:b", "k = 2"), ("step:c", "print(x)"))
    assert dict(found.steps["c"].inputs) == {"x": "a", "k": "b"}


APART = {
    "a library's function": "from sklearn.model_selection import train_test_split as split\nx, y = split([1])",
    "a function of the notebook": "def split(v):\n    return v + 1, v + 2\nx, y = split(open('f'))",
    "nested targets": "import lib\nx, (y, z) = lib.split([1])",
}


@pytest.mark.parametrize("source", APART.values(), ids=APART)
def test_what_one_call_gives_are_several_things(source: str) -> None:
    found = pipeline(("step:a", source), ("step:b", "x['k'] = 1"), ("step:c", "print(y)"))
    assert dict(found.steps["c"].inputs) == {"y": "a"}


def test_a_figure_and_its_axes_are_one_thing() -> None:
    found = pipeline(
        ("step:a", "import matplotlib.pyplot as plt\nfigure, (left, right) = plt.subplots(1, 2)"),
        ("step:b", "left.plot([1])"),
        ("step:c", "figure.savefig('f.png')"),
    )
    assert dict(found.steps["c"].inputs) == {"figure": "b"}


def test_names_of_what_one_call_gives_share_what_it_was_given() -> None:
    found = pipeline(
        ("step:a", "def pair(v):\n    return v, [v]\nx = []\ny, z = pair(x)"),
        ("step:b", "y.append(1)"),
        ("step:c", "print(x)"),
    )
    assert found.steps["c"].inputs["x"] == "b"
