"""A step of a run in Python: status, values, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kfnb.api.outputs import Outputs
from kfnb.api.run_view import RunView
from kfnb.api.step_lookup import no_such_step, step_label
from kfnb.engine.core.event_types import FailureData, StepSucceeded
from kfnb.engine.core.state import StepState
from kfnb.errors import UsageError


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step failed.

    ``kind`` is ``user``, ``memory``, ``disk``, ``timeout``, ``infrastructure``,
    ``configuration`` or ``cancelled`` (``class`` in JSON); ``cell`` counts from 0 over
    all cells of the notebook, ``line`` from 1 in the cell.
    """

    kind: str
    summary: str
    remedy: str = ""
    ename: str = ""
    evalue: str = ""
    cell: int | None = None
    line: int | None = None
    traceback: str = ""
    code: str = ""

    def __str__(self) -> str:
        known = self.line is None or f"line {self.line}" in self.summary
        where = "" if known else f" (line {self.line})"
        text = f"{self.summary.rstrip('.') or self.ename or self.kind}{where}."
        return f"{self.code + ': ' if self.code else ''}{text} {self.remedy}".rstrip()

    @classmethod
    def of(cls, record: FailureData) -> StepFailure:
        """Take the record of a failed attempt or step."""
        return cls(
            kind=record.kind,
            summary=record.summary or "",
            remedy=record.remedy or "",
            ename=record.ename or "",
            evalue=record.evalue or "",
            cell=record.cell,
            line=record.line,
            traceback=str(record.traceback or ""),
            code=record.code or "",
        )


class NoSuchStepError(UsageError, KeyError):
    """A run has no step of a name. A KeyError too, as for any other mapping."""

    # KeyError would show the sentence in quotes, with its own quotes escaped.
    __str__ = Exception.__str__


class StepsByName(dict[str, "StepRun"]):
    """The steps of a run; an error for an unknown name lists those that exist."""

    def __missing__(self, name: object) -> StepRun:
        raise NoSuchStepError(no_such_step(self, str(name), owner="run"))


class StepRun:
    """One step of a run, or one instance of it; each access reads the journal again.

    Attributes
    ----------
    name
        The step's name.
    index
        The instance, as text; empty for the step itself.
    """

    def __init__(self, view: RunView, name: str, index: str = "") -> None:
        self.name = name
        self.index = index
        self._view = view
        self._outputs = Outputs(
            self._result,
            step=name,
            pipeline=view.pipeline,
            store=lambda: view.store,
            # A value that several steps add to needs what the steps before this one added.
            others=lambda other: StepRun(view, other).outputs,
        )

    @property
    def status(self) -> str:
        """One of ``pending running succeeded cached failed skipped cancelled``."""
        return self._state().status

    @property
    def round(self) -> int:
        """How often the step was begun anew in this run because its result was wrong."""
        return self._state().round

    @property
    def instances(self) -> Mapping[str, StepRun]:
        """The instances of a mapped step by index; empty for other steps, and for an instance."""
        self._view.update()
        indices = () if self.index else self._view.state.instances(self.name)
        return {index: StepRun(self._view, self.name, index) for index in indices}

    @property
    def attempts(self) -> int:
        """How many attempts were started; 0 for a cached step."""
        return self._state().attempts

    @property
    def why(self) -> str | None:
        """Why the step ran or did not: ``code changed in [5]: `fit(X)` ``, for example."""
        state = self._state()
        return state.reason or state.why

    @property
    def duration(self) -> float | None:
        """Seconds that the result took; for a cached step, in the run that computed it."""
        return self._state().duration

    @property
    def outputs(self) -> Outputs:
        """The values that the step published; loaded on access."""
        return self._outputs

    @property
    def error(self) -> StepFailure | None:
        """Why the last attempt failed; None if the step succeeded or has not run yet."""
        record = self._state().error
        return StepFailure.of(record) if record else None

    def __repr__(self) -> str:
        return f"<step {step_label(self.name, self.index)!r}: {self.status}>"

    def _state(self) -> StepState:
        self._view.update()
        return self._view.state.steps[self.name, self.index]

    def _result(self) -> StepSucceeded | None:
        return self._state().result
