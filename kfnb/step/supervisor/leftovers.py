"""What is said about processes that a step left running."""

from __future__ import annotations

from collections.abc import Sequence

GUARD = "kfnb-guard"
"""The name of a step's guard process (:mod:`kfnb.step.kernels.orphan_guard`)."""

PROCESSES_LEFT = "KFNB-W617"
PROCESSES_LEFT_REMEDY = "End them in the step that starts them, for example with terminate()."
_MOST_NAMED = 5


def processes_left_message(descriptions: Sequence[str]) -> str:
    """Return the sentence that names the processes."""
    named = ", ".join(descriptions[:_MOST_NAMED])
    if len(descriptions) > _MOST_NAMED:
        named += f" and {len(descriptions) - _MOST_NAMED} more"
    return f"The step left processes running, and kfnb ended them: {named}."
