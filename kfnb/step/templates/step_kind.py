"""A template of the kind "step": the step runner with papermill and nbclient."""

from __future__ import annotations

import sys

from kfnb.step.templates.loaded import Loaded, Run
from kfnb.step.templates.spec import ForkOrder


def load() -> Loaded:
    """Import what an attempt needs."""
    from kfnb.step.execution.papermill_import import preload

    # First, because it hides what papermill would import without need.
    preload()
    import kfnb.step.__main__
    import kfnb.step.execution.attempt
    import kfnb.step.execution.client
    import kfnb.step.kernels.orphan_guard
    import kfnb.step.kernels.own_kernels  # noqa: F401

    return Loaded(_start)


def _start(order: ForkOrder) -> Run:
    from kfnb.step.__main__ import main

    sys.argv = ["kfnb.step", *order.arguments]
    return lambda: sys.exit(main(list(order.arguments)))
