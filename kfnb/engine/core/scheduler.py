"""The engine: events in, commands out. No clock, no I/O, no threads."""

from __future__ import annotations

from collections.abc import Iterable

from kfnb.engine.core.commands import (
    Command,
    EndKernel,
    Prepare,
    Record,
    Start,
    Stop,
    StopReason,
    Wake,
)
from kfnb.engine.core.event_types import StepSkipped
from kfnb.engine.core.events import Event
from kfnb.engine.core.outcomes import cancelled, cascade, failed_for_good, finish
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.progress import Progress

PREPARED_AT_ONCE = 64
"""Most ``Prepare`` commands in one batch, so that what they lead to is not kept waiting."""


class Engine(Progress):
    """Folds a run's events and decides what is to be done next."""

    def decide(self, now: float) -> list[Command]:
        """Say what is to be done, as far as the events so far tell.

        Parameters
        ----------
        now
            Seconds since the epoch.

        Returns
        -------
        list of Command
            As :mod:`kfnb.engine.core.commands` explains. When there is something to record, that
            alone comes first, because it decides what else may begin.
        """
        if self.state.created is None or self.state.ended:
            return []
        records = self._records(now)
        if records:
            return list(records)
        commands: list[Command] = []
        commands += [EndKernel(*kernel) for kernel in self._groups.unneeded_kernels()]
        commands += self._stops(now)
        if not self._stopping_steps():
            self._offer_late()
            commands += self._starts(now)
            commands += self._prepares()
        # Nothing is open except perhaps the exit step (True counts as 1).
        if not self._active and len(self._open) == (self.plan.exit in self._open):
            commands += self._last(now)
        wake = self._wake(now)
        return [*commands, Wake(wake)] if wake is not None else commands

    def wants(self, command: Command) -> bool:
        """Tell whether a command of an earlier :meth:`decide` is still to be carried out."""
        if isinstance(command, Wake):
            return True
        if isinstance(command, Record):
            return not self.state.ended
        if isinstance(command, EndKernel):
            return (command.step, command.index, command.attempt) in self.state.kernels
        # Commands of one decision are carried out one after another, and each may change the state.
        n = self.plan.position[command.step, command.index]
        step = self._steps[n]
        if isinstance(command, Stop):
            return step.active == command.attempt
        if self._stopping(n) or step.status != "pending" or step.active or self._blocked(n):
            return False
        if isinstance(command, Prepare):
            current = command.round == step.round and command.inputs == self._inputs(n)
            return current and not step.ready
        fits = len(self._active) < max(1, self.state.settings.parallel)
        return (
            step.ready
            and fits
            and command.round == step.round
            and command.attempt == step.attempts + 1
            and self._groups.kernel(n) == (True, command.kernel)
        )

    def group_members(self, step: str) -> tuple[str, ...]:
        """Return the names of the steps that share a kernel with one, and its own; or nothing."""
        n = self.plan.position.get((step, ""))
        return tuple(self.plan.keys[m][0] for m in self._groups.of(n)) if n is not None else ()

    def continues(self, step: str) -> bool:
        """Return whether the kernel of a step is to wait for a later step of its group."""
        n = self.plan.position.get((step, ""))
        return n is not None and self._groups.continues(n)

    def active(self) -> list[tuple[str, str, int]]:
        """Give (step, index, attempt) of attempts that were begun and have no end yet."""
        return [(*self.plan.keys[n], self._steps[n].active) for n in sorted(self._active)]

    def _records(self, now: float) -> list[Record]:
        if not (
            self._permanent
            or self._pending
            or self._repairs
            or self._ended
            or self._once
            or self._groups
            or self._stopping_steps()
        ):
            return []
        counts = self._failures_that_count()
        records = self._pending.records()
        if not records and self._repairs:
            return [self._repairs.next_record()]
        records += [failed_for_good(self._steps[n]) for n in counts]
        if records:
            return records
        records = cascade(self._ended, self._steps, self._edges.dependents, skip=self.plan.exit)
        records += self._never_settled() if not records else []
        if not records and not self._stopping_steps():
            repairs = self._repairs
            anew = self._groups.restart(now, voids=repairs.voids, lasting=repairs.lasting)
            return [anew] if anew is not None else []
        if not records and self._stopping_steps():
            # The exit step runs even if a person stops the run.
            idle = (n for n in sorted(self._open - self._active) if n != self.plan.exit)
            records = [cancelled(self._steps[n], self.state, self._steps) for n in idle]
        return records

    def _never_settled(self) -> list[Record]:
        """Skip what waits to be settled behind a step that has failed."""
        first = self._unsettled.first()
        if not self._once or first == len(self._steps) or self._phase(first) != "ended":
            return []
        failed = self._steps[first]
        data = StepSkipped(
            reason=f'step "{failed.name}" did not succeed, and a step tagged once starts only '
            "after all earlier steps have succeeded",
            because=failed.because or failed.name,
        )
        return [
            Record(data, step.name, step.index, step.round)
            for n in self._once
            if n > first and (step := self._steps[n]).status == "pending" and not step.active
        ]

    def _offer_late(self) -> None:
        """Queue steps that waited for all before them to settle, and whose turn has come."""
        for n in self._late:
            self._offer(n)
        n = self._unsettled.first()
        if self._once and n < len(self._steps) and self.plan.options[n].once:
            self._offer(n)

    def _stops(self, now: float) -> list[Stop]:
        stops: list[Stop] = []
        stopping = self._stopping_steps()
        for n in sorted(self._active):
            step = self._steps[n]
            reason: StopReason | None = None
            if step.status != "running":
                # Its step began anew or ended otherwise, so the attempt's result would not count.
                reason = "superseded"
            elif stopping if n != self.plan.exit else self._stopping(n):
                reason = "cancel"
            elif (at := self._limits.deadlines.get(n)) is not None and now >= at:
                reason = "timeout"
            if reason is not None:
                stops.append(Stop(step.name, step.index, step.active, reason, step.active_round))
        return stops

    def _starts(self, now: float) -> list[Start]:
        # A limit of 0 would make the run wait forever.
        free = max(1, self.state.settings.parallel) - len(self._active)
        return [self._start(n) for n in self._queues.startable(self._steps, now, free)]

    def _start(self, n: int) -> Start:
        step = self._steps[n]
        return Start(
            step.name,
            step.index,
            step.attempts + 1,
            step.inputs,
            self._limits.of(n).timeout,
            step.round,
            # A step that cannot have the kernel that it needs has led to a record before.
            self._groups.kernel(n)[1],
            self._groups.continues(n),
        )

    def _prepares(self) -> list[Prepare]:
        preparable = self._queues.preparable(self._steps, self._unmet, PREPARED_AT_ONCE)
        # A step that was queued before it was begun anew may have to wait now.
        return [self._prepare(n) for n in preparable if not self._waits_to_settle(n)]

    def _prepare(self, n: int) -> Prepare:
        step, settings = self._steps[n], self.state.settings
        cache = self.plan.options[n].cache
        if cache is None:
            # The exit step is there for what it does, not for what it computes.
            cache = n != self.plan.exit and self.plan.defaults.cache is not False
        cache = cache and settings.cache and step.name not in settings.force
        grouped = self._groups.executes(n)
        return Prepare(
            step.name,
            step.index,
            self._inputs(n),
            cache and not grouped,
            step.round,
            step.again,
            grouped,
        )

    def _last(self, now: float) -> list[Command]:
        """Everything else has ended: the exit step, then the end of the run."""
        n = self.plan.exit
        if n is None or n not in self._open:
            return [finish(self.state, self._steps, n)]
        step = self._steps[n]
        if self.state.stop_exit:
            return [cancelled(step, self.state, self._steps)]
        if not step.ready:
            return [self._prepare(n)]
        if step.retry_at is not None and now < step.retry_at:
            return [Wake(step.retry_at)]
        return [self._start(n)]

    def _wake(self, now: float) -> float | None:
        # A deadline that has passed has led to a Stop already; waking for it would never pause.
        times = [at for at in self._limits.deadlines.values() if at > now]
        if not self._stopping_steps():
            at = self._queues.next_retry(self._steps)
            times += [at] if at is not None else []
        return min(times, default=None)


def replay(plan: Plan, events: Iterable[Event]) -> Engine:
    """Give the engine as it is after these events."""
    engine = Engine(plan)
    for event in events:
        engine.apply(event)
    return engine
