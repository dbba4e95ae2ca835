"""What a cell does to the state of its process, and what it expects of it, in source order."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kfnb.locations import line_text
from kfnb.notebook.effects.call_facts import Area, Entry, Fact, Kind, facts_of_call
from kfnb.notebook.effects.constant_propagation import Function
from kfnb.notebook.effects.constants import NotConstantError, dotted, evaluate
from kfnb.notebook.effects.library_calls import (
    IMPLICIT_DRAWS,
    LOGGER_SETS,
    LOGGER_USES,
    NO_DRAW,
    ONCE,
    OPTIONS,
    PROCESSES,
    SEEDS,
    SHELL_METHODS,
    SHELLS,
    STATE_ARGUMENTS,
    TORCH_DRAWS,
)
from kfnb.notebook.effects.notebook_names import Known, is_history, knows_the_same, parsed
from kfnb.notebook.effects.shellwords import variables
from kfnb.notebook.parsed_cell import parse_code
from kfnb.notebook.syntax_trees import all_nodes, child_nodes, displays_in_literal

_Assigning = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete


def facts(cell: int, code: str, known: Known) -> list[Fact]:
    """Collect what one cell does and expects, in source order.

    The result is remembered with the cell's text, as long as the notebook defines the same.
    """
    of_text = parse_code(code)
    remembered: tuple[Known, list[Fact]] | None = of_text.derived.get(facts)
    if remembered is not None and knows_the_same(remembered[0], known, code):
        result = remembered[1]
        if not result or result[0].cell == cell:
            of_text.derived[facts] = known, result
            return result
    else:
        walk = _Walk(cell, known)
        walk.block(of_text.shallow_body)
        result = walk.result
    texts = {line: line_text(code, line) for line in {f.line for f in result}}
    result = [replace(f, cell=cell, text=texts[f.line]) for f in result]
    of_text.derived[facts] = known, result
    return result


class _Walk:
    """Goes through a cell, or through the body of ``function`` alone: then it lists the calls."""

    def __init__(self, cell: int, known: Known, function: Function | None = None) -> None:
        self.cell = cell
        self.known = known
        self.result: list[Fact] = []
        self.sure = True
        self.entries: list[Fact | Entry] | None = None if function is None else []
        self.locals: set[str] = set() if function is None else _locals(function)
        self.folders: set[str] = set()

    def add(self, area: Area, kind: Kind, key: str, line: int, shown: str = "") -> None:
        fact = Fact(area, kind, key, self.cell, line, self.sure, shown)
        if self.entries is not None:
            self.entries.append(fact)
        # One expression often gives the same fact several times.
        elif fact not in self.result[-3:]:
            self.result.append(fact)

    def name_of(self, node: ast.expr) -> str | None:
        """Give the dotted name of what an import binds; None for anything else."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self.locals:
            return None
        return dotted(node, self.known.modules) if root.id in self.known.modules else None

    def block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.visit_all(node.decorator_list)
            if isinstance(node, ast.ClassDef):
                plain = (ast.FunctionDef, ast.AsyncFunctionDef)
                self.block([s for s in node.body if not isinstance(s, plain)])
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for module in _imports(node):
                self.add("path", "use", module, node.lineno)
                self.add("module", "use", f"sys.modules[{module!r}]", node.lineno)
        elif isinstance(node, (ast.If, ast.Try, ast.While)):
            test = getattr(node, "test", None)
            if test is not None:
                self.visit(test)
            before, self.sure = self.sure, False
            for child in child_nodes(node):
                if isinstance(child, ast.stmt):
                    self.statement(child)
                elif isinstance(child, ast.ExceptHandler):
                    self.block(child.body)
            self.sure = before
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            if node.value is not None:
                self.visit(node.value)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self.assigned(target, node)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self.assigned(target, node)
        else:
            for child in child_nodes(node):
                if isinstance(child, ast.stmt):
                    self.statement(child)
                elif isinstance(child, ast.withitem):
                    self.visit(child.context_expr)
                elif isinstance(child, ast.expr):
                    self.visit(child)
                elif isinstance(child, ast.match_case):
                    self.block(child.body)

    def assigned(self, target: ast.expr, node: _Assigning) -> None:
        line = node.lineno
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self.assigned(element, node)
        elif isinstance(target, ast.Subscript):
            name = self.name_of(target.value)
            key = self.text(target.slice)
            if name == "os.environ":
                self.add("environment", "set", key or "?", line)
            elif name == "sys.modules":
                self.add("module", "set", f"sys.modules[{key!r}]", line)
            elif name in ("matplotlib.rcParams", "matplotlib.pyplot.rcParams"):
                self.add("option", "set", "matplotlib", line, f"rcParams[{key!r}]")
            elif name == "sys.path":
                self.add("path", "set", "sys.path", line)
            self.visit(target.slice)
        elif isinstance(target, ast.Attribute):
            name = self.name_of(target)
            base = target.value
            called = self.name_of(base.func) if isinstance(base, ast.Call) else None
            if name == "sys.path":
                self.add("path", "set", "sys.path", line)
            elif name is not None and name.startswith("pandas.options."):
                self.add("option", "set", "pandas", line, name)
            elif called == "decimal.getcontext":
                self.add("option", "set", "decimal", line, f"decimal.getcontext().{target.attr}")
            elif name is not None:
                self.add("module", "set", name, line)
                owner = name.split(".")[-2]
                if owner[:1].isupper():  # A class of a library: its own code uses it, too.
                    self.add("option", "set", name.split(".")[0], line, name)
        elif isinstance(target, ast.Name) and isinstance(node, ast.Assign):
            called = self.name_of(node.value.func) if isinstance(node.value, ast.Call) else None
            if called in ("os.getcwd", "pathlib.Path.cwd"):
                self.folders.add(target.id)

    def text(self, node: ast.expr) -> str | None:
        try:
            value = evaluate(node, {}, self.known.modules)
        except NotConstantError:
            return None
        return value if isinstance(value, str) else None

    def visit_all(self, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def visit(self, node: ast.expr) -> None:
        if node.__class__ is ast.Constant or displays_in_literal(node) is not None:
            return
        if isinstance(node, ast.Lambda):
            before, self.sure = self.sure, False
            self.visit(node.body)
            self.sure = before
            return
        if isinstance(node, ast.Call):
            self.visit_all(node.args)
            self.visit_all([k.value for k in node.keywords])
            if isinstance(node.func, ast.Attribute):
                self.visit(node.func.value)
            self.call(node)
            return
        for child in child_nodes(node):
            if isinstance(child, ast.expr):
                self.visit(child)
            elif isinstance(child, ast.comprehension):
                self.visit(child.iter)
                self.visit_all(child.ifs)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self.loaded(node)
        elif isinstance(node, ast.Subscript) and self.name_of(node.value) == "os.environ":
            self.add("environment", "use", self.text(node.slice) or "?", node.lineno)
        elif isinstance(node, ast.Compare) and self.name_of(node.comparators[0]) == "os.environ":
            self.add("environment", "use", self.text(node.left) or "?", node.lineno)
        elif isinstance(node, ast.Attribute) and (name := self.name_of(node)):
            self.add("module", "use", name, node.lineno)
            self.add("option", "use", name.split(".")[0], node.lineno)

    def loaded(self, node: ast.Name) -> None:
        name = node.id
        if name in self.known.functions and name not in self.locals:
            # A function that is passed on may be called by whatever gets it.
            self.enter((self.known.functions[name],), node.lineno, sure=False)
        elif name not in self.known.bound and name not in self.locals and is_history(name):
            self.add("history", "use", name, node.lineno)
        elif name in self.known.modules and name not in self.locals:
            self.add("option", "use", self.known.modules[name].split(".")[0], node.lineno)

    def call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Name) and func.id in self.known.functions:
            if func.id in self.known.memos:
                self.add("memo", "use", func.id, node.lineno)
            self.enter((self.known.functions[func.id],), node.lineno, sure=True)
            return
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
            inner = func.value.func
            if isinstance(inner, ast.Name) and inner.id == "get_ipython":
                self.magic(node, func.attr)
                return
        name = self.name_of(func)
        if name is not None:
            self.library(node, name)
        elif isinstance(func, ast.Attribute):
            # The class of the object is not known, so every method of this name may be meant.
            self.enter(self.known.methods.get(func.attr, ()), node.lineno, sure=False)
            if func.attr == "sample" and not _names_generator(node):
                self.add("random", "guess", "numpy", node.lineno, ".sample()")
            elif "logging" in self.known.modules.values():
                if func.attr in LOGGER_SETS:
                    self.add("option", "set", "logging", node.lineno, f".{func.attr}()")
                elif func.attr in LOGGER_USES:
                    self.add("option", "use", "logging", node.lineno)
        elif isinstance(func, ast.Name):
            path = self.text(node.args[0]) if node.args else None
            if func.id == "open" and not (path or "").startswith("/"):
                self.add("folder", "guess", "", node.lineno, "open()")
            # Making an object of the notebook's class runs its __init__.
            if func.id[:1].isupper():
                self.enter(self.known.methods.get("__init__", ()), node.lineno, sure=False)

    def library(self, node: ast.Call, name: str) -> None:
        line = node.lineno
        first = self.text(node.args[0]) if node.args else None
        parent, _, last = name.rpartition(".")
        if name in SEEDS:
            self.add("random", "set", SEEDS[name], line, name)
        elif parent in NO_DRAW and last not in NO_DRAW[parent]:
            self.add("random", "use", parent.split(".")[0], line, name)
        elif name in TORCH_DRAWS:
            if not _names_generator(node):
                self.add("random", "use", "torch", line, name)
        elif last in IMPLICIT_DRAWS:
            if not _names_generator(node):
                self.add("random", "guess", "numpy", line, last)
        elif name in ("os.putenv", "os.environ.setdefault", "os.environ.pop", "os.unsetenv"):
            self.add("environment", "set", first or "?", line)
        elif name == "os.environ.update":
            for key in _keys(node):
                self.add("environment", "set", key, line)
        elif name == "dotenv.load_dotenv":
            self.add("environment", "set", "?", line)
        elif name in ("os.getenv", "os.environ.get"):
            self.add("environment", "use", first or "?", line)
        elif name in ("os.chdir", "os.fchdir"):
            back = node.args and isinstance(node.args[0], ast.Name) and node.args[0].id
            kind: Kind = "restore" if back and back in self.folders else "set"
            self.add("folder", kind, "", line, ast.unparse(node))
        elif name in ("os.getcwd", "pathlib.Path.cwd", "os.listdir", "glob.glob", "os.walk"):
            self.add("folder", "guess", "", line, f"{name}()")
        elif name.startswith("sys.path."):
            self.add("path", "set", "sys.path", line)
        elif name in OPTIONS:
            self.add("option", "set", OPTIONS[name], line, name)
        elif name in ("importlib.import_module", "importlib.reload") and first:
            self.add("path", "use", first.split(".")[0], line)
        elif name.startswith(PROCESSES):
            self.add("environment", "guess", "", line, f"{name}()")
            self.add("folder", "guess", "", line, f"{name}()")
        if name in ONCE or parent in ("random", "numpy.random"):
            self.add("once", "once", name, line)
        self.add("option", "use", name.split(".", maxsplit=1)[0], line)
        self.add("module", "use", name, line)

    def magic(self, node: ast.Call, method: str) -> None:
        words = [a.value for a in node.args if isinstance(a, ast.Constant)]
        texts = [w for w in words if isinstance(w, str)]
        line = node.lineno
        if method in SHELL_METHODS and texts:
            self.shell(texts[0], line)
            return
        if not method.startswith("run_") or len(texts) < 2:
            return
        name, rest, body = texts[0], texts[1].strip(), texts[2] if len(texts) > 2 else ""
        if name in ("env", "set_env") and rest:
            # `%env X=1` and `%env X 1` set a variable, and `%env X` shows it.
            key, separator, _ = rest.replace("=", " ", 1).partition(" ")
            self.add("environment", "set" if separator else "use", key, line)
        elif name in ("cd", "pushd", "popd"):
            self.add("folder", "set", "", line, f"%{name} {rest}".strip())
        elif name == "precision":
            self.add("option", "set", "numpy", line, "%precision")
        elif name in SHELLS:
            self.shell(body or rest, line)
        elif name in ("time", "timeit", "capture", "prun"):
            # The inner lines count from 1: below the magic's line for a cell, in it for a line.
            shift = line if body else line - 1
            inner = _Walk(self.cell, self.known)
            inner.block(parsed(body or rest).body)
            if self.entries is not None:
                self.entries.extend(inner.result)
            self.result.extend(
                replace(f, line=f.line + shift, sure=f.sure and self.sure) for f in inner.result
            )

    def shell(self, command: str, line: int) -> None:
        for name in variables(command):
            # IPython puts in the notebook's variables itself; only other names are the shell's.
            if name not in self.known.bound:
                self.add("environment", "use", name, line)
        self.add("environment", "guess", "", line, "a shell command")
        self.add("folder", "guess", "", line, "a shell command")

    def enter(self, functions: tuple[Function, ...], line: int, *, sure: bool) -> None:
        if self.entries is not None:
            if functions:
                self.entries.append(Entry(functions, sure and self.sure))
            return
        before = self.sure
        for fact in facts_of_call(functions, self.known, _own_items):
            self.sure = before and sure and fact.sure
            self.add(fact.area, fact.kind, fact.key, line, fact.shown)
        self.sure = before


def _own_items(function: Function, known: Known) -> list[Fact | Entry]:
    """List what the body of a function does, and where it calls others."""
    walk = _Walk(-1, known, function)
    walk.block(function.body)
    return list(
        dict.fromkeys(
            replace(item, line=0) if isinstance(item, Fact) else item for item in walk.entries or ()
        )
    )


def _locals(function: Function) -> set[str]:
    names = {a.arg for a in [*function.args.posonlyargs, *function.args.args]}
    names |= {a.arg for a in function.args.kwonlyargs}
    names |= {a.arg for a in (function.args.vararg, function.args.kwarg) if a}
    outer: set[str] = set()
    for node in all_nodes([function]):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            outer.update(node.names)
    return names - outer


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name.split(".")[0]
    elif node.module and not node.level:
        yield node.module.split(".")[0]


def _names_generator(node: ast.Call) -> bool:
    """Return whether a call names the generator that it draws from."""
    return any(k.arg in STATE_ARGUMENTS or k.arg is None for k in node.keywords)


def _keys(node: ast.Call) -> Iterator[str]:
    for argument in node.args:
        if isinstance(argument, ast.Dict):
            for key in argument.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
    for keyword in node.keywords:
        if keyword.arg:
            yield keyword.arg
