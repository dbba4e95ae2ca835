"""What code reads of the process it starts in: variables of the environment, the working directory.

These decide about a result as files do, so they are part of a step's cache key.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kfnb.notebook.effects.library_calls import SHELL_METHODS
from kfnb.notebook.effects.shellwords import variables
from kfnb.notebook.parsed_cell import parse_code

_WORTH_PARSING = re.compile(
    r"environ|getenv|getcwd|\bcwd\b|abspath|absolute|resolve|realpath|__file__|get_ipython"
)
_READS_ONE = frozenset(("get", "setdefault", "pop"))
_FOLDER_CALLS = frozenset(("getcwd", "cwd", "abspath", "absolute", "resolve", "realpath"))


@dataclass(frozen=True, slots=True)
class ProcessReads:
    """What code reads by name.

    ``everything`` is the first line that reads the environment as a whole, or by a name that is
    computed; 0 if there is none.
    """

    variables: frozenset[str] = frozenset()
    folder: bool = False
    everything: int = 0

    def __or__(self, other: ProcessReads) -> ProcessReads:
        return ProcessReads(
            self.variables | other.variables,
            self.folder or other.folder,
            self.everything or other.everything,
        )


def process_reads(source: str) -> ProcessReads:
    """Collect what Python source reads, after IPython's transformation.

    Names of functions and attributes count whatever they belong to: one that is found in vain only
    makes a key depend on a variable that nobody reads.
    """
    if _WORTH_PARSING.search(source) is None:
        return ProcessReads()
    derived = parse_code(source).derived
    if process_reads not in derived:
        derived[process_reads] = _reads_of(parse_code(source).nodes)
    result: ProcessReads = derived[process_reads]
    return result


def _reads_of(nodes: Iterable[ast.AST]) -> ProcessReads:
    names: set[str] = set()
    folder = False
    single: set[ast.expr] = set()
    whole: dict[ast.expr, int] = {}
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            name = _last_name(node)
            folder |= name == "__file__"
            if name == "environ":
                whole[node] = node.lineno
        folder |= isinstance(node, ast.Call) and _last_name(node.func) in _FOLDER_CALLS
        for base, key in _single_reads(node):
            if base is not None:
                single.add(base)
            if key is not None:
                names.add(key)
            elif isinstance(node, ast.expr):
                # The name of the variable is computed, so it may be any.
                whole[node] = node.lineno
        if isinstance(node, ast.Call):
            shell_names, shell_folder = _magic(node)
            names.update(shell_names)
            folder |= shell_folder
    lines = [line for node, line in whole.items() if node not in single]
    return ProcessReads(frozenset(names - {""}), folder, min(lines, default=0))


def _single_reads(node: ast.AST) -> Iterator[tuple[ast.expr | None, str | None]]:
    """Yield each use of one variable: the mapping that it is looked up in, and its name."""
    if isinstance(node, ast.Subscript) and _last_name(node.value) == "environ":
        # What is only set or deleted is not read.
        yield node.value, _text(node.slice) if isinstance(node.ctx, ast.Load) else ""
    elif isinstance(node, ast.Compare) and _last_name(node.comparators[-1]) == "environ":
        yield node.comparators[-1], _text(node.left)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if _last_name(node.func.value) == "environ":
            first = _text(node.args[0]) if node.args else None
            if node.func.attr in _READS_ONE:
                yield node.func.value, first
            elif node.func.attr == "update":
                yield node.func.value, ""
        elif node.func.attr == "getenv" and node.args:
            yield None, _text(node.args[0])
    elif isinstance(node, ast.Call) and _last_name(node.func) == "getenv" and node.args:
        yield None, _text(node.args[0])


def _magic(call: ast.Call) -> tuple[list[str], bool]:
    """Return what a shell command, ``%env`` or ``%pwd`` reads."""
    texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    name = _last_name(call.func) or ""
    if name in SHELL_METHODS and texts:
        return list(variables(texts[0])), re.search(r"\bpwd\b", texts[0]) is not None
    if name == "run_line_magic" and texts[:1] == ["pwd"]:
        return [], True
    if name == "run_line_magic" and texts[:1] == ["env"] and len(texts) > 1:
        shown = texts[1].strip()
        return ([shown] if shown.isidentifier() else []), False
    if name == "run_cell_magic" and texts[:1] and texts[0] in ("bash", "sh") and len(texts) > 2:
        return list(variables(texts[2])), re.search(r"\bpwd\b", texts[2]) is not None
    return [], False


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
