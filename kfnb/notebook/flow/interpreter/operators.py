"""Operators and indexes: what the results hold, and which of them are copies."""

from __future__ import annotations

import ast

from kfnb.notebook.flow.interpreter.calls import NAMESPACES, Calls, OptionalReads
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects


class Operators(Calls):
    """Goes through operators, whose results are new objects."""

    def operation(self, node: ast.BinOp) -> Objects:
        """Apply a binary operator."""
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if not left and not right:
            return NO_OBJECTS
        # Formatting gives a text, which holds nothing.
        if isinstance(node.op, ast.Mod) and isinstance(node.left, (ast.Constant, ast.JoinedStr)):
            return NO_OBJECTS
        # Only joining collections (+, *, |) gives a value that holds the same objects.
        if not isinstance(node.op, (ast.Add, ast.Mult, ast.BitOr)):
            return self._result(node, left | right)
        operands = left | right
        return self._result(node, operands, self.heap.held(operands))

    def _result(self, node: ast.expr, operands: Objects, held: Objects = NO_OBJECTS) -> Objects:
        """Make the result of an operator: no module, and a condition or list if an operand is."""
        made = self.fresh(node, held)
        self.heap.tensors |= made
        if not self.heap.selectors.isdisjoint(operands):
            self.heap.selectors |= made
        return made

    def compare(self, node: ast.Compare) -> Objects:
        """Compare; ``"x" in globals()`` asks whether a name is there."""
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            comparator = node.comparators[0]
            if (
                isinstance(comparator, ast.Call)
                and isinstance(comparator.func, ast.Name)
                and comparator.func.id in NAMESPACES
                and not comparator.args
            ):
                with OptionalReads(self):
                    self.read(node.left.value, node.lineno, call=True)
                return NO_OBJECTS
        operands = left = self.evaluate(node.left)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator)
            # `in` compares by identity before it compares by value.
            if isinstance(operator, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) and left and right:
                self.record.identity = True
            operands |= right
            left = right
        if isinstance(node.ops[0], (ast.In, ast.NotIn)):
            self.use(operands)
        if not operands:
            return NO_OBJECTS
        made = self.fresh(node)
        self.heap.selectors |= made
        return made

    def boolean(self, node: ast.BoolOp) -> Objects:
        """Go through ``and`` and ``or``: all but the first operand may not be evaluated."""
        return self.evaluate(node.values[0]) | self.maybe(node.values[1:])

    def conditional(self, node: ast.IfExp) -> Objects:
        """Go through ``a if test else b``."""
        self.evaluate(node.test)
        return self.maybe([node.body]) | self.maybe([node.orelse])

    def unary(self, node: ast.UnaryOp) -> Objects:
        """Apply an operator to one operand."""
        objects = self.evaluate(node.operand)
        if not objects or isinstance(node.op, ast.Not):
            return NO_OBJECTS
        return self._result(node, objects)

    def selects(self, index: ast.expr) -> bool:
        """Go through an index; whether it makes a new object: a list of labels or a condition."""
        if isinstance(index, ast.Tuple):
            return any(list(map(self.selects, index.elts)))
        objects = self.evaluate(index)
        return copies(index) or (bool(objects) and self.heap.selectors.issuperset(objects))


def copies(index: ast.expr) -> bool:
    """Whether ``x[index]`` plainly makes a new object: a list of labels or a condition."""
    if isinstance(index, (ast.List, ast.ListComp, ast.Compare)):
        return True
    if isinstance(index, ast.UnaryOp):
        return isinstance(index.op, (ast.Invert, ast.Not))
    return isinstance(index, ast.BinOp) and isinstance(index.op, (ast.BitAnd, ast.BitOr))
