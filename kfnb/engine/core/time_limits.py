"""How long each step may take, and how often it is tried."""

from __future__ import annotations

from kfnb.engine.core.plan import Plan
from kfnb.engine.core.retry_policy import Limits
from kfnb.engine.core.state import RunState


class TimeLimits:
    """The limits of each step, by position, as long as the run's settings are the same."""

    def __init__(self, plan: Plan, state: RunState) -> None:
        self._plan = plan
        self._state = state
        self._known: dict[int, Limits] = {}

    def forget(self) -> None:
        """Derive all limits anew: the settings have changed."""
        self._known.clear()

    def of(self, n: int) -> Limits:
        """Return the limits of a step."""
        limits = self._known.get(n)
        if limits is None:
            limits = Limits.of(self._plan.options[n], self._plan.defaults, self._state.settings)
            self._known[n] = limits
        return limits

    def deadline(self, n: int) -> float | None:
        """Return when the attempt that executes must have ended, in seconds since the epoch."""
        timeout = self.of(n).timeout
        if timeout is None:
            return None
        step = self._state.steps[self._plan.keys[n]]
        since = step.running_since if step.running_since is not None else step.started
        if since is None:
            return None
        return since + timeout + self._state.settings.timeout_grace
