"""Steps that need nothing of one another, with all edges of each notebook.

A false edge costs the notebook its parallelism, so the edges are compared exactly. Steps are named
by a letter; ``"ab ac"`` are the edges a → b and a → c.
"""

from __future__ import annotations

import pytest

from tests.notebook.build import pipeline

NET = """
class Net:
    def __init__(self, width):
        self.weights = [0.0] * width
    def step(self, x):
        self.weights[0] += len(x)
        return self
"""
DATA = "import numpy as np\nX = np.ones((3, 2))\ny = [0, 1, 1]"
SKLEARN = (
    "from sklearn.ensemble import RandomForestClassifier\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "from sklearn.pipeline import make_pipeline\n"
    "from sklearn.model_selection import cross_val_score"
)
TORCH = "import torch\nfrom torch import nn"

Cells = dict[str, str]

NOTEBOOKS: dict[str, tuple[Cells, str]] = {
    "a function that makes an object and trains it": (
        {
            "setup": NET + "def train(lr):\n    net = Net(X.shape[1])\n    net.step(X)\n    return net",
            "a": DATA, "b": "m1 = train(0.1)", "c": "m2 = train(0.2)",
        },
        "ab ac",
    ),
    "an object of the notebook's class, given a number of the data": (
        {"setup": NET, "a": DATA, "b": "m1 = Net(X.shape[1])\nm1.step(X)", "c": "m2 = Net(X.shape[1])\nm2.step(X)"},
        "ab ac",
    ),
    "an estimator with a number of the data": (
        {
            "setup": SKLEARN, "a": DATA,
            "b": "m1 = RandomForestClassifier(max_features=X.shape[1]).fit(X, y)",
            "c": "m2 = RandomForestClassifier(max_features=X.shape[1]).fit(X, y)",
        },
        "ab ac",
    ),
    "an estimator with an attribute of a configuration": (
        {
            "setup": SKLEARN + "\nfrom types import SimpleNamespace",
            "a": DATA + "\nconfig = SimpleNamespace(depth=3)",
            "b": "m1 = RandomForestClassifier(max_depth=config.depth)\nm1.fit(X, y)",
            "c": "m2 = RandomForestClassifier(max_depth=config.depth)\nm2.fit(X, y)",
        },
        "ab ac",
    ),
    "an estimator with an item of a configuration": (
        {
            "setup": SKLEARN, "a": DATA + "\nconfig = {'depth': 3}",
            "b": "m1 = RandomForestClassifier(max_depth=config['depth'])\nm1.fit(X, y)",
            "c": "m2 = RandomForestClassifier(max_depth=config['depth'])\nm2.fit(X, y)",
        },
        "ab ac",
    ),
    "a name bound to an attribute": (
        {
            "setup": SKLEARN, "a": DATA,
            "b": "n = X.shape[1]\nm1 = RandomForestClassifier(max_features=n)\nm1.fit(X, y)",
            "c": "m2 = LogisticRegression()\nm2.fit(X, y)",
        },
        "ab ac",
    ),
    "a function that fits a fresh estimator": (
        {
            "setup": SKLEARN + "\ndef fit(kind, **options):\n    return kind(**options).fit(X, y)",
            "a": DATA, "b": "m1 = fit(LogisticRegression, C=1)", "c": "m2 = fit(RandomForestClassifier)",
        },
        "ab ac",
    ),
    "two fits and a comparison": (
        {
            "setup": SKLEARN, "a": DATA, "b": "m1 = LogisticRegression().fit(X, y)",
            "c": "m2 = RandomForestClassifier().fit(X, y)", "d": "print(m1.score(X, y), m2.score(X, y))",
        },
        "ab ac ad bd cd",
    ),
    "frames that are filtered": (
        {
            "setup": "import pandas as pd", "a": "df = pd.read_csv('f.csv')",
            "b": "old = df[df.age > 50]\nold['k'] = 1", "c": "young = df[df.age <= 50]\nyoung['k'] = 2",
        },
        "ab ac",
    ),
    "frames that are copied and changed": (
        {
            "setup": "import pandas as pd", "a": "df = pd.read_csv('f.csv')",
            "b": "x = df.copy()\nx['k'] = 1", "c": "z = df.copy()\nz.drop(columns='k', inplace=True)",
        },
        "ab ac",
    ),
    "a grouped frame": (
        {
            "setup": "import pandas as pd", "a": "df = pd.read_csv('f.csv')",
            "b": "means = df.groupby('k').mean()\nmeans['n'] = df.groupby('k').size()",
            "c": "top = df.sort_values('k').head(3)\ntop['rank'] = range(3)",
        },
        "ab ac",
    ),
    "a column in an expression": (
        {
            "setup": "import pandas as pd", "a": "df = pd.read_csv('f.csv')",
            "b": "ratio = df['a'] / df['b']\nratio += 1", "c": "total = df.a + df.b\ntotal[0] = 0",
        },
        "ab ac",
    ),
    "plots of one frame": (
        {
            "setup": "import pandas as pd\nimport matplotlib.pyplot as plt", "a": "df = pd.read_csv('f.csv')",
            "b": "fig, ax = plt.subplots()\nax.plot(df.index, df.a)\nax.set_title('a')",
            "c": "fig2, ax2 = plt.subplots()\nax2.plot(df.index, df.b)",
        },
        "ab ac",
    ),
    "arrays that are sliced and summed": (
        {"setup": "import numpy as np", "a": "x = np.zeros(9)", "b": "p = x[:3].sum()", "c": "q = x[3:].mean()"},
        "ab ac",
    ),
    "arrays of the shape of another": (
        {
            "setup": "import numpy as np", "a": "x = np.zeros(9)",
            "b": "p = np.empty(x.shape)\np[0] = 1", "c": "q = np.empty_like(x)\nq.fill(2)",
        },
        "ab ac",
    ),
    "a length in a range": (
        {"a": "x = [1, 2]", "b": "p = [n for n in range(len(x))]\np.append(1)", "c": "q = list(range(len(x)))\nq.sort()"},
        "ab ac",
    ),
    "lists made of a list": (
        {"a": "x = [3, 1]", "b": "p = sorted(x)\np.append(1)", "c": "q = x + [1]\nq.sort()"},
        "ab ac",
    ),
    "dictionaries made of a list": (
        {"a": "x = ['a', 'b']", "b": "p = dict.fromkeys(x, 0)\np['a'] += 1", "c": "q = {k: [] for k in x}\nq['a'].append(1)"},
        "ab ac",
    ),
    "texts": (
        {"a": "text = 'a b'", "b": "words = text.split()\nwords.append('c')", "c": "rows = text.upper().splitlines()\nrows.sort()"},
        "ab ac",
    ),
    "objects of one class": (
        {"setup": NET, "b": "m1 = Net(3)\nm1.step([1])", "c": "m2 = Net(4)\nm2.step([2])"},
        "",
    ),
    "a method that returns a new object": (
        {
            "setup": "class Table:\n    def __init__(self, rows):\n        self.rows = rows\n    def where(self, f):\n        return Table([r for r in self.rows if f(r)])\n    def add(self, r):\n        self.rows.append(r)",
            "a": "t = Table([1, 2])",
            "b": "p = t.where(lambda r: r > 1)\np.add(3)", "c": "q = t.where(lambda r: r < 2)\nq.add(4)",
        },
        "ab ac",
    ),
    "a function with a local list": (
        {
            "setup": "def collect(rows):\n    found = []\n    for row in rows:\n        found.append(row * 2)\n    return found",
            "a": "x = [1, 2]", "b": "p = collect(x)\np.append(1)", "c": "q = collect(x)\nq.append(2)",
        },
        "ab ac",
    ),
    "a function that reads a setting": (
        {
            "setup": "SETTINGS = {'rate': 0.1}\ndef rate(n):\n    return SETTINGS['rate'] * n",
            "b": "p = rate(1)", "c": "q = rate(2)",
        },
        "",
    ),
    "a default that nobody changes": (
        {"setup": "def pick(x, names=['a']):\n    return [x[n] for n in names]", "a": "x = {'a': 1}", "b": "p = pick(x)", "c": "q = pick(x)"},
        "ab ac",
    ),
    "closures of one factory": (
        {
            "setup": "def counter(start):\n    n = start\n    def add():\n        nonlocal n\n        n += 1\n        return n\n    return add",
            "b": "p = counter(1)\np()", "c": "q = counter(2)\nq()",
        },
        "",
    ),
    "generators of their own": (
        {
            "setup": "import numpy as np", "a": "seed = 3",
            "b": "r1 = np.random.default_rng(seed)\np = r1.normal(size=3)",
            "c": "r2 = np.random.default_rng(seed)\nq = r2.normal(size=3)",
        },
        "ab ac",
    ),
    "networks and their optimisers": (
        {
            "setup": TORCH, "a": "X = torch.ones(3, 2)",
            "b": "n1 = nn.Linear(X.shape[1], 1)\no1 = torch.optim.SGD(n1.parameters())\nn1(X).sum().backward()\no1.step()",
            "c": "n2 = nn.Linear(X.shape[1], 1)\no2 = torch.optim.SGD(n2.parameters())\nn2(X).sum().backward()\no2.step()",
        },
        "ab ac",
    ),
    "searches over one estimator's class": (
        {
            "setup": SKLEARN + "\nfrom sklearn.model_selection import GridSearchCV", "a": DATA,
            "b": "s1 = GridSearchCV(LogisticRegression(), {'C': [1]})\ns1.fit(X, y)",
            "c": "s2 = GridSearchCV(RandomForestClassifier(), {'max_depth': [1]})\ns2.fit(X, y)",
        },
        "ab ac",
    ),
    "cross validation": (
        {
            "setup": SKLEARN, "a": DATA,
            "b": "p = cross_val_score(LogisticRegression(), X, y).mean()",
            "c": "q = cross_val_score(RandomForestClassifier(), X, y).mean()",
        },
        "ab ac",
    ),
    "pipelines with steps of their own": (
        {
            "setup": SKLEARN + "\nfrom sklearn.preprocessing import StandardScaler", "a": DATA,
            "b": "m1 = make_pipeline(StandardScaler(), LogisticRegression())\nm1.fit(X, y)",
            "c": "m2 = make_pipeline(StandardScaler(), RandomForestClassifier())\nm2.fit(X, y)",
        },
        "ab ac",
    ),
    "clones of one transformer": (
        {
            "setup": SKLEARN + "\nfrom sklearn.base import clone\nfrom sklearn.preprocessing import StandardScaler",
            "a": DATA + "\nprep = StandardScaler()",
            "b": "m1 = make_pipeline(clone(prep), LogisticRegression())\nm1.fit(X, y)",
            "c": "m2 = make_pipeline(clone(prep), RandomForestClassifier())\nm2.fit(X, y)",
        },
        "ab ac",
    ),
    "a shape that is unpacked": (
        {"setup": NET + "import numpy as np", "a": "X = np.ones((3, 2))", "b": "n, d = X.shape\nm1 = Net(d)\nm1.step(X)", "c": "m2 = Net(len(X))\nm2.step(X)"},
        "ab ac",
    ),
    "a dataclass with a number of another": (
        {
            "setup": "from dataclasses import dataclass\n@dataclass\nclass Run:\n    depth: int\n    done: bool = False\n    def finish(self):\n        self.done = True",
            "a": "first = Run(3)",
            "b": "p = Run(first.depth)\np.finish()", "c": "q = Run(first.depth + 1)\nq.finish()",
        },
        "ab ac",
    ),
}  # fmt: skip


def test_there_are_at_least_thirty_of_them() -> None:
    assert len(NOTEBOOKS) >= 30


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_steps_that_are_independent_have_these_edges_and_no_other(name: str) -> None:
    cells, wanted = NOTEBOOKS[name]
    found = pipeline(*((t if t == "setup" else f"step:{t}", source) for t, source in cells.items()))
    assert [d.code for d in found.diagnostics if d.severity == "error"] == []
    edges = sorted(f"{e.source}{e.target}" for e in found.edges)
    assert edges == wanted.split(), [str(e) for e in found.edges]
