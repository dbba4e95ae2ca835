"""The Python API: :func:`kfnb.read`, :func:`kfnb.run`, :class:`kfnb.Run`.

Names are imported late: reading a notebook does not load what running one needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api.launch import read, run
    from kfnb.api.run_handle import Run, open_run, runs
    from kfnb.api.step_handle import StepFailure, StepRun

__all__ = ["Run", "StepFailure", "StepRun", "open_run", "read", "run", "runs"]

_MODULES = {
    "read": "launch",
    "run": "launch",
    "Run": "run_handle",
    "open_run": "run_handle",
    "runs": "run_handle",
    "StepFailure": "step_handle",
    "StepRun": "step_handle",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kfnb.api' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kfnb.api.{_MODULES[name]}"), name)
