"""Live views of pipelines and runs in a notebook.

>>> from kfnb.widgets import PipelineView

Without Jupyter a view is a picture and text. The classes are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.widgets.view import DagView, LogView, MetricsView, PipelineView, StepTable

__all__ = ["DagView", "LogView", "MetricsView", "PipelineView", "StepTable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kfnb.widgets' has no attribute {name!r}")
    value = getattr(importlib.import_module("kfnb.widgets.view"), name)
    # From now on the name is found without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
