"""How a statement mentions one name: to add to its value, to bind it, or otherwise."""

from __future__ import annotations

import ast
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kfnb.notebook.syntax_trees import all_nodes

_ADDING = frozenset({"append", "extend", "add", "update"})
_DISPLAYS: dict[type[ast.expr], str] = {
    ast.Dict: "dict", ast.DictComp: "dict", ast.List: "list", ast.ListComp: "list",
    ast.Set: "set", ast.SetComp: "set", ast.Tuple: "sum", ast.JoinedStr: "sum",
}  # fmt: skip
_CALLS = {
    "dict": "dict", "defaultdict": "dict", "OrderedDict": "dict",
    "list": "list", "set": "set",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BINDING = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(slots=True)
class Mention:
    """What a statement does with a name.

    ``adds`` are the ways in which it adds to the value, ``binds``: it may bind or delete the name,
    ``other``: it may do anything else. ``function_adds`` and ``function_other`` say the same of
    functions (and generators) in the statement, which are executed later; ``functions`` are the
    names of those that add. ``names`` are all names and attributes in the statement; ``text``: a
    string in it has the name in it (one that is the name counts as ``other``); ``magic``: it calls
    IPython.
    """

    adds: set[str] = field(default_factory=set)
    binds: bool = False
    other: bool = False
    function_adds: set[str] = field(default_factory=set)
    function_other: bool = False
    functions: set[str] = field(default_factory=set)
    names: AbstractSet[str] = field(default_factory=set)
    text: bool = False
    magic: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """All names and attributes in a statement, and the strings in it as one text."""

    names: frozenset[str]
    bound: frozenset[str]
    text: str

    @classmethod
    def of(cls, node: ast.stmt) -> Words:
        """Collect the words of a statement."""
        names: set[str] = set()
        bound: set[str] = set()
        texts: list[str] = []
        for each in all_nodes([node]):
            if isinstance(each, ast.Name):
                names.add(each.id)
            elif isinstance(each, ast.Attribute):
                names.add(each.attr)
            elif isinstance(each, ast.Constant):
                if isinstance(each.value, str):
                    texts.append(each.value)
            elif isinstance(each, ast.arg):
                bound.add(each.arg)
            elif isinstance(each, ast.alias):
                bound.add(each.asname or each.name.partition(".")[0])
            elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                bound.add(each.name)
            elif isinstance(each, _BINDING):
                bound.add(getattr(each, "name", None) or getattr(each, "rest", None) or "")
        return cls(frozenset(names), frozenset(bound), "\n".join(texts))


def mention(node: ast.stmt, name: str, words: Words) -> Mention:
    """Find out how a statement mentions ``name``; ``words`` are the statement's."""
    if name not in words.names and name not in words.bound and name not in words.text:
        # A name that is only mentioned where it is another variable counts in `names` too, which
        # is harmless: it has to be the name of a function that adds.
        return Mention(names=words.names, magic="get_ipython" in words.names)
    result = Mention()
    scan = _Scan(name, result)
    scan.visit(node)
    result.names = scan.names
    return result


def kind_of_display(node: ast.stmt, name: str) -> str | None:
    """Return what ``name = {}`` and the like make: ``dict``, ``list``, ``set`` or ``sum``.

    ``sum`` stands for values that do not change. None if the statement is not of that form.
    """
    value = _bound_to(node, name)
    if value is None:
        return None
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, (ast.USub, ast.UAdd)):
        value = value.operand
    if isinstance(value, ast.Constant):
        return "sum" if type(value.value) in (int, float, complex, str, bytes) else None
    if isinstance(value, ast.Call):
        function = value.func
        called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        return _CALLS.get(called)
    return _DISPLAYS.get(type(value))


