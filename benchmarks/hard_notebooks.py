"""Notebooks that are hard to analyse: 200 cells of 30 lines with too much of one feature each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .notebooks import write

CELLS, LINES = 200, 30
NAMES = 10_000
Cells = list[tuple[Sequence[str], str]]


def plain_cells() -> Cells:
    """Frames that are loaded, changed and passed on."""
    cells: Cells = [(["setup"], "import numpy as np\nimport pandas as pd")]
    for step in range(CELLS - 1):
        before = f"frame{step - 1}" if step else "pd.DataFrame({'a': np.arange(10)})"
        body = [f"frame{step} = {before}.copy()"]
        body += [
            f"frame{step}['c{n}'] = frame{step}['a'] * {n} + len(frame{step}.columns)"
            for n in range(LINES - 1)
        ]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def deep_classes() -> Cells:
    """Classes that inherit, hold one another, and call their own methods."""
    cells: Cells = []
    depth = CELLS // 2
    for number in range(depth):
        base = f"(Layer{number - 1})" if number else ""
        body = [f"class Layer{number}{base}:"]
        body += ["    def __init__(self, *parts):", "        self.parts = list(parts)"]
        for method in range(9):
            body += [
                f"    def m{method}(self, x):",
                f"        y = self.m{(method + 1) % 9}(x) if x else table.get(x)",
                "        return [p.m0(y) for p in self.parts] + [self.rest(x, y)]",
            ]
        cells.append((["setup"], "\n".join(body)))
    cells.append((["step:first"], "table = {}\nnet = Layer0()"))
    for step in range(CELLS - depth - 1):
        body = [f"net = Layer{step % depth}(net, *[Layer{step % 7}() for _ in range(3)])"]
        body += [f"out{step}_{n} = net.m{n % 9}({n})" for n in range(LINES - 1)]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def long_functions() -> Cells:
    """Functions of hundreds of lines with branches, loops and functions inside."""
    cells: Cells = []
    for number in range(CELLS // 10):
        body = [f"def work{number}(x, y=None):"]
        for part in range(LINES * 10 // 10):
            body += [
                f"    def inner{part}(a, b=x):",
                f"        return a + x + y + limit + inner{max(part - 1, 0)}(b, a)",
                f"    if x > {part}:",
                f"        for i in range({part}):",
                f"            x = inner{part}(x, i)",
                "            try:",
                "                y.append(x)",
                "            except ValueError:",
                "                continue",
                f"    z = work{(number + 1) % (CELLS // 10)}(x, y)",
            ]
        body.append("    return x, y, z")
        cells.append((["setup"], "\n".join(body)))
    cells.append((["step:first"], "limit = 3\nvalues = []"))
    for step in range(CELLS // 10 - 1):
        cells.append(([f"step:s{step}"], f"r{step} = work{step}({step}, values)"))
    return cells


def calls_of_calls() -> Cells:
    """Functions that all call one another and read what steps assign between their calls."""
    count = CELLS // 2
    cells: Cells = [
        (
            ["setup"],
            "\n".join(
                f"def f{n}_{m}(x):\n"
                f"    return f{(n * 7 + m) % count}_0(x) + f{(n + 1) % count}_{(m + 1) % 15}(g{m})"
                for m in range(LINES // 2)
            ),
        )
        for n in range(count)
    ]
    for step in range(CELLS - count):
        body = [f"g{n} = {step}" for n in range(LINES // 2)]
        body += [f"h{n} = f{step % count}_{n}(g{n})" for n in range(LINES // 2)]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def functions_as_values() -> Cells:
    """Functions in lists, dictionaries, closures and partials, called through them."""
    cells: Cells = [(["setup"], "import functools\nhooks = []\ntable = {}")]
    for step in range(CELLS - 1):
        body = []
        for n in range(LINES // 3):
            body += [
                f"def hook{step}_{n}(f=None, *a): return [h(f) for h in hooks], table",
                f"hooks.append(functools.partial(hook{step}_{n}, lambda x: table[x](hooks)))",
                f"table['{n}'] = hooks[{n}](hooks, hook{step}_{n})",
            ]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def branches() -> Cells:
    """Branches, loops and handlers within one another."""
    cells: Cells = [(["step:first"], "x, rows = 0, []")]
    for step in range(CELLS - 1):
        body, depth = [], 0
        for line in range(LINES - 1):
            kind = (
                "for i{0} in range(x):",
                "if x > {0}:",
                "while rows:",
                "with open('f') as f{0}:",
            )[line % 4]
            body.append("    " * depth + kind.format(line % 12))
            depth += 1
            if depth > 11:
                body.append("    " * depth + "x = x + len(rows); rows.append(x)")
                depth = 0
        body.append("    " * depth + "x += 1")
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def huge_literals() -> Cells:
    """Lists and dictionaries of numbers and texts, written out."""
    row = ", ".join(f"('k{n}', {n}.5, [{n}, -{n}])" for n in range(3))
    return [
        ([f"step:s{step}"], f"data{step} = [\n" + f"  {row},\n" * (LINES - 2) + "]")
        for step in range(CELLS)
    ]


def many_names() -> Cells:
    """Ten thousand names, all read by a function at the end."""
    each = NAMES // (CELLS - 2)
    cells: Cells = [
        ([f"step:s{step}"], "\n".join(f"n{step}_{n} = {n}" for n in range(each)))
        for step in range(CELLS - 2)
    ]
    body = "\n".join(
        "    " + " + ".join(f"n{step}_{n}" for n in range(each)) for step in range(CELLS - 2)
    )
    cells.append((["step:sum"], f"def everything():\n{body}\n    return 1"))
    cells.append((["step:end"], "everything()"))
    return cells


def aliases() -> Cells:
    """Objects that hold objects that hold objects, changed through any of them."""
    cells: Cells = [(["step:first"], "a0 = []\nb0 = {}")]
    for step in range(1, CELLS):
        body = [
            f"a{step} = [a{step - 1}, b{step - 1}]",
            f"b{step} = {{'a': a{step}, 'b': b{step - 1}}}",
        ]
        for n in range((LINES - 2) // 4):
            body += [
                f"c{n} = a{step}[{n}]",
                f"c{n}.append(b{step}['a'])",
                f"a{step}.extend(c{n})",
                f"b{step}['{n}'] = [x for x in a{step} if x is not c{n}]",
            ]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def all_read_one() -> Cells:
    """Setup functions that every step reaches."""
    cells: Cells = [
        (
            ["setup"],
            "\n".join(
                f"def h{c}_{n}(x): return h{max(c - 1, 0)}_{n}(x) + BASE" for n in range(LINES)
            ),
        )
        for c in range(CELLS // 10)
    ]
    cells.append((["parameters"], "BASE = 1"))
    for step in range(CELLS - CELLS // 10 - 1):
        body = [f"v{step}_{n} = h{CELLS // 10 - 1}_{n}({n})" for n in range(LINES)]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


def loops() -> Cells:
    """Loops over constants within one another, and the files that they name."""
    cells: Cells = []
    for step in range(CELLS):
        body = [
            f"{'    ' * depth}for i{depth} in range({60 - depth}):" for depth in range(LINES // 3)
        ]
        inner = "    " * (LINES // 3)
        body += [f"{inner}open(f'{{i0}}-{{i{n}}}-{step}', 'w').write(str(i{n}))" for n in range(9)]
        body += [
            f"x{n} = [[[open(f'{{a}}-{{b}}') for a in range(50)] for b in range(50)] for c in x{n}]"
            for n in range(LINES // 3)
        ]
        cells.append(([f"step:s{step}"], "\n".join(body)))
    return cells


HARD: dict[str, Callable[[], Cells]] = {
    make.__name__: make
    for make in (
        plain_cells, deep_classes, long_functions, calls_of_calls, functions_as_values, branches,
        huge_literals, many_names, aliases, all_read_one, loops,
    )
}  # fmt: skip


def hard(folder: Path, name: str) -> Path:
    """Write one of :data:`HARD` as a notebook."""
    return write(folder / f"{name}.ipynb", HARD[name]())
