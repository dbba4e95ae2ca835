"""kfnb in Python: :func:`kfnb.read`, :func:`kfnb.run`, :class:`kfnb.Run` and their like.

Reading a notebook does not load what running one needs, so each is imported late.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api.launch import read, run
    from kfnb.api.run_handle import Run, StepFailure, StepRun, open_run, runs

__all__ = ["Run", "StepFailure", "StepRun", "open_run", "read", "run", "runs"]

_STARTS = ("read", "run")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kfnb.api' has no attribute {name!r}")
    module = importlib.import_module(
        "kfnb.api.launch" if name in _STARTS else "kfnb.api.run_handle"
    )
    return getattr(module, name)
