"""Follow one argument through the calls that pass it on: which files it enters, where it climbs.

A call passes the argument on if one of its parameters is the argument, or an object that was made
of it: a text or path that contains it, or an object with such an attribute. A call climbs if a
function of one layer calls a function of a higher layer. The layers are those of the import
contract in pyproject.toml.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

import kfnb
from kfnb.engine.core.state import RunState

ROOT = Path(kfnb.__file__).parent

# From the top down; folders and files of one layer have one number.
LAYERS = (
    {"magics", "cli"},
    {"widgets"},
    {"commands"},
    {"verify"},
    {"live"},
    {"api"},
    {"runners"},
    {"engine"},
    {"notebook", "step"},
    {"store"},
    {"metrics", "home", "watch"},
    {"pipeline"},
    {"draw", "locations"},
    {"errors", "durations", "json_values"},
)


class _EndOfRouteError(BaseException):
    """Unwinds the call when the function at the end of the route is entered."""


@dataclass
class Route:
    """The files of kfnb that an argument entered.

    Parameters
    ----------
    files
        Each file once, in the order in which it was first entered.
    climbs
        Pairs of files: the first called into the second, which is in a higher layer.
    """

    files: list[str] = field(default_factory=list)
    climbs: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return " → ".join(self.files)


def route_of(call: Callable[[], Any], argument: str, *, until: str | None = None) -> Route:
    """Call a function and record the route of an argument.

    Parameters
    ----------
    argument
        A text that only this argument has, such as a run's id.
    until
        The file and function at which the route ends: ``runners/launch.py:start_driver``.
    """
    route = Route()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        file = _file_of(frame)
        if file is None:
            return
        if until == f"{file}:{frame.f_code.co_name}":
            raise _EndOfRouteError
        names = frame.f_code.co_varnames[
            : frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
        ]
        if not any(_carries(frame.f_locals.get(name), argument, 2) for name in names):
            return
        if file not in route.files:
            route.files.append(file)
        caller = _caller(frame)
        if caller is not None and _layer(file) < _layer(caller):
            step = (caller, file)
            if step not in route.climbs:
                route.climbs.append(step)

    sys.setprofile(profile)
    try:
        call()
    except _EndOfRouteError:
        pass
    finally:
        sys.setprofile(None)
    return route


def _carries(value: Any, argument: str, depth: int) -> bool:
    if isinstance(value, (str, Path)):
        return argument in str(value)
    if isinstance(value, (msgspec.Struct, RunState)):
        return False  # events with their data, and the state that was reduced from them
    if not depth or not type(value).__module__.startswith("kfnb"):
        return False
    names = [*getattr(value, "__dict__", {}), *getattr(type(value), "__slots__", ())]
    return any(_carries(_attribute(value, name), argument, depth - 1) for name in names)


def _attribute(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return None


def _file_of(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return None


def _caller(frame: FrameType) -> str | None:
    """Return the file of kfnb that called, past frames of libraries and of imports."""
    above = frame.f_back
    while above is not None:
        if above.f_code.co_name != "<module>" and (file := _file_of(above)) is not None:
            return file
        above = above.f_back
    return None


def _layer(file: str) -> int:
    part = file.partition("/")[0].removesuffix(".py")
    return next((n for n, names in enumerate(LAYERS) if part in names), len(LAYERS))
