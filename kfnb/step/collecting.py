"""Collect what several steps add to one value, so that they need not wait for one another.

A step that only adds to a value works with a :class:`Collector` in its place, which takes additions
and refuses everything else. The step publishes the additions, and a reader puts them into the value
in the notebook's order. Additions have one of these *forms*:

``items``
    ``d[K] = v``, ``d.update(…)``
``grow``
    ``d.setdefault(K, []).append(v)``
``list``
    ``l.append(v)``, ``l.extend(…)``, ``l += …``
``set``
    ``s.add(v)``, ``s.update(…)``
``sum``
    ``n += e`` of a number, text or tuple. The operands are recorded, because sums of floating-point
    numbers depend on the order.

Standard library only: it is used in the user's kernel.
"""

from __future__ import annotations

import collections
import copy
from collections.abc import Iterable
from typing import Any, NoReturn

# Exact types only: a subclass may do more with an item than to store it.
_MAPPINGS = (dict, collections.defaultdict, collections.OrderedDict)
_MUTABLE = (list, dict, set, bytearray)

_METHODS = {
    "items": ("update",),
    "grow": ("setdefault",),
    "list": ("append", "extend"),
}

Additions = tuple[str, Any, tuple[Any, ...]]
"""The form, what was added, and the value before it where setup makes that (else empty)."""


class MoreThanAdded(Exception):  # noqa: N818 (shown to people as it is)
    """A step does more with a value than to add to it."""


class Collector:
    """Stands for a value that a step only adds to.

    Parameters
    ----------
    name
        The value's name, for messages.
    base
        The value before any additions; it is not changed.
    form
        How the step adds to it.

    Raises
    ------
    MoreThanAdded
        If the value is of another type than its source shows.
    """

    def __init__(self, name: str, base: Any, form: str) -> None:
        # Names of a user's objects do not begin so: only those are refused by __getattr__.
        self._kfnb_name, self._kfnb_base, self._kfnb_form = name, base, form
        self._kfnb_refused = ""
        kinds = {"items": _MAPPINGS, "grow": _MAPPINGS, "list": (list,), "set": (set,)}
        if not (type(base) in kinds[form] if form in kinds else not isinstance(base, _MUTABLE)):
            raise MoreThanAdded(f'"{name}" is a {type(base).__name__}, which its source hides')
        own: Any = [] if form in ("list", "sum") else {}
        self._kfnb_own = own
        for method in _METHODS.get(form, ()):
            self.__dict__[method] = getattr(own, method)
        if form == "set":
            # The keys of a dictionary are the members in their order, which a set forgets.
            self.add = own.setdefault
            self.update = self._kfnb_update

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._kfnb_form != "items":
            self._refuse("sets an item of")
        self._kfnb_own[key] = value

    def __iadd__(self, operand: Any) -> Collector:  # noqa: PYI034 (Self needs Python 3.11)
        if self._kfnb_form == "list":
            self._kfnb_own += operand
        elif self._kfnb_form == "sum":
            if not self._kfnb_own:
                self._kfnb_base + operand  # Raises where the notebook would.
            _append(self._kfnb_own, operand)
        else:
            self._refuse("uses += on")
        return self

    def _kfnb_update(self, *members: Iterable[Any]) -> None:
        for each in members:
            self._kfnb_own.update(dict.fromkeys(m for m in each if m not in self._kfnb_own))

    def __getattr__(self, name: str) -> Any:
        # If one of our own attributes is not set yet, _refuse would ask for it again without end.
        if name.startswith("_kfnb_"):
            raise AttributeError(name)
        self._refuse(f"uses .{name} of")

    def _refuse(self, what: str) -> NoReturn:
        self._kfnb_refused = self._kfnb_refused or what
        raise MoreThanAdded(
            f"KFNB-E616: this step {what} {self._kfnb_name}, to which it was only expected to add, "
            f"so that other steps could do so at the same time. Tag its cell "
            f"changes:{self._kfnb_name}."
        )


def _refusing(what: str) -> Any:
    def refuse(self: Collector, *_: Any, **__: Any) -> NoReturn:
        self._refuse(what)

    return refuse


_READS = (
    "contains iter reversed len getitem bool str repr format eq ne lt le gt ge or and add radd mul "
    "rmul sub rsub truediv floordiv mod neg pos abs round int float index complex call enter "
    "reduce reduce_ex copy deepcopy hash"
)
for _method in _READS.split():
    # Python looks up special methods in the class, so __getattr__ does not see them.
    setattr(Collector, f"__{_method}__", _refusing("reads"))
for _method in [
    "delitem",
    "ior",
    "iand",
    "ixor",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
]:
    setattr(Collector, f"__{_method}__", _refusing("changes"))


def refused(collector: Collector) -> str:
    """Say what a step did with a value beyond adding to it; empty if nothing."""
    return str(collector._kfnb_refused)


def additions(collector: Collector, *, with_base: bool = False) -> Additions:
    """Return what was added, as it is published."""
    base = (collector._kfnb_base,) if with_base else ()
    return collector._kfnb_form, collector._kfnb_own, base


def base_of(collector: Collector) -> Any:
    """Return the value before the additions."""
    return collector._kfnb_base


def merged(base: Any, added: Iterable[Additions]) -> Any:
    """Return a value with additions put in, in order; ``base`` itself stays as it is.

    The items are the same objects, so what shares an object with one of them still does.
    """
    value = copy.copy(base)
    own_lists: set[int] = set()
    for form, own, _ in added:
        if form == "items":
            for key, item in own.items():
                value[key] = item
        elif form == "grow":
            for key, items in own.items():
                _grow(value, key, items, own_lists)
        elif form == "list":
            value.extend(own)
        elif form == "set":
            value.update(own)
        else:
            for operand, count in own:
                # Added one by one, because sums of floating-point numbers depend on the order of
                # additions.
                for _time in range(count):
                    value += operand
    return value


def _grow(value: dict[Any, Any], key: Any, items: Any, own_lists: set[int]) -> None:
    """Add items to the collection at a key, in a copy, because ``base`` must not change."""
    if key not in value or id(value[key]) not in own_lists:
        value[key] = copy.copy(value[key]) if key in value else type(items)()
        own_lists.add(id(value[key]))
    if isinstance(items, set):
        value[key].update(items)
    else:
        value[key].extend(items)


def _append(operands: list[list[Any]], operand: Any) -> None:
    """Record an operand; equal whole numbers in succession only by their count."""
    last: list[Any] = operands[-1] if operands else [None, 0]
    if type(operand) is int and type(last[0]) is int and last[0] == operand:
        last[1] += 1
    else:
        operands.append([operand, 1])
