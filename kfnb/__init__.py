"""Run a tagged Jupyter notebook as a pipeline.

>>> import kfnb
>>> kfnb.log_metric("accuracy", 0.93)

``__all__`` has the public names; each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api import Run, open_run, read, run, runs
    from kfnb.errors import (
        CheckError,
        InfrastructureError,
        KfnbError,
        NotebookError,
        UsageError,
    )
    from kfnb.metrics import log_metric
    from kfnb.pipeline import Diagnostic, Edge, Options, Parameter, Pipeline, Step

__version__ = "0.1.0"
__all__ = [
    "CheckError",
    "Diagnostic",
    "Edge",
    "InfrastructureError",
    "KfnbError",
    "NotebookError",
    "Options",
    "Parameter",
    "Pipeline",
    "Run",
    "Step",
    "UsageError",
    "log_metric",
    "open_run",
    "read",
    "run",
    "runs",
]

_MODULES = {
    **dict.fromkeys(("Run", "open_run", "read", "run", "runs"), "kfnb.api"),
    **dict.fromkeys(
        ("Diagnostic", "Edge", "Options", "Parameter", "Pipeline", "Step"), "kfnb.pipeline"
    ),
    "log_metric": "kfnb.metrics",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kfnb' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES.get(name, "kfnb.errors")), name)
    # From now on the name is found without this function.
    globals()[name] = value
    return value


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%step`` and ``%pipeline`` (``%load_ext kfnb``)."""
    from kfnb.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove ``%%step`` and ``%pipeline`` (``%unload_ext kfnb``)."""
    from kfnb.magics import unload

    unload(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
