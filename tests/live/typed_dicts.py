"""Comparing JSON values with the protocol's TypedDicts."""

from __future__ import annotations

import typing
from typing import Any


def fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value has exactly the fields of a TypedDict, at every level."""
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        assert isinstance(value, dict)
        assert kind.__required_keys__ <= value.keys() <= hints.keys(), kind
        return all(fits(value[name], hints[name]) for name in value)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if type(None) in args and value is None:
        return True
    if origin is list:
        assert isinstance(value, list)
        return all(fits(one, args[0]) for one in value)
    if origin is dict:
        assert isinstance(value, dict)
        return all(fits(one, args[1]) for one in value.values())
    some = next((arg for arg in args if typing.is_typeddict(arg)), None)
    return fits(value, some) if some is not None else True