def empty(node: ast.stmt) -> bool:
    """Whether the value of an assignment is an empty collection."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Call):
        function = value.func
        called = getattr(function, "id", getattr(function, "attr", ""))
        # The first argument of a defaultdict makes its values, and is none of them.
        most = 1 if called == "defaultdict" else 0
        return len(value.args) <= most and not value.keywords
    return not getattr(value, "keys", True)


def _bound_to(node: ast.stmt, name: str) -> ast.expr | None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return None
    return node.value if isinstance(target, ast.Name) and target.id == name else None


class _Scan(ast.NodeVisitor):
    def __init__(self, name: str, mention: Mention) -> None:
        self.name, self.mention = name, mention
        self.names: set[str] = set()
        self.word = re.compile(rf"\b{re.escape(name)}\b")
        self.in_function = False
        self.in_class = False
        self.functions: tuple[str, ...] = ()

    # -- what counts ---------------------------------------------------------------

    def _adds(self, form: str) -> None:
        if self.in_function:
            self.mention.function_adds.add(form)
            self.mention.functions.update(self.functions)
        else:
            self.mention.adds.add(form)

    def _other(self) -> None:
        if self.in_function:
            self.mention.function_other = True
        else:
            self.mention.other = True

    def _binds(self) -> None:
        if self.in_function:
            self.mention.function_other = True
        elif not self.in_class:
            self.mention.binds = True

    def _is_name(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.name

    # -- expressions ---------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        self.names.add(node.id)
        self.mention.magic = self.mention.magic or node.id == "get_ipython"
        if node.id == self.name:
            if isinstance(node.ctx, ast.Load):
                self._other()
            else:
                self._binds()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.names.add(node.attr)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and self.word.search(node.value):
            self.mention.text = True
            self.mention.other = self.mention.other or node.value == self.name

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if (
            isinstance(node.ctx, ast.Store)
            and self._is_name(node.value)
            and not isinstance(node.slice, ast.Slice)
        ):
            self._adds("item")
            if not isinstance(node.slice, ast.Constant):
                self.visit(node.slice)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _ADDING:
            owner = function.value
            if self._is_name(owner):
                self._adds(function.attr)
                self._arguments(node)
                return
            if self._is_grown(owner, function.attr):
                self._adds("grow")
                self.visit(owner.args[0])  # type: ignore[attr-defined]
                self._arguments(node)
                return
        self.generic_visit(node)

    def _arguments(self, node: ast.Call) -> None:
        for each in (*node.args, *node.keywords):
            self.visit(each)

    def _is_grown(self, owner: ast.expr, method: str) -> bool:
        """Whether an expression is ``d.setdefault(K, [])``, or the same with a set."""
        if not (
            isinstance(owner, ast.Call)
            and isinstance(owner.func, ast.Attribute)
            and owner.func.attr == "setdefault"
            and self._is_name(owner.func.value)
            and len(owner.args) == 2
            and not owner.keywords
        ):
            return False
        default = ast.unparse(owner.args[1])
        return default in (("[]", "list()") if method in ("append", "extend") else ("set()",))

    # -- statements ----------------------------------------------------------------

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if self._is_name(node.target):
            if isinstance(node.op, ast.Add) and not self.in_class:
                self._adds("iadd")
            else:
                self._other()
            self.visit(node.value)
            return
        if isinstance(node.target, (ast.Subscript, ast.Attribute)) and self._is_name(
            node.target.value
        ):
            self._other()
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        if (node.asname or node.name.partition(".")[0]) == self.name:
            self._binds()

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name == self.name:
            self._binds()
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name == self.name:
            self._binds()
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # type: ignore[assignment]  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest == self.name:
            self._binds()
        self.generic_visit(node)

    # -- scopes --------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name == self.name:
            self._binds()
        for each in node.decorator_list:
            self.visit(each)
        self._function(node, node.body, node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [node.body], "")

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        body: list[ast.stmt] | list[ast.expr],
        name: str,
    ) -> None:
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        if self._is_local(arguments, body):
            return
        before = self.in_function, self.in_class, self.functions
        # A function in a function is called through the outer one, or handed out by it.
        self.functions = (*self.functions, name)
        self.in_function, self.in_class = True, False
        for each in body:
            self.visit(each)
        self.in_function, self.in_class, self.functions = before

    def _is_local(self, arguments: ast.arguments, body: list[ast.stmt] | list[ast.expr]) -> bool:
        """Whether the name is a local variable of a function, and of those in it."""
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        parameters += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        inner = [n for each in body for n in ast.walk(each)]
        if any(isinstance(n, ast.Global) and self.name in n.names for n in inner):
            return False
        if any(parameter.arg == self.name for parameter in parameters):
            return True
        return any(
            isinstance(n, ast.Name) and n.id == self.name and not isinstance(n.ctx, ast.Load)
            for each in body
            for n in _own_scope(each)
        )

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name == self.name:
            self._binds()
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(each)
        before, outer = self.in_class, self.functions
        self.in_class, self.functions = True, (*self.functions, node.name)
        for statement in node.body:
            self.visit(statement)
        self.in_class, self.functions = before, outer

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        before = self.in_function
        self.visit(node.generators[0].iter)
        self.in_function = True
        self._comprehension(node)
        self.in_function = before

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        targets = (n for each in node.generators for n in ast.walk(each.target))
        # Inside of the comprehension the name is another variable.
        if any(self._is_name(target) for target in targets):
            self.visit(node.generators[0].iter)
        else:
            self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = _comprehension  # noqa: N815


def _own_scope(node: ast.AST) -> list[ast.AST]:
    """Return the nodes of a statement without those of functions and classes defined in it."""
    nodes: list[ast.AST] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        nodes.append(each)
        if not isinstance(each, (*_FUNCTIONS, ast.ClassDef, *_COMPREHENSIONS)):
            waiting.extend(ast.iter_child_nodes(each))
    return nodes
