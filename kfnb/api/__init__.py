"""The Python API: :func:`kfnb.read`, :func:`kfnb.run`, :class:`kfnb.Run`.

Names are imported late: reading a notebook does not load what running one needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api.launch import read, run
    from kfnb.api.run_handle import Run, StepFailure, StepRun, open_run, runs

__all__ = ["Run", "StepFailure", "StepRun", "open_run", "read", "run", "runs"]

_LAUNCH_NAMES = ("read", "run")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kfnb.api' has no attribute {name!r}")
    module = importlib.import_module(
        "kfnb.api.launch" if name in _LAUNCH_NAMES else "kfnb.api.run_handle"
    )
    return getattr(module, name)
