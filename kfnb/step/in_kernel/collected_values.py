"""Values that several steps add to, in the kernel of one of these steps or of a reader."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from kfnb.step.collecting import (
    Collector,
    MoreThanAdded,
    additions,
    base_of,
    merged,
    refused,
)

if TYPE_CHECKING:
    from kfnb.step.values import Loaded


class CollectedValues:
    """The values that a step only adds to, and those that it gets with additions.

    Parameters
    ----------
    adds, collects
        As in the step order, by the name of the value.
    definitions
        As for :func:`~kfnb.step.values.save`.
    """

    def __init__(
        self,
        adds: Mapping[str, Mapping[str, Any]],
        collects: Mapping[str, Mapping[str, Any]],
        definitions: Collection[str],
    ) -> None:
        self._adds, self._collects = adds, collects
        self._definitions = definitions
        self._collectors: dict[str, Collector] = {}
        self._merged: dict[str, Any] = {}
        self._items: dict[str, list[Any]] = {}
        self._rebound: list[str] = []

    def put_in(self, names: MutableMapping[str, Any], given: Mapping[str, Any]) -> None:
        """Bind each value with the additions in it.

        The loaded values stay as they are, because other names may share objects with them.
        """
        for name, collects in self._collects.items():
            added = [given[each] for each in collects["additions"] if each in given]
            # After a failed step, the exit step begins without some of them.
            if name in names:
                names[name] = self._merged[name] = merged(names[name], added)
        self._items = {name: _items(value) for name, value in self._merged.items()}

    def stand_in(self, names: MutableMapping[str, Any], loaded: Sequence[Loaded]) -> None:
        """Bind a collector in the place of each value that the step only adds to.

        Raises
        ------
        MoreThanAdded
            If that is not possible, because another name would see the additions.
        """
        for name, adds in self._adds.items():
            if name not in names:
                raise MoreThanAdded(f'"{name}" is not bound')
            base = names[name]
            for bundle in loaded:
                others = {n: v for n, v in bundle.values.items() if n != name}
                if name in bundle.values and (holder := self._holder(base, others)):
                    raise MoreThanAdded(
                        f'it adds to "{name}", which "{holder}" holds too, in a way that the '
                        "source does not show"
                    )
            names[name] = self._collectors[name] = Collector(name, base, adds["form"])

    def take_out(self, names: MutableMapping[str, Any]) -> dict[str, Any]:
        """Bind the values again, and return the additions under the names that they publish."""
        published: dict[str, Any] = {}
        for name, collector in self._collectors.items():
            if names.get(name) is not collector:
                self._rebound.append(name)
                continue
            adds = self._adds[name]
            added = additions(collector, with_base=adds["with_base"])
            names[name] = merged(base_of(collector), [added])
            if adds["publish_as"]:
                published[adds["publish_as"]] = added
        return published

    def problem(self, names: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
        """Say what the step did that later steps would not see; empty if nothing.

        Parameters
        ----------
        names
            The user's names at the step's end.
        saved
            The values that the step publishes.
        """
        for name, collector in self._collectors.items():
            if what := refused(collector):
                return f'it {what} "{name}", to which it was only expected to add'
        for name in self._rebound:
            return f'it binds "{name}" anew, to which it was only expected to add'
        for name, value in self._merged.items():
            collects = self._collects[name]
            if name in saved:
                continue
            changed = names.get(name) is not value or not _same(_items(value), self._items[name])
            if collects["read_later"] and changed:
                return f'it changes "{name}" in a way that its source does not show'
            if collects["changed_later"] and (holder := self._holder(value, saved)):
                return (
                    f'"{holder}" holds "{name}", which later steps add to, in a way that the '
                    "source does not show"
                )
        return ""

    def _holder(self, value: Any, others: Mapping[str, Any]) -> str:
        """Return a name among ``others`` whose value holds this very object; empty if none."""
        from kfnb.step.values.bundles.saving import dump
        from kfnb.step.values.bundles.sharing import Reached

        for name, other in others.items():
            with contextlib.suppress(Exception):  # Saving it reports the problem.
                one = dump({name: other}, definitions=self._definitions, origin="collecting")
                if id(value) in Reached.of(one.pickler).objects:
                    return name
        return ""


def _items(value: Any) -> list[Any]:
    """Return the objects in a collection; whether these change is watched where they come from."""
    if isinstance(value, dict):
        items: list[Any] = []
        for key, item in value.items():
            # A step may also add to the lists and sets in a dictionary.
            items += [key, item, *(item if type(item) in (list, set) else ())]
        return items
    return list(value) if isinstance(value, (list, set)) else []


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(operator.is_, one, other))
