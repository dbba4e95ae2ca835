"""Random small programs, split into setup, parameters and steps."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from tests.notebook.build import Cell

VALUES = ["a", "b", "c", "d"]
FUNCTIONS = ["f", "g"]
STEPS = ["one", "two", "three", "four"]

value = st.sampled_from(VALUES)
function = st.sampled_from(FUNCTIONS)
number = st.integers(0, 3).map(str)


def _fill(template: str) -> st.SearchStrategy[str]:
    """Fill ``{v}``, ``{w}``, ``{u}`` with names of values, ``{f}``, ``{g}`` of functions."""
    return st.builds(
        lambda v, w, u, f, g, n: template.format(v=v, w=w, u=u, f=f, g=g, n=n),
        value, value, value, function, function, number,
    )  # fmt: skip


PLAIN = [
    "{v} = [{n}]",
    "{v} = [{n}]",
    "{v} = {{'k': {n}}}",
    "{v} = {n}",
    "{v} = {w}",
    "{v} = {w}",
    "{v} = [{w}, {u}]",
    "{v} = {{'k': {w}}}",
    "{v} = {w}['k']",
    "{v} = {w}[0]",
    "{v}.append({n})",
    "{v}.append({w})",
    "{v}['k'] = {n}",
    "{v}['k'] = {w}",
    "{v}[0] = {w}",
    "{v}[0].append({n})",
    "{v}['k'].append({n})",
    "{v} += [{n}]",
    "{v} += {w}",
    "{v} += {n}",
    "del {v}",
    "del {v}[0]",
    "{v}, {w} = {w}, {v}",
    "{v}, *{w} = [{u}, {n}, [{n}]]",
    "{v} = list({w})",
    "{v} = [x for x in {w}]",
    "[x.append({n}) for x in {w}]",
    "{v} = [({w} := y) for y in [{n}, [{n}]]]",
    "print({v})",
    "print({v}, {w})",
    "print({v} is {w})",
    "{v} = max([{w}, {u}], key=str)",
    "{v} = {w} if {n} else {u}",
    "{v} = {w} or {u}",
    "{v} = ({w}, {u})",
]
CALLS = [
    "{f}()",
    "{f}()",
    "{v} = {f}()",
    "print({f}())",
    "{v} = {f}({w})",
    "{f}({v})",
    "{f} = {g}",
    "{v} = [{f}]",
    "{v} = {{'k': {f}}}",
    "{v}[0]()",
    "{v}['k']()",
    "{v} = {w}[0]()",
    "list(map({f}, [{v}, {w}]))",
    "{f}.calls = {n}",
    "print(getattr({f}, 'calls', None))",
    "del {f}",
]
BODIES = [
    "return {v}",
    "{v}.append({n})",
    "{v}['k'] = {n}\nreturn {v}",
    "global {v}\n{v} = [{n}]",
    "global {v}\n{v} += [{n}]",
    "global {v}\nif {n}:\n    {v} = [{w}]\nreturn {w}",
    "global {v}\ndel {v}",
    "return {g}()",
    "x = {v}\nx.append({n})\nreturn x",
    "p.append({n})\nreturn p",
    "p.append({v})",
    "{v}.append(p)",
    "return [p, {v}]",
    "def inner():\n    return {v}\nreturn inner",
    "def inner(*q):\n    x.append({n})\n    return x\nx = [{v}]\nreturn inner",
    "for x in {v}:\n    x.append({n})",
    "try:\n    return {v}\nexcept NameError:\n    return None",
    "q.append({n})\nreturn q",
    "return q",
    "return lambda *_: {v}",
    "if {n}:\n    return {v}\nreturn {w}",
]
HEADS = ["def {f}(p=None, q=None):", "def {f}(p=None, q=[]):", "def {f}(p={v}, q={w}):"]
LAMBDAS = [
    "{f} = lambda *p: {v}",
    "{f} = lambda p=None: {v}.append({n})",
    "{f} = lambda p={v}: p",
    "{f} = lambda *p: {g}()",
]
BLOCKS = [
    "if {v}:",
    "if {n}:",
    "for {v} in [{n}, [{n}]]:",
    "for {v} in {w}:",
    "for x in {w}:",
    "try:",
    "with nullcontext({v}) as {w}:",
    "while {v}:",
]


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.split("\n"))


plain = st.sampled_from(PLAIN).flatmap(_fill)
call = st.sampled_from(CALLS).flatmap(_fill)
definition = st.builds(
    lambda head, bodies: head + "\n" + _indent("\n".join(bodies)),
    st.sampled_from(HEADS).flatmap(_fill),
    st.lists(st.sampled_from(BODIES).flatmap(_fill), min_size=1, max_size=2),
) | st.sampled_from(LAMBDAS).flatmap(_fill)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """A branch, a loop, a ``try`` or ``with``."""
    head = draw(st.sampled_from(BLOCKS).flatmap(_fill))
    body = draw(st.lists(plain | call, min_size=1, max_size=3))
    if head.startswith("while"):
        body.append("break")
    elif draw(st.booleans()) and head.startswith("for"):
        body.insert(draw(st.integers(0, len(body))), draw(st.sampled_from(["continue", "break"])))
    text = head + "\n" + _indent("\n".join(body))
    if head == "try:":
        text += "\nexcept Exception:\n" + _indent(draw(plain))
    elif draw(st.booleans()) and not head.startswith("with"):
        text += "\nelse:\n" + _indent(draw(plain))
    return text


statement = st.one_of(plain, plain, plain, call, call, definition, definition, blocks())


@st.composite
def programs(draw: st.DrawFn) -> list[Cell]:
    """Cells of a notebook: perhaps setup first, then steps, at last one that looks at all."""
    cells: list[Cell] = [("setup", "from contextlib import nullcontext")]
    if draw(st.booleans()):
        cells.append(("parameters", "a = [1]\nb = 2"))
    if draw(st.booleans()):
        setup = draw(st.lists(statement, min_size=1, max_size=4))
        cells.append(("setup", "\n".join(setup)))
    steps = draw(st.integers(2, 4))
    for number in range(steps):
        if draw(st.integers(0, 5)) == 0:
            cells.append(("setup", "\n".join(draw(st.lists(statement, min_size=1, max_size=2)))))
        for _ in range(draw(st.integers(1, 2))):
            body = draw(st.lists(statement, min_size=1, max_size=5))
            cells.append((f"step:{STEPS[number]}", "\n".join(body)))
    if draw(st.integers(0, 4)) == 0:
        # Interleave: the first step again.
        cells.append((f"step:{STEPS[0]}", draw(statement)))
    looks = [
        f"try:\n    print({v!r}, show({v}))\nexcept NameError:\n    print('no {v}')" for v in VALUES
    ]
    # A function that leaves two steps under two names is two functions afterwards, as a number is.
    looks.append("print([x is y and not callable(x) for x in [a, b] for y in [c, d]])")
    shows = "def show(x):\n    return [show(y) for y in x] if isinstance(x, (list, tuple)) else x if isinstance(x, (int, dict)) else type(x).__name__"
    cells.append(("step:last", shows + "\n" + "\n".join(looks)))
    return cells


def runnable(cells: list[Cell]) -> list[Cell]:
    """Leave out the statements that fail from top to bottom, or never end."""
    kept: list[list[str]] = []
    for _, source in cells:
        try:
            body = ast.parse(source).body
        except SyntaxError:
            body = []
        kept.append([ast.unparse(node) for node in body])
    while True:
        failed = _first_failure(kept)
        if failed is None:
            break
        cell, index = failed
        del kept[cell][index]
    return [(tags, "\n".join(body)) for (tags, _), body in zip(cells, kept, strict=True)]


def _first_failure(cells: list[list[str]]) -> tuple[int, int] | None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, body in enumerate(cells):
        for index, statement in enumerate(body):
            try:
                with contextlib.redirect_stdout(io.StringIO()) as stream, _few_lines():
                    exec(compile(statement, "<cell>", "exec"), namespace)
                if " at 0x" in stream.getvalue():
                    return number, index
            except (Exception, _EndlessError):
                return number, index
    return None


class _EndlessError(BaseException):
    """The program goes on for too long; what catches exceptions does not catch this."""


@contextlib.contextmanager
def _few_lines() -> Iterator[None]:
    left = 2_000

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != "<cell>":
            return None
        left -= 1
        if left < 0:
            raise _EndlessError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
