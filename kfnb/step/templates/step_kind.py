"""A template of the kind "step": the step runner with papermill and nbclient."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kfnb.step.templates.spec import ForkOrder, TemplateSpec


def load(
    spec: TemplateSpec,  # noqa: ARG001 (the same for every kind)
) -> tuple[
    Callable[[ForkOrder], Callable[[], None]], dict[str, str], Callable[[ForkOrder], str | None]
]:
    """Import what an attempt needs."""
    import kfnb.step.__main__
    import kfnb.step.execution.attempt
    import kfnb.step.execution.client
    import kfnb.step.kernels.orphan_guard
    import kfnb.step.kernels.own_kernels  # noqa: F401
    from kfnb.step.execution.papermill_import import preload

    preload()
    return _start, {}, lambda _order: None


def _start(order: ForkOrder) -> Callable[[], None]:
    from kfnb.step.__main__ import main

    sys.argv = ["kfnb.step", *order.arguments]
    return lambda: sys.exit(main(list(order.arguments)))
