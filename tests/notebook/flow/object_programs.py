"""Random programs over objects of one class, that keep, share and change one another."""

from __future__ import annotations

from random import Random

SETUP = """\
class Box:
    def __init__(self, a, b=None):
        self.a = a
        self.b = b
        self.n = 0
        self.log = []
    def bump(self):
        self.n += 1
        return self
    def note(self, v):
        self.log.append(v)
    def put(self, v):
        self.b = v
    def grow(self):
        self.a.append(self.n)
    def inner(self):
        return self.b
    def items(self):
        return self.a
    def deep(self):
        if isinstance(self.b, Box):
            self.b.bump()
            self.b.log.append(9)
    def hand(self, other):
        other.a = self.log
        return other
    def __repr__(self):
        return f"Box({self.a}, {self.b}, {self.n}, {self.log})"
class Sub(Box):
    def __init__(self, a):
        super().__init__(a)
        self.extra = {"a": a}
    def bump(self):
        super().bump()
        self.extra["k"] = self.n
        return self
def make(a):
    x = Box(a)
    x.bump()
    return x
def wrap(x):
    return Box([x], x)
def train(x):
    x.bump()
    x.note(1)
def first(x):
    return x.items()
def each(xs):
    for x in xs:
        if isinstance(x, Box):
            x.bump()
def swap(x, y):
    x.a, y.a = y.a, x.a
def keep(d, k, x):
    d[k] = x
def pick(d, k):
    return d.get(k)
"""

LISTS = (
    "[3]",
    "{box}.items()",
    "first({box})",
    "{box}.log",
    "{box}.a",
    "{list} + {list}",
    "list({list})",
)
BOXES = (
    "Box({list})", "make({list})", "Sub({list})", "wrap({box})", "Box({list}, {box})",
    "{box}.bump()", "{box}", "{box}.hand({box})", "{box}.inner() or Box([])",
)  # fmt: skip
DICTS = ("{}", "{'k': {box}}", "dict(k={list})", "dict({dict})", "{dict}.copy()")
CHANGES = (
    "{box}.bump()", "{box}.note({list})", "{box}.put({box})", "{box}.grow()", "{box}.deep()",
    "train({box})", "each([{box}, {box}])", "each({list})", "swap({box}, {box})",
    "keep({dict}, 'k', {box})", "keep({dict}, 'j', {list})", "{list}.append(5)",
    "{box}.a.append(1)", "{box}.n += 1", "{box}.log = {list}", "{box}.items().append(2)",
    "getattr({box}, 'log').append(3)", "setattr({box}, 'a', {list})", "{box}.a += [7]",
    "[x.bump() for x in [{box}, {box}]]", "{box}.a = list({list})", "{box}.log = [*{list}]",
    "for i, x in enumerate([{box}, {box}]):\n    x.note(i)",
    "for x, y in zip([{box}], [{list}]):\n    x.a = y",
    "for v in {dict}.values():\n    if isinstance(v, Box):\n        v.bump()",
    "x = pick({dict}, 'k')\nif isinstance(x, list):\n    x.append(4)",
    "{dict}.update(m={box})", "{dict}['z'] = [{box}]", "each({dict}.get('z', []))",
    "{dict}.setdefault('q', []).append({list})",
)  # fmt: skip
PRINT = "try:\n    print({names})\nexcept RecursionError:\n    print('deep')"


def object_program(random: Random) -> list[tuple[str, str]]:
    """Give the cells of a notebook: setup, and three to six steps."""
    names: dict[str, list[str]] = {"list": ["l"], "box": ["b"], "dict": ["d"]}
    cells = [("setup", SETUP)]
    for step in range(random.randint(3, 6)):
        body = ["l = [1]\nb = Box(l)\nd = {}"] if not step else []
        body += [_statement(random, names, f"{step}_{n}") for n in range(random.randint(1, 4))]
        if random.random() < 0.7:
            shown = random.sample([n for kind in names.values() for n in kind], 2)
            body.append(PRINT.format(names=", ".join(shown)))
        cells.append((f"step:s{step}", "\n".join(body)))
    return cells


def _statement(random: Random, names: dict[str, list[str]], number: str) -> str:
    kind, templates = random.choice(
        [("list", LISTS), ("box", BOXES), ("dict", DICTS), *[("", CHANGES)] * 4]
    )
    text = random.choice(templates)
    for each, known in names.items():
        while f"{{{each}}}" in text:
            text = text.replace(f"{{{each}}}", random.choice(known), 1)
    if not kind:
        return text
    names[kind].append(f"{kind[0]}{number}")
    return f"{kind[0]}{number} = {text}"
