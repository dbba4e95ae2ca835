"""Random notebooks that work from top to bottom: a hypothesis strategy.

A model of what each name is at each point keeps the programs valid; what the
pipeline must get right is left to chance: who changes what, through which name,
and where the cuts between steps fall.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

SETUP = """
import contextlib

class Box:
    made = []

    def __init__(self, value):
        self.value = value
        self.items = []

    def put(self, value):
        self.items.append(value)
        return self

    def __repr__(self):
        return f"Box({self.value}, {self.items})"

def grow(target, value):
    target.append(value)
    return len(target)

def total(values):
    return sum(v for v in values if isinstance(v, int))
"""

Cell = tuple[tuple[str, ...], str]


@dataclass
class Writer:
    """Draws statements, knowing what each name is."""

    draw: Any
    names: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def new(self, kind: str) -> str:
        same = self.of(kind)
        if same and self.draw(st.integers(0, 2)) == 0:
            return str(self.draw(st.sampled_from(same)))
        self.made += 1
        name = f"{kind[0]}{self.made}"
        self.names[name] = kind
        return name

    def of(self, kind: str) -> list[str]:
        return [n for n, k in self.names.items() if k == kind]

    def some(self, kind: str) -> str:
        return str(self.draw(st.sampled_from(self.of(kind))))

    def number(self) -> str:
        choices = [str(self.draw(st.integers(-9, 9)))]
        if self.of("int"):
            choices += [self.some("int"), f"{self.some('int')} + 1"]
        if self.of("list"):
            choices += [f"len({self.some('list')})", f"total({self.some('list')})"]
        if self.of("function"):
            choices.append(f"{self.some('function')}({self.draw(st.integers(0, 5))})")
        if self.of("module"):
            choices.append(f"{self.some('module')}.floor({self.draw(st.integers(0, 9))} / 2)")
        return str(self.draw(st.sampled_from(choices)))

    def statement(self, depth: int = 0) -> str:
        kinds = ["int", "list", "alias", "unpack", "walrus", "import"]
        if self.of("int"):
            kinds += ["add", "function", "global"]
        if self.of("list"):
            kinds += [
                "append",
                "grow",
                "dict",
                "sort",
                "default",
                "with",
                "box",
                "extend",
                "closure",
            ]
        if self.of("dict"):
            kinds += ["item", "inner", "pop"]
        if self.of("box"):
            kinds += ["put", "share", "attribute"]
        if len(self.names) > 4 and depth == 0:
            kinds.append("delete")
        if depth == 0 and self.of("list") and self.of("int"):
            kinds += ["branch", "loop", "try"]
        return str(getattr(self, "_" + self.draw(st.sampled_from(kinds)))())

    def _int(self) -> str:
        value = self.number()
        return f"{self.new('int')} = {value}"

    def _list(self) -> str:
        values = ", ".join(self.number() for _ in range(self.draw(st.integers(0, 3))))
        return f"{self.new('list')} = [{values}]"

    def _alias(self) -> str:
        kind = self.draw(st.sampled_from(["list", "dict", "box", "int", "function"]))
        if not self.of(kind):
            return self._int()
        source = self.some(kind)
        return f"{self.new(kind)} = {source}"

    def _unpack(self) -> str:
        one, two = self.number(), self.number()
        return f"{self.new('int')}, ({self.new('list')}) = {one}, [{two}]"

    def _import(self) -> str:
        return f"import math as {self.new('module')}"

    def _comprehension(self) -> str:
        source, value = self.some("list"), self.number()
        return f"{self.new('list')} = [v for v in {source} if v != {value}]"

    def _walrus(self) -> str:
        value = self.number()
        return f"print({self.new('int')} := {value})"

    def _add(self) -> str:
        return f"{self.some('int')} += {self.number()}"

    def _append(self) -> str:
        return f"{self.some('list')}.append({self.number()})"

    def _extend(self) -> str:
        return f"{self.some('list')} += [{self.number()}]"

    def _grow(self) -> str:
        target, value = self.some("list"), self.number()
        return f"{self.new('int')} = grow({target}, {value})"

    def _sort(self) -> str:
        return f"{self.some('list')}.sort(key=str)"

    def _dict(self) -> str:
        inner = self.some("list")
        return f"{self.new('dict')} = {{'k': {inner}, 'n': {self.number()}}}"

    def _item(self) -> str:
        return f"{self.some('dict')}['n'] = {self.number()}"

    def _inner(self) -> str:
        return f"{self.some('dict')}.setdefault('k', []).append({self.number()})"

    def _pop(self) -> str:
        return f"{self.some('dict')}.pop('n', None)"

    def _box(self) -> str:
        source = self.some("list")
        value = self.number()
        name = self.new("box")
        return f"{name} = Box({value})\n{name}.items = {source}"

    def _put(self) -> str:
        return f"{self.some('box')}.put({self.number()})"

    def _share(self) -> str:
        source = self.some("box")
        return f"{self.new('list')} = {source}.items"

    def _attribute(self) -> str:
        return f"{self.some('box')}.value = {self.number()}"

    def _function(self) -> str:
        read = self.some("int")
        return f"def {self.new('function')}(v):\n    return v + {read}"

    def _global(self) -> str:
        changed = self.some("int")
        return f"def {self.new('function')}(v):\n    global {changed}\n    {changed} += 1\n    return v"

    def _default(self) -> str:
        kept = self.some("list")
        name = self.new("function")
        return f"def {name}(v, kept={kept}):\n    kept.append(v)\n    return len(kept)"

    def _closure(self) -> str:
        held = self.some("list")
        return f"{self.new('function')} = (lambda held: lambda v: v + len(held))({held})"

    def _with(self) -> str:
        source = self.some("list")
        name = self.new("list")
        return f"with contextlib.nullcontext({source}) as {name}:\n    {name}.append(0)"

    def _delete(self) -> str:
        # What reads it by name would fail; lists and boxes are read through functions only by value.
        free = self.of("list") + self.of("dict") + self.of("box")
        if len(free) < 3:
            return "pass"
        name = self.draw(st.sampled_from(free))
        del self.names[name]
        return f"del {name}"

    def _block(self) -> str:
        """Statements that may not run: they bind only names that are there already."""
        kind = self.draw(st.sampled_from(["int", "list"]))
        name = self.some(kind)
        if kind == "int":
            return f"    {name} = {self.number()}"
        return f"    {name}.append({self.number()})"

    def _branch(self) -> str:
        return f"if {self.number()} > {self.number()}:\n{self._block()}\nelse:\n{self._block()}"

    def _loop(self) -> str:
        times = self.draw(st.integers(0, 3))
        return f"for _i in range({times}):\n{self._block()}"

    def _try(self) -> str:
        return f"try:\n{self._block()}\n    1 / {self.draw(st.integers(0, 1))}\nexcept ZeroDivisionError as error:\n{self._block()}"

    def show(self) -> str:
        shown = [n for n, k in self.names.items() if k not in ("function", "module")]
        if not shown:
            return "print('nothing yet')"
        count = self.draw(st.integers(1, min(4, len(shown))))
        names = self.draw(
            st.lists(st.sampled_from(shown), min_size=count, max_size=count, unique=True)
        )
        pairs = [(a, b) for a in names for b in names if a < b]
        same = [f"{a} is {b}" for a, b in pairs[:2] if self.names[a] == self.names[b] != "int"]
        return f"print({', '.join([*names, *same])})"


@st.composite
def notebooks(draw: Any) -> tuple[Cell, ...]:
    """Draw a notebook of two to four steps, each of one or two cells that print what they see."""
    writer = Writer(draw)
    cells: list[Cell] = [(("setup",), SETUP.strip())]
    for step in range(draw(st.integers(2, 4))):
        for _ in range(draw(st.integers(1, 2))):
            lines = [writer.statement() for _ in range(draw(st.integers(1, 4)))]
            cells.append(((f"step:s{step}",), "\n".join([*lines, writer.show()])))
    return tuple(cells)
