"""Collect every text of kfnb that a person may read, from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

import kfnb
from kfnb.notebook.diagnostics import CODES
from tests.message_examples import examples

ROOT = Path(kfnb.__file__).parent
_WORDS = re.compile(r"[A-Za-z’'\"}\]\)][,:;]? [A-Za-z\"'{(\[]")
_CODE = re.compile(r"KFNB-[EWH]\d{3}")
_NAME = re.compile(r"[\w.]+")
# Texts that are no messages: code that is executed, queries, formats.
_NOT_PROSE = re.compile(
    r"^\s*(import |from \w+ import|def |select |try:)|\bimport \w+;|^[-#%]|\(\?[:P!]|\\[swd]|\(\\S|<\w+ \w+="
)
_PATTERNS = {f"re.{name}" for name in ("compile", "findall", "fullmatch", "match", "search", "sub")}


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
        text = path.read_text("utf-8")
        module = path.relative_to(ROOT.parent).as_posix()
        named = "KFNB-" in text or any(name in text for name in CONSTANTS)
        for message in _messages(module, ast.parse(text), has_codes=named):
            found[message] = None
    return list(found)


_RANGES = {
    "0": "The document",
    "1": "Data flow",
    "2": "Tags and options",
    "4": "State of libraries and of the process",
    "5": "Options that the target does not support",
    "6": "Found while a run executes, or by `kfnb check --verify`",
    "7": "Infrastructure",
}
"""What the codes are about, by their first digit."""


def codes_page() -> str:
    """Write docs/diagnostics.md: every code with its severity and title."""
    parts = [
        "# Diagnostics\n",
        "Every finding has a stable code. `KFNB-E…` is an error: the run does not start, or fails.",
        "`KFNB-W…` is a warning and `KFNB-H…` a hint. A message also says where it is and what to do.",
        '"By request" means that you ran with `--on-mutation warn`, so an error became a warning.',
    ]
    for digit, title in _RANGES.items():
        parts += [f"\n## {title}\n", "| code | severity | title |", "|---|---|---|"]
        parts += [
            f"| {code} | {about.severity} | {about.title} |"
            for code, about in sorted(CODES.items(), key=lambda item: item[0][-3:])
            if code[-3] == digit
        ]
    return "\n".join(parts) + "\n"


def markdown() -> str:
    """Write the golden file."""
    messages = collect()
    parts = [
        "# Messages of kfnb\n",
        "Every text that a person may read. `tests/messages.py` collects them from the source.",
        "Read this file whole after a change; `KFNB_UPDATE_GOLDEN=1` writes it again.\n",
        "## Diagnostics\n",
    ]
    shown = examples()
    by_code: dict[str, list[Message]] = {}
    for message in messages:
        if _CODE.fullmatch(message.kind):
            by_code.setdefault(message.kind, []).append(message)
    for code, about in sorted(CODES.items()):
        parts.append(f"### {code} ({about.severity}): {about.title}\n")
        templates = by_code.get(code) or by_code.get(code.replace("-W", "-E"), [])
        parts += [f"- {_one_line(m.template)}" for m in templates]
        parts += ["", "  Example:", f"  > {shown[code]}"]
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


def _messages(module: str, tree: ast.Module, *, has_codes: bool) -> Iterator[Message]:
    documentation = _docstrings(tree)
    kinds = _codes_of_texts(tree) if has_codes else {}
    raised: dict[int, str] = {}
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for child in ast.walk(node.exc):
                raised.setdefault(id(child), ast.unparse(node.exc.func))
        if isinstance(node, ast.JoinedStr):
            inner.update(id(child) for child in node.values)
        if isinstance(node, ast.Attribute) and node.attr == "split":
            inner.add(id(node.value))  # a list of words
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _PATTERNS:
            inner.update(id(child) for argument in node.args[:1] for child in ast.walk(argument))
    for node in ast.walk(tree):
        if id(node) in documentation or id(node) in inner:
            continue
        text = _template(node)
        if text is None or not _WORDS.search(text) or _NOT_PROSE.search(text):
            continue
        kind = _CODE.match(text)
        for code in kinds.get(id(node)) or [kind[0] if kind else raised.get(id(node), "")]:
            yield Message(module, code, text)


def _codes_of_texts(tree: ast.Module) -> dict[int, list[str]]:
    """Find the diagnostics in which texts appear, also by way of variables and parameters."""
    functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    around: dict[int, ast.FunctionDef] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):  # inner functions come after outer ones
            around.update((id(child), function) for child in ast.walk(function))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    kinds: dict[int, list[str]] = {}

    def values(name: str, function: ast.FunctionDef) -> Iterator[ast.AST]:
        """Yield the expressions that a variable or a parameter may stand for."""
        for node in ast.walk(function):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                if isinstance(target, ast.Tuple) and name in map(ast.unparse, target.elts):
                    yield node.value
        parameters = [a.arg for a in function.args.args if a.arg != "self"]
        if name in parameters:
            for call in calls:
                if _called(call) == function.name:
                    yield from call.args[parameters.index(name) :][:1]

    def mark(expression: ast.AST, codes: list[str], depth: int = 0) -> None:
        for node in ast.walk(expression):
            known = kinds.setdefault(id(node), [])
            known += [code for code in codes if code not in known]
            function = around.get(id(node))
            if function is None or depth > 3:
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                for value in values(node.id, function):
                    mark(value, codes, depth + 1)
            if isinstance(node, ast.Call):
                called = functions.get(_called(node))
                for returned in ast.walk(called) if called and called.name[0] == "_" else ():
                    if isinstance(returned, ast.Return) and returned.value is not None:
                        mark(returned.value, codes, depth + 1)

    for call in calls:
        named = [k.value for k in call.keywords if k.arg == "code"]
        code, *others = [*named, *call.args] or [None]
        function = around.get(id(call))
        codes = _codes(code, values, function) if code is not None else []
        if codes:
            texts = [k.value for k in call.keywords if k.arg in ("message", "remedy")]
            for text in [*texts, *others]:
                mark(text, codes)
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            fields = {
                _literal(k): v for k, v in zip(node.keys, node.values, strict=True) if k is not None
            }
            code = fields.get("code")
            for name in ("message", "remedy"):
                if isinstance(code, ast.Name) and code.id in CONSTANTS and name in fields:
                    mark(fields[name], [CONSTANTS[code.id]])
    return kinds


def _called(call: ast.Call) -> str:
    """Return the last part of a called function's name."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _codes(
    expression: ast.AST,
    values: Callable[[str, ast.FunctionDef], Iterator[ast.AST]],
    function: ast.FunctionDef | None,
) -> list[str]:
    """Return the codes that the first argument of a call may be."""
    if isinstance(expression, ast.Constant):
        text = str(expression.value)
        return [text] if _CODE.fullmatch(text) else []
    if isinstance(expression, ast.IfExp):
        branches = (expression.body, expression.orelse)
        return [code for branch in branches for code in _codes(branch, values, function)]
    if isinstance(expression, ast.Name):
        if expression.id in CONSTANTS:
            return [CONSTANTS[expression.id]]
        parameters = {a.arg for a in function.args.args} if function else {expression.id}
        if function is not None and expression.id not in parameters:
            assigned = values(expression.id, function)
            return [code for value in assigned for code in _codes(value, values, None)]
    return []


def _constants() -> dict[str, str]:
    """Return the names in capitals that stand for a code."""
    constants = {}
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                text = _literal(node.value)
                if text and _CODE.fullmatch(text):
                    constants[node.targets[0].id] = text
    return constants


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


CONSTANTS = _constants()
