"""Findings of a run: a new edge, a step that used an old value, an unplanned effect.

All sentences about them are in this module, so that they use the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kfnb.engine.core.event_types import StepFailed
from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.core.plan import Plan
from kfnb.state_names import state_of


@dataclass(frozen=True, slots=True)
class NewEdge:
    """``target`` depends on ``source``, which the plan did not know. Positions."""

    source: int
    target: int
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class StaleStep:
    """What ``step`` computed is not what the notebook would have computed. Positions.

    Attributes
    ----------
    repairable
        Whether the step computes the right thing if it is executed again.
    then
        Steps that have to be executed again after it.
    harmless
        Whether the step may count if it cannot be executed again: a warning is enough.
    """

    step: int
    explanation: Explanation
    repairable: bool = True
    then: tuple[int, ...] = ()
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class UnplannedEffect:
    """Nothing is wrong this time, but another time it may be: a warning at ``step``."""

    step: int
    explanation: Explanation


Finding = NewEdge | StaleStep | UnplannedEffect


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code, what is wrong, what to do, and the steps that the sentence names."""

    code: str
    message: str
    remedy: str
    steps: tuple[str, ...]

    def failure(self) -> StepFailed:
        """Return it as the failure of a step whose result does not count."""
        return StepFailed(
            kind="user",
            summary=self.message,
            code=self.code,
            remedy=self.remedy,
            steps=self.steps,
            stale=True,
        )

    def warning(self) -> WarningData:
        """Return it as a warning; what would be an error is one only by request."""
        code = self.code.replace("KFNB-E", "KFNB-W")
        return WarningData(message=self.message, code=code, remedy=self.remedy, steps=self.steps)


def unplanned_sources(
    n: int, inputs: Mapping[str, int], is_direct: Callable[[int, int], bool]
) -> list[NewEdge]:
    """Say that a step which loads a value depends on its producer, planned or not."""
    names: dict[int, list[str]] = {}
    for name, m in inputs.items():
        if m >= 0 and not is_direct(n, m):
            names.setdefault(m, []).append(name)
    why = "it published the latest version of the value"
    return [NewEdge(m, n, names=tuple(loaded), why=why) for m, loaded in names.items()]


def older_value(reader: str, writer: str, name: str, reason: str) -> Explanation:
    """Say that a step had begun with a value before an earlier step changed it."""
    return Explanation(
        "KFNB-E601",
        f'step "{reader}" started before step "{writer}" had changed "{name}" '
        f"({reason or 'in a way that its source does not show'}), so it used the old value",
        f'Tag a cell of step "{writer}" with changes:{name}, so that "{reader}" waits for it.',
        (writer, reader),
    )


def lost_change(writer: str, name: str, reason: str, reader: str) -> Explanation:
    """Say that a step changed a value unforeseen, and that the change was not published."""
    return Explanation(
        "KFNB-E602",
        f'step "{writer}" changed "{name}", which step "{reader}" uses, but the changed value was '
        f"not saved: {reason}",
        f'Tag a cell of step "{writer}" with changes:{name}.',
        (writer, reader),
    )


def split_alias(changer: str, name: str, other: str, origin: str) -> Explanation:
    """Say that a step changed one of two names of an object, in a copy from before."""
    return Explanation(
        "KFNB-E603",
        f'"{name}" and "{other}" are the same object since step "{origin}", but step "{changer}" '
        f'changed only its own copy of "{name}": "{other}" did not change with it',
        f'Tag a cell of step "{changer}" with changes:{other}.',
        (origin, changer),
    )


def file_too_early(reader: str, writer: str, path: str, *, use: str = "read") -> Explanation:
    """Say that a step read, or used, a file that an earlier step was still to write."""
    return Explanation(
        "KFNB-E604",
        f'step "{reader}" {use} the file "{path}" before step "{writer}", which comes first in the '
        "notebook, had finished writing it",
        f'Tag a cell of step "{reader}" with after:{writer}.',
        (writer, reader),
    )


def file_overwritten(reader: str, writer: str, path: str) -> Explanation:
    """Say that a step read a file that a later step had already written."""
    return Explanation(
        "KFNB-E605",
        f'step "{reader}" read the file "{path}" after step "{writer}", which comes later in the '
        "notebook, had begun to write it",
        f'Tag a cell of step "{writer}" with after:{reader}, restore the original file, and run '
        "again.",
        (reader, writer),
    )


def file_content_gone(
    reader: str, path: str, *, writer: str | None, other: str | None
) -> Explanation:
    """Say that a step read a file with another content than the notebook would have had."""
    left = (
        "the content from before the run"
        if writer is None
        else f'the content that step "{writer}" wrote'
    )
    who = f'the content that step "{other}" wrote' if other is not None else "other content"
    if other == reader:
        who = "the content that an earlier execution of the same step wrote"
    steps = dict.fromkeys(step for step in (writer, other, reader) if step is not None)
    return Explanation(
        "KFNB-E605",
        f'step "{reader}" read the file "{path}" with {who}, not with {left}',
        "Restore the original files and start a new run. If it happens again, write to two "
        "different files.",
        tuple(steps),
    )


def failed_too_early(edge: NewEdge, plan: Plan) -> StaleStep:
    """Say that a step failed before an earlier one had left what it may have needed."""
    reader, writer = plan.keys[edge.target][0], plan.keys[edge.source][0]
    what = ", ".join(
        state_of(name) or f'"{name}"' for name in dict.fromkeys((*edge.names, *edge.files))
    )
    explanation = Explanation(
        "KFNB-E604",
        f'step "{reader}" failed before step "{writer}", which comes first in the notebook, had '
        f"left {what}",
        f'Tag a cell of step "{reader}" with after:{writer}.',
        (writer, reader),
    )
    return StaleStep(edge.target, explanation)


def unforeseen_change(writer: str, name: str, reason: str) -> Explanation:
    """Say that a step changed a value, in time for all steps that use it."""
    return Explanation(
        "KFNB-W606",
        f'step "{writer}" changed "{name}" in a way that its source does not show '
        f"({reason or 'how is unknown'}); later steps got the changed value",
        f'Tag a cell of step "{writer}" with changes:{name}, so that this never depends on '
        "which step starts first.",
        (writer,),
    )


def file_by_luck(reader: str, writer: str, path: str, *, use: str = "read") -> Explanation:
    """Say that a step used what an earlier one wrote, and that nothing had made it wait."""
    return Explanation(
        "KFNB-W607",
        f'step "{reader}" {use} the file "{path}" that step "{writer}" wrote, but did not wait for '
        "that step, because the source does not show that it should",
        f'Tag a cell of step "{reader}" with after:{writer}.',
        (writer, reader),
    )


def file_written_twice(first: str, second: str, path: str) -> Explanation:
    """Say that two steps wrote one file at the same time."""
    return Explanation(
        "KFNB-W608",
        f'steps "{first}" and "{second}" wrote the file "{path}" at the same time, so its content '
        "depends on timing",
        f'Tag a cell of step "{second}" with after:{first}, or write to two different files.',
        (first, second),
    )


def older_state(reader: str, writer: str | None, state: str) -> Explanation:
    """Say that a step began with another state of a library than the notebook would have had."""
    left = "an earlier step" if writer is None else f'step "{writer}"'
    return Explanation(
        "KFNB-E614",
        f'step "{reader}" began before {left} had left {state} as the notebook leaves it',
        f'Tag a cell of step "{reader}" with after:{writer}, or set it in a cell tagged `setup`.'
        if writer is not None
        else "Set it in a cell tagged `setup`.",
        (reader,) if writer is None else (writer, reader),
    )
