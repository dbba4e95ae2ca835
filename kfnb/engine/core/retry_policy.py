"""What a failed attempt leads to: another attempt, and when, or the end of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kfnb.engine.core.event_types import FailureClass
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.settings import Settings
from kfnb.engine.core.state import RunState, StepState
from kfnb.pipeline import Options

Verdict = Literal["own", "infrastructure", "cancelled", "permanent"]
"""``own``: the step's retries are used; ``infrastructure``: the extra ones."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one step: from its options, else the run's settings, else the notebook's."""

    retries: int
    timeout: float | None

    @classmethod
    def of(cls, options: Options, defaults: Options, settings: Settings) -> Limits:
        """Combine the three places where a limit may be set, the nearest first."""
        retries = (options.retries, settings.retries, defaults.retries)
        timeouts = (options.timeout, settings.timeout, defaults.timeout)
        return cls(
            retries=next((n for n in retries if n is not None), 0),
            # 0 is how a step says "no limit" where the run has one.
            timeout=next((t for t in timeouts if t is not None), None) or None,
        )


def judge(kind: FailureClass, *, asked: bool, overdue: bool) -> Verdict:
    """Return which budget pays for another attempt.

    Parameters
    ----------
    kind
        The class of the attempt's failure.
    asked
        The engine had asked for the attempt's end because somebody cancels.
    overdue
        The attempt's time was over.
    """
    if kind == "cancelled":
        if asked:
            return "cancelled"
        # Ended from outside: by our own Stop when its time was over, or by somebody's kill.
        return "own" if overdue else "infrastructure"
    if kind == "configuration":
        # A missing Secret or a wrong image name would be the same in the next attempt.
        return "permanent"
    return "infrastructure" if kind == "infrastructure" else "own"


def count_failure(
    step: StepState, verdict: Verdict, retries: int, settings: Settings
) -> tuple[int, int]:
    """Count a failure; return how many there are of its kind, and how many are allowed."""
    if verdict == "own":
        step.own_failures += 1
        return step.own_failures, retries
    if verdict == "infrastructure":
        step.infrastructure_failures += 1
        return step.infrastructure_failures, settings.infrastructure_retries
    return 1, 0


def delay(failures: int, settings: Settings) -> float:
    """Seconds to wait after the ``failures``-th failure of a kind: doubled each time, capped.

    Deterministic: there is one driver, so there is no herd that jitter would have to spread.
    """
    # 2.0**64 seconds are beyond any cap, and a larger exponent would overflow.
    return min(settings.backoff_cap, settings.backoff * 2.0 ** min(failures - 1, 64))


class TimeLimits:
    """The limits of each step, by position, as long as the run's settings are the same.

    Attributes
    ----------
    deadlines
        When each attempt that executes must have ended, in seconds since the epoch; steps without
        a limit are not in it.
    """

    def __init__(self, plan: Plan, state: RunState) -> None:
        self._plan = plan
        self._state = state
        self._known: dict[int, Limits] = {}
        self.deadlines: dict[int, float] = {}

    def forget(self) -> None:
        """Derive all limits anew: the settings have changed."""
        self._known.clear()
        for n, key in enumerate(self._plan.keys):
            self.note(n, self._state.steps[key])

    def note(self, n: int, step: StepState) -> None:
        """Note that a step changed: its deadline depends on its attempt's begin and first cell."""
        at = self.deadline(n, step) if step.active else None
        if at is not None:
            self.deadlines[n] = at
        else:
            self.deadlines.pop(n, None)

    def of(self, n: int) -> Limits:
        """Return the limits of a step."""
        limits = self._known.get(n)
        if limits is None:
            limits = Limits.of(self._plan.options[n], self._plan.defaults, self._state.settings)
            self._known[n] = limits
        return limits

    def deadline(self, n: int, step: StepState) -> float | None:
        """Return when the step's last attempt must have ended; None if it has no limit."""
        timeout = self.of(n).timeout
        if timeout is None:
            return None
        since = step.running_since if step.running_since is not None else step.started
        if since is None:
            return None
        return since + timeout + self._state.settings.timeout_grace
