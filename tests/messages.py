"""Collect every text of kfnb that a person may read, from its source."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

import kfnb
from kfnb.notebook.diagnostics import CODES

ROOT = Path(kfnb.__file__).parent
_WORDS = re.compile(r"[A-Za-z’'\"}\]\)][,:;]? [A-Za-z\"'{(\[]")
_CODE = re.compile(r"KFNB-[EWH]\d{3}")
_NAME = re.compile(r"[\w.]+")
# Texts that are no messages: code that is executed, queries, formats.
_NOT_PROSE = re.compile(r"^\s*(import |from \w+ import|def |select |try:)|\bimport \w+;|^[-#%]")


@dataclass(frozen=True)
class Message:
    """A text with placeholders, and what it is: an error's class, a diagnostic's code, or text."""

    module: str
    kind: str
    template: str


def collect() -> list[Message]:
    """Return all messages of the package, in the order of modules and lines."""
    found: dict[Message, None] = {}
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        module = path.relative_to(ROOT.parent).as_posix()
        for message in _messages(module, tree):
            found[message] = None
    return list(found)


def markdown() -> str:
    """Write the golden file."""
    messages = collect()
    parts = [
        "# Messages of kfnb\n",
        "Every text that a person may read. `tests/messages.py` collects them from the source.",
        "Read this file whole after a change; `KFNB_UPDATE_GOLDEN=1` writes it again.\n",
        "## Diagnostics\n",
    ]
    by_code: dict[str, list[Message]] = {}
    for message in messages:
        if _CODE.fullmatch(message.kind):
            by_code.setdefault(message.kind, []).append(message)
    for code, about in sorted(CODES.items()):
        parts.append(f"### {code} ({about.severity}): {about.title}\n")
        parts += [f"- {_one_line(m.template)}" for m in by_code.get(code, [])]
        example = EXAMPLES.get(code)
        if example is not None:
            parts += ["", "  Example:", *(f"  > {line}" for line in _example(code, example))]
        parts.append("")
    parts.append("## Errors, warnings and views, by module\n")
    module = ""
    for message in messages:
        if _CODE.fullmatch(message.kind):
            continue
        if message.module != module:
            module = message.module
            parts.append(f"\n### {module}\n")
        kind = f"{message.kind}: " if message.kind else ""
        parts.append(f"- {kind}{_one_line(message.template)}")
    parts.append("\n## Help\n")
    for name, text in _help():
        parts.append(f"### {name}\n\n```\n{text.rstrip()}\n```\n")
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def _messages(module: str, tree: ast.Module) -> Iterator[Message]:
    documentation = _docstrings(tree)
    kinds: dict[int, str] = {}
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for child in ast.walk(node.exc):
                kinds.setdefault(id(child), ast.unparse(node.exc.func))
        if isinstance(node, ast.Call):
            code = next((c for c in map(_literal, node.args[:1]) if c and _CODE.fullmatch(c)), None)
            for child in ast.walk(node) if code else ():
                kinds[id(child)] = str(code)
        if isinstance(node, ast.JoinedStr):
            inner.update(id(child) for child in node.values)
    for node in ast.walk(tree):
        if id(node) in documentation or id(node) in inner:
            continue
        text = _template(node)
        if text is not None and _WORDS.search(text) and not _NOT_PROSE.search(text):
            yield Message(module, kinds.get(id(node), ""), text)


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.JoinedStr))
    }


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _template(node: ast.AST) -> str | None:
    """Write a text with its placeholders; None for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts = []
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            name = ast.unparse(value.value)
            parts.append("{" + (name if _NAME.fullmatch(name) else "…") + "}")
        else:
            parts.append(str(value.value) if isinstance(value, ast.Constant) else "")
    return "".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _help() -> Iterator[tuple[str, str]]:
    from kfnb.cli.main import cli
    from kfnb.magics.commands import pipeline

    for name, group in (("kfnb", cli), ("%pipeline", pipeline)):
        yield name, _help_of(group)
        context = click.Context(group)
        for word in group.list_commands(context):
            command = group.get_command(context, word)
            assert command is not None
            yield f"{name} {word}", _help_of(command)


def _help_of(command: click.Command) -> str:
    """Write a command's help without click's layout, which differs between its versions."""
    lines = [_one_line(command.help or "")]
    for parameter in command.params:
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        lines.append(
            f"  {names}: {getattr(parameter, 'help', None) or parameter.human_readable_name}"
        )
    return "\n".join([*lines, "", (command.epilog or "").replace("\b\n", "")])


# Cells, each a tag and a source, whose pipeline has the diagnostic.
EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "KFNB-E101": [("step:load", "x = (1")],
    "KFNB-E102": [("step:load", "rows = [1]"), ("step:train", "model = fit(row)")],
    "KFNB-E104": [("step:a", "x = 1"), ("step:b", "x = x + 1"), ("step:a", "print(x)")],
    "KFNB-E203": [("step:load", "x = 1"), ("step:train after:laod", "y = 2")],
    "KFNB-E208": [("step:a step:b", "x = 1")],
    "KFNB-E202": [("step:load timeout:soon", "x = 1")],
    "KFNB-W212": [("stp:load", "x = 1")],
}


def _example(code: str, cells: list[tuple[str, str]]) -> list[str]:
    plain = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": tags.split()},
            "execution_count": n + 1,
            "outputs": [],
            "source": source,
        }
        for n, (tags, source) in enumerate(cells)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.ipynb"
        path.write_text(
            json.dumps({"cells": plain, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )
        found = [str(d) for d in kfnb.read(path).diagnostics if d.code == code]
    return found[:1] or ["(none)"]
