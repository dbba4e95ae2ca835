"""Methods of the notebook's own classes that are called without a call being written."""

from __future__ import annotations

import ast

from kfnb.notebook.flow.calls import Calls
from kfnb.notebook.flow.code import Code
from kfnb.notebook.flow.functions import Arguments
from kfnb.notebook.flow.objects import NONE, Objects

BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.MatMult: "matmul", ast.Div: "truediv",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow", ast.LShift: "lshift",
    ast.RShift: "rshift", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
COMPARED: dict[type[ast.AST], str] = {
    ast.Eq: "__eq__", ast.NotEq: "__ne__", ast.Lt: "__lt__", ast.LtE: "__le__", ast.Gt: "__gt__",
    ast.GtE: "__ge__",
}  # fmt: skip
SETTER = ".setter"
"""What the name of a property's setter ends in, among a class's methods."""


class Operators(Calls):
    """Applies such methods; one that does not look beyond its arguments costs nothing."""

    def implied(self, receiver: Objects, name: str, *given: Objects) -> Objects:
        """Do what ``receiver.name(*given)`` may do, where a class of the notebook has it."""
        found = NONE
        for code in self._methods(receiver, name):
            arguments = Arguments([receiver, *given])
            found |= self.apply(code, arguments, certain=False, made=None)
        return found

    def binary(self, operator: ast.operator, left: Objects, right: Objects) -> Objects:
        """Apply the method of an operator, and its reflection."""
        name = BINARY[type(operator)]
        return self.implied(left, f"__{name}__", right) | self.implied(right, f"__r{name}__", left)

    def getter(self, receiver: Objects, name: str) -> Objects | None:
        """Read a property of the notebook's class; None if ``name`` is none."""
        if not any(is_property(code) for code in self._methods(receiver, name)):
            return None
        return self.implied(receiver, name)

    def setter(self, receiver: Objects, name: str, value: Objects) -> None:
        """Assign an attribute: by a property's setter, and by ``__setattr__``."""
        self.implied(receiver, name + SETTER, value)
        self.implied(receiver, "__setattr__", NONE, value)


def is_property(code: Code) -> bool:
    """Tell whether a method is read without a call."""
    decorators = getattr(code.node, "decorator_list", ())
    return any(
        getattr(d, "id", getattr(d, "attr", None)) in ("property", "cached_property")
        for d in decorators
    )


def accessor_name(node: ast.stmt) -> str | None:
    """Give the name under which a property's part stands among a class's methods."""
    if not isinstance(node, ast.FunctionDef):
        return None
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter"):
            return node.name + SETTER
        if getattr(decorator, "id", getattr(decorator, "attr", None)) == "property":
            return node.name
    return None
