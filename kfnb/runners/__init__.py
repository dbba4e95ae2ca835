"""Runs: creating them, driving them, and executing their steps on a target."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.runners.launch import (
        create_run,
        driver_state,
        has_succeeded,
        is_driven,
        request_stop,
        resume,
        start_driver,
    )
    from kfnb.runners.parameters import check_parameters, parse_parameter

__all__ = [
    "check_parameters",
    "create_run",
    "driver_state",
    "has_succeeded",
    "is_driven",
    "parse_parameter",
    "request_stop",
    "resume",
    "start_driver",
]

_MODULES = dict.fromkeys(("check_parameters", "parse_parameter"), "kfnb.runners.parameters")


def __getattr__(name: str) -> Any:
    # The command line needs the targets' options, but not the engine, to print its help.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "kfnb.runners.launch")), name)
