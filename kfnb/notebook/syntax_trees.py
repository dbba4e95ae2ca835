"""Go through syntax trees, which reading a notebook does so often that the speed of it matters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def attribute_chain(node: ast.AST) -> list[str] | None:
    """Return the names of ``a.b.c`` in this order; None if it is not a plain dotted name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return [node.id, *reversed(names)]


def child_nodes(node: ast.AST) -> Sequence[ast.AST]:
    """List the children of a node, without operators and contexts."""
    children = _CHILDREN.get(node.__class__)
    return _children_by_field(node) if children is None else children(node)


def all_nodes(roots: Iterable[ast.AST]) -> list[ast.AST]:
    """List nodes and all below them as :func:`ast.walk` does, but no operators and contexts."""
    nodes = list(roots)
    extend, lists = nodes.extend, _CHILDREN
    for node in nodes:
        kind = node.__class__
        if kind is ast.Name or kind is ast.Constant:
            continue
        children = lists.get(kind)
        extend(_children_by_field(node) if children is None else children(node))
    return nodes


def displays_in_literal(node: ast.AST) -> list[ast.expr] | None:
    """List the displays within a long display of constants; None for any other expression."""
    if len(getattr(node, "elts", ()) or getattr(node, "values", ())) < _LONG:
        return None
    displays: list[Any] = []
    waiting: list[Any] = [node]
    while waiting:
        each = waiting.pop()
        kind = each.__class__
        if kind is ast.Constant:
            continue
        if kind is ast.Dict:
            # Without a key another dictionary is unpacked.
            if None in each.keys:
                return None
            waiting += each.keys
            waiting += each.values
        elif kind in _COLLECTIONS:
            waiting += each.elts
        elif kind is ast.UnaryOp and each.operand.__class__ is ast.Constant:
            continue
        else:
            return None
        displays.append(each)
    return displays[1:]


def _children_by_field(node: ast.AST) -> list[ast.AST]:
    children: list[ast.AST] = []
    for name in node._fields:
        if name in _NO_CHILDREN:
            continue
        value = getattr(node, name, None)
        if value.__class__ is list:
            children += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            children.append(value)
    return children


_LONG = 50
_COLLECTIONS = (ast.List, ast.Tuple, ast.Set)
_NO_CHILDREN = frozenset(("ctx", "op", "ops", "id", "attr", "kind", "type_comment", "conversion"))
# The kinds of nodes of which there are many, each with its children in the order of its fields.
_CHILDREN: dict[type[ast.AST], Callable[[Any], Sequence[ast.AST]]] = {
    ast.Name: lambda _: (),
    ast.Constant: lambda _: (),
    ast.Expr: lambda node: (node.value,),
    ast.Attribute: lambda node: (node.value,),
    ast.Starred: lambda node: (node.value,),
    ast.keyword: lambda node: (node.value,),
    ast.UnaryOp: lambda node: (node.operand,),
    ast.Assign: lambda node: (*node.targets, node.value),
    ast.AugAssign: lambda node: (node.target, node.value),
    ast.Subscript: lambda node: (node.value, node.slice),
    ast.BinOp: lambda node: (node.left, node.right),
    ast.Compare: lambda node: (node.left, *node.comparators),
    ast.BoolOp: lambda node: node.values,
    ast.JoinedStr: lambda node: node.values,
    ast.Call: lambda node: (node.func, *node.args, *node.keywords),
    ast.List: lambda node: node.elts,
    ast.Tuple: lambda node: node.elts,
    ast.Set: lambda node: node.elts,
}


def described(node: Any) -> str:
    """Write a tree without positions, as :func:`ast.dump` does, in a fraction of its time."""
    text = _TEXTS.get(node.__class__)
    return _described_by_field(node) if text is None else text(node)


def _described_by_field(node: Any) -> str:
    kind = node.__class__
    parts = [f"{kind.__name__}("]
    for name in kind._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            parts.append("[")
            for item in value:
                parts.append(described(item) if isinstance(item, ast.AST) else repr(item))
                parts.append(",")
            parts.append("],")
        elif isinstance(value, ast.AST):
            parts.append(described(value) + ",")
        else:
            parts.append(f"{value!r},")
    parts.append(")")
    return "".join(parts)


def _described_list(nodes: Sequence[ast.AST]) -> str:
    return "".join([described(node) + "," for node in nodes])


def _class_of(node: ast.AST) -> str:
    return node.__class__.__name__


# What _described_by_field would write of the kinds of nodes of which there are many.
_TEXTS: dict[type[ast.AST], Callable[[Any], str]] = {
    ast.Name: lambda node: f"Name({node.id},{_class_of(node.ctx)})",
    ast.Constant: lambda node: f"{node.kind or ''}{node.value!r}",
    ast.Expr: lambda node: f"Expr({described(node.value)},)",
    ast.Attribute: lambda node: (
        f"Attribute({described(node.value)},{node.attr!r},{_class_of(node.ctx)}(),)"
    ),
    ast.Subscript: lambda node: (
        f"Subscript({described(node.value)},{described(node.slice)},{_class_of(node.ctx)}(),)"
    ),
    ast.Call: lambda node: (
        f"Call({described(node.func)},[{_described_list(node.args)}],"
        f"[{_described_list(node.keywords)}],)"
    ),
    ast.keyword: lambda node: f"keyword({node.arg!r},{described(node.value)},)",
    ast.BinOp: lambda node: (
        f"BinOp({described(node.left)},{_class_of(node.op)}(),{described(node.right)},)"
    ),
    ast.UnaryOp: lambda node: f"UnaryOp({_class_of(node.op)}(),{described(node.operand)},)",
    ast.List: lambda node: f"List([{_described_list(node.elts)}],{_class_of(node.ctx)}(),)",
    ast.Tuple: lambda node: f"Tuple([{_described_list(node.elts)}],{_class_of(node.ctx)}(),)",
}
