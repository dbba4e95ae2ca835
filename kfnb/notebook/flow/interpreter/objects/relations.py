"""Tables and sets of objects that note what the present cell changes in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

V = TypeVar("V")
S = TypeVar("S", bound="ObjectSet")
# Looking these up on the base class each time costs more than what they do.
_setitem = dict.__setitem__
_add = set.add


class Relation(dict[int, V]):
    """What is known of objects; ``written`` has what it was before the present cell changed it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[int, V | None] = {}

    def __setitem__(self, number: int, value: V) -> None:
        """Set what is known of an object."""
        if number not in self.written:
            self.written[number] = self.get(number)
        _setitem(self, number, value)

    def setdefault(self, number: int, default: Any = None) -> V:
        """Set what is known of an object, unless something is known."""
        if number not in self:
            self[number] = default
        return self[number]

    def value(self, number: int) -> V | None:
        """Return what is known of an object."""
        return self.get(number)

    def take_over(self, values: Mapping[int, Any]) -> None:
        """Set what another walk found out."""
        super().update(values)


class ObjectSet(set[int]):
    """Objects of one kind; ``written`` has whether an object was one before the present cell."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[int, bool] = {}

    def __ior__(self: S, numbers: Any) -> S:  # type: ignore[override, misc]  # noqa: PYI019
        """Add objects."""
        for number in numbers:
            if number not in self:
                self.written.setdefault(number, False)
                _add(self, number)
        return self

    def add(self, number: int) -> None:
        """Add an object."""
        if number not in self:
            self.written.setdefault(number, False)
            super().add(number)

    def discard(self, number: object) -> None:
        """Take an object away."""
        if isinstance(number, int) and number in self:
            self.written.setdefault(number, True)
            super().discard(number)

    def value(self, number: int) -> bool:
        """Return whether an object is one."""
        return number in self

    def take_over(self, values: Mapping[int, Any]) -> None:
        """Add and take away what another walk did."""
        for number, there in values.items():
            if there:
                super().add(number)
            else:
                super().discard(number)
