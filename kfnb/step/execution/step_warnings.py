"""What a step's kernel notices that is no failure, as warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kfnb.step.execution.failures import quoted, setup_change
from kfnb.step.order import StepOrder
from kfnb.step.supervisor.leftovers import (
    PROCESSES_LEFT,
    PROCESSES_LEFT_REMEDY,
    processes_left_message,
)


class StepWarning(NamedTuple):
    """A code, what is wrong, and what to do."""

    code: str
    message: str
    remedy: str


def not_a_number(reason: str) -> StepWarning:
    """Warn that a metric was not logged."""
    return StepWarning(
        "KFNB-W610", f"A metric was not logged: {reason}.", "Log a number with kfnb.log_metric."
    )


def setup_changed(order: StepOrder, names: Sequence[str]) -> StepWarning:
    """Warn that the step changed values of setup, if the run may continue."""
    message, remedy = setup_change(order, names)
    return StepWarning("KFNB-W609", message.partition(": ")[2], remedy)


def threads_left(names: Sequence[str]) -> StepWarning:
    """Warn that threads ran while the step's values were saved."""
    return StepWarning(
        "KFNB-W613",
        f"Threads were running when the step's values were saved ({', '.join(names)}): later "
        "steps do not see what these threads change afterwards.",
        "Wait for the threads (join) at the end of the step that starts them.",
    )


def processes_left(descriptions: Sequence[str]) -> StepWarning:
    """Warn that processes were running when the kernel had ended."""
    return StepWarning(PROCESSES_LEFT, processes_left_message(descriptions), PROCESSES_LEFT_REMEDY)


def names_not_utf8(names: Sequence[str]) -> StepWarning:
    """Warn that files were written that are not restored."""
    return StepWarning(
        "KFNB-W619",
        f"The step wrote files whose names are not UTF-8 ({', '.join(names)}), so they are not "
        "restored when the step is taken from the cache.",
        "Give them names in UTF-8.",
    )


def ended_early(cell: Mapping[str, Any] | None) -> StepWarning:
    """Warn that a cell called ``sys.exit``; ``cell`` is None if it is not known which."""
    return StepWarning(
        "KFNB-W611",
        f"The cell{quoted(cell)} called sys.exit, so the cells after it were not executed.",
        "Raise an error instead if the step should fail there.",
    )


def exit_timed_out(seconds: float) -> StepWarning:
    """Warn that exit handlers of the kernel were cut off."""
    return StepWarning(
        "KFNB-W612",
        f"The kernel did not exit within {seconds:g} seconds after its last cell, so kfnb killed "
        "it.",
        "Stop threads and servers at the end of the step.",
    )
