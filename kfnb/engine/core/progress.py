"""Folding events: the state, and the indices that make decisions cheap.

Ready steps are in heaps, dependencies are counted. All of it follows from the events alone, so
that a driver that died and one that did not decide the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from kfnb.engine.consistency.bindings import Bindings
from kfnb.engine.consistency.file_conflicts import FileConflicts
from kfnb.engine.consistency.findings import (
    Finding,
    NewEdge,
    UnplannedEffect,
    failed_too_early,
    unplanned_sources,
)
from kfnb.engine.consistency.groups import Groups
from kfnb.engine.consistency.library_state import LibraryState
from kfnb.engine.consistency.pending_records import PendingRecords
from kfnb.engine.consistency.repairs import MOST_ROUNDS, Repairs
from kfnb.engine.consistency.versions import Phase
from kfnb.engine.core.event_types import (
    AttemptFailed,
    EdgeAdded,
    FailureClass,
    GroupFormed,
    RunCreated,
    RunResumed,
    StepCached,
    StepInvalidated,
    StepReady,
    StepSucceeded,
)
from kfnb.engine.core.event_types import (
    Warning as WarningData,
)
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Source
from kfnb.engine.core.indices.dependencies import Dependencies
from kfnb.engine.core.indices.queues import Queues
from kfnb.engine.core.indices.unsettled import Unsettled
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.reducer import fold_run, fold_step
from kfnb.engine.core.retry_policy import TimeLimits, count_failure, delay, judge
from kfnb.engine.core.state import DONE, OPEN, RunState, StepState, StepStatus


class Progress:
    """Folds a run's events.

    Attributes
    ----------
    plan
        What was given.
    state
        What the events so far amount to. Read only.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state = RunState.of(plan.keys, None if plan.exit is None else plan.keys[plan.exit])
        self._steps: list[StepState] = [self.state.steps[k] for k in plan.keys]
        self._edges = Dependencies(plan)
        self._bindings = Bindings(plan, self._phase)
        self._files = FileConflicts(lambda n: plan.keys[n][0], self._edges.depends)
        self._library_state = LibraryState(lambda n: plan.keys[n][0], self._edges.is_direct)
        self._pending = PendingRecords(plan, lambda n: self._steps[n].round)
        self._limits = TimeLimits(plan, self.state)
        self._groups = Groups(
            plan, self.state, self._steps, edges=self._edges, readers=self._bindings.readers
        )
        self._repairs = Repairs(
            plan,
            self._steps,
            self._edges.dependents,
            self._files.changed_in_place,
            group=self._groups.of,
        )
        self._late: set[int] = set()
        self._once = [n for n, options in enumerate(plan.options) if options.once]
        self._index()

    # Folding

    def apply(self, event: Event) -> None:
        """Fold one event. Late and repeated ones are allowed and change nothing."""
        n = self.plan.position.get((event.step, event.index)) if event.step is not None else None
        data = event.data
        if isinstance(data, StepInvalidated):
            self._invalidate(event, data)
            return
        fold_run(self.state, event)
        self._pending.remove_recorded(event)
        if isinstance(data, (RunCreated, RunResumed)):
            self._limits.forget()
        if isinstance(data, RunResumed):
            self._resume()
        elif isinstance(data, EdgeAdded):
            self._edge_event(event, data)
        elif isinstance(data, GroupFormed):
            for pair in self._groups.formed():
                self._depend(*pair)
        elif isinstance(data, WarningData) and n is not None:
            self._repairs.warned(n, data)
        elif n is not None:
            self._apply_step(n, event)
        elif (instance := self.state.steps.get((event.step or "", event.index))) is not None:
            fold_step(instance, event)  # the plan has the step as one; see StepExpanded

    def _apply_step(self, n: int, event: Event) -> None:
        step = self._steps[n]
        before, active = step.status, step.active
        prepared = isinstance(event.data, (StepReady, StepCached))
        if isinstance(event.data, (StepReady, StepCached)) and not self._current(
            n, event.data.inputs
        ):
            return  # Made with inputs that have been overtaken: it is prepared again.
        fold_step(step, event)
        if active and not step.active:
            self._groups.ended(n, lives=getattr(event.data, "kernel_lives", False))
        if step.active:
            self._active.add(n)
        else:
            self._active.discard(n)
        self._limits.note(n, step)
        if prepared and before == "pending" and not active:
            self._bind(n)
        if before == "running" and step.status == "pending":
            self._judge(n, event)
        elif step.status != before:
            self._moved(n, before, event)
        self._offer(n)

    def _invalidate(self, event: Event, data: StepInvalidated) -> None:
        """Take back what void rounds added; their steps wait to be prepared again."""
        before: dict[int, StepStatus] = {}
        for name, index, number in data.voids:
            n = self.plan.position.get((name, index))
            if n is not None and self._steps[n].round < number:
                before[n] = self._steps[n].status
        fold_run(self.state, event)
        for n, status in before.items():
            step = self._steps[n]
            self._pending.void(step.name, step.index)
            self._repairs.remove(n)
            if step.repairs >= MOST_ROUNDS:
                self._late.add(n)
            self._bindings.void(n)
            self._files.void(n)
            self._library_state.retract(n)
            self._permanent.pop(n, None)
            self._ended.pop(n, None)
            self._failed -= status == "failed"
            self._reopen(n)
            if status in DONE:
                for d in self._edges.dependents(n):
                    self._unmet[d] += 1
        for n in before:
            # What ended without a result before keeps this step from executing again.
            self._ended.update((d, None) for d in self._edges.of(n) if self._phase(d) == "ended")
            for d in self._edges.dependents(n):
                self._reconsider(d)
            self._offer(n)

    def _reopen(self, n: int) -> None:
        self._open.add(n)
        self._unsettled.add(n)

    def _reconsider(self, n: int) -> None:
        """See whether a step that has not begun is still to be skipped, or still ready."""
        step = self._steps[n]
        if step.status == "skipped" and not any(
            self._phase(d) == "ended" for d in self._edges.of(n)
        ):
            step.reopen(stale=False)
            self._ended.pop(n, None)
            self._reopen(n)
            for d in self._edges.dependents(n):
                self._reconsider(d)
        elif step.status == "pending" and n != self.plan.exit:
            step.ready = step.ready and self._current(n, step.inputs)
        self._offer(n)

    def _offer(self, n: int) -> None:
        # The exit step waits for all steps to end: see _last.
        if n != self.plan.exit and not self._waits_to_settle(n):
            self._queues.offer(n, self._steps[n], unmet=self._unmet[n])

    def _moved(self, n: int, before: str, event: Event) -> None:
        step = self._steps[n]
        if step.status in DONE:
            if n == self.plan.exit and self._blocked(n):
                step.reopen(stale=True)  # As in _judge.
                return
            self._close(n)
            for d in self._edges.dependents(n):
                self._unmet[d] -= 1
                self._offer(d)
            self._published(n, event)
        elif step.status not in OPEN:
            if before in DONE:
                self._bindings.retract(n)
                self._files.retract(n)
                self._library_state.retract(n)
                self._unsettled.add(n)
                for d in self._edges.dependents(n):
                    self._unmet[d] += 1
            self._close(n)
            self._repairs.remove(n)
            self._ended[n] = None
            self._failed += step.status == "failed"

    def _published(self, n: int, event: Event) -> None:
        """Note what a step published, and what follows for the others."""
        data = event.data
        assert isinstance(data, StepSucceeded)
        findings = self._bindings.publish(n, data)
        begun = [seq for a, seq in self._steps[n].begun.items() if a <= (event.attempt or 0)]
        findings += self._files.finish(n, begun or [event.seq], event.seq, data)
        findings += self._library_state.finish(n, data)
        self._handle(findings)
        self._pending.group(self._groups.formed_by(n, data.outputs))

    def _close(self, n: int) -> None:
        self._open.discard(n)
        self._permanent.pop(n, None)

    def _bind(self, n: int) -> None:
        inputs = self._bindings.resolve(n)
        # A state of a library is bound too, but whether the step relies on it shows at its end.
        self._bindings.bind(n, inputs)
        self._handle(unplanned_sources(n, inputs, self._edges.is_direct))

    def _judge(self, n: int, event: Event) -> None:
        """Decide what a failed attempt leads to; the state keeps it until it is acted upon."""
        step, settings = self._steps[n], self.state.settings
        if n == self.plan.exit and self._blocked(n):
            # The run was resumed while it executed, so the end that it executed for was none.
            step.reopen(stale=True)
            return
        if self._unmet[n]:
            # Dependencies were added while it executed; a retry has to wait for them.
            step.ready = False
            self._ended.update((d, None) for d in self._edges.of(n) if self._phase(d) == "ended")
        failure = event.data
        assert isinstance(failure, AttemptFailed)
        overdue = (at := self._limits.deadline(n, step)) is not None and event.time >= at
        verdict = judge(failure.kind, asked=self._stopping(n), overdue=overdue)
        if failure.kind == "cancelled" and verdict in ("own", "infrastructure"):
            kind: FailureClass = "timeout" if verdict == "own" else "infrastructure"
            step.failure = msgspec.structs.replace(failure, kind=kind)
        if verdict == "cancelled":
            return
        failures, allowed = count_failure(step, verdict, self._limits.of(n).retries, settings)
        if self.plan.options[n].once and (step.running_since is not None or failure.began):
            # Its effects outside may have happened, and must not happen twice.
            allowed = 0
        if failures > allowed:
            step.permanent = True
            self._permanent[n] = None
        else:
            step.retry_at = event.time + delay(failures, settings)

    def _handle(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, NewEdge):
                self._pending.edge(finding, self.state.edges)
                self._depend(finding.target, finding.source)
                if finding.target in self._permanent:
                    self._repairs.add(failed_too_early(finding, self.plan))
            elif isinstance(finding, UnplannedEffect):
                self._pending.warning(finding)
            else:
                by_request = self.state.settings.on_mutation != "fail"
                self._repairs.add(replace(finding, harmless=finding.harmless or by_request))

    def _failures_that_count(self) -> list[int]:
        """Return the steps whose failure nothing that earlier steps do can change any more.

        A step may have failed because an earlier one had not yet written a file of which the
        source does not tell. So a failure counts when all earlier steps have ended; if one of them
        has written something since, the step is executed again.
        """
        counts = []
        for n in sorted(self._permanent):
            step = self._steps[n]
            provisional = step.failure is not None and step.failure.kind == "user"
            if not provisional or n == self.plan.exit or self._stopping(n):
                counts.append(n)
            elif self._all_before_ended(n):
                begun = step.begun.get(step.attempts, 0)
                late = self._files.written_since(n, begun)
                why = "it was written after the step had failed"
                missed = [NewEdge(m, n, files=(path,), why=why) for m, path in late]
                missed += self._library_state.missed(n, step.inputs, self._inputs(n))
                if not missed or step.repairs >= MOST_ROUNDS or self.plan.options[n].once:
                    counts.append(n)
                else:
                    self._handle(missed)
        return counts

    def _all_before_ended(self, n: int) -> bool:
        """Whether no step before ``n`` is open, executes, or is about to begin anew."""
        if self._pending or self._repairs:
            return False
        return not any(m < n for m in self._open) and not any(m < n for m in self._active)

    def _edge_event(self, event: Event, data: EdgeAdded) -> None:
        source, target = (self.plan.position.get(key) for key in data.ends(event.index))
        if source is not None and target is not None and source < target:
            self._depend(target, source)

    def _depend(self, n: int, on: int) -> None:
        """Make ``n`` wait for ``on``; if it was ready, its inputs may have changed."""
        if self._edges.add(n, on) and self._steps[on].status not in DONE:
            self._unmet[n] += 1
            if self._steps[on].status not in OPEN:
                self._ended[on] = None
        step = self._steps[n]
        if step.status == "pending" and n != self.plan.exit:
            step.ready = step.ready and self._current(n, step.inputs)
            self._offer(n)

    def _resume(self) -> None:
        last = self.plan.exit
        if last is not None and self._steps[last].status not in DONE:
            self._bindings.retract(last)
            self._files.retract(last)
            self._library_state.retract(last)
        self._index()

    def _index(self) -> None:
        """Make the indices from the state."""
        steps = self._steps
        done = [step.status in DONE for step in steps]
        self._open = {n for n, step in enumerate(steps) if step.status in OPEN}
        self._active = {n for n, step in enumerate(steps) if step.active}
        self._ended: dict[int, None] = {}
        self._permanent: dict[int, None] = {}
        self._failed = 0
        self._unsettled = Unsettled(steps)
        self._unmet = [sum(not done[d] for d in self._edges.of(n)) for n in range(len(steps))]
        self._queues = Queues(self.plan.height)
        for n in sorted(self._open):
            self._offer(n)

    # What both need

    def _phase(self, n: int) -> Phase:
        status = self._steps[n].status
        if status == "pending":
            return "waiting"
        if status == "running":
            return "running"
        return "done" if status in DONE else "ended"

    def _inputs(self, n: int) -> dict[str, Source | None]:
        keys, steps = self.plan.keys, self._steps
        producers = {**self._bindings.resolve(n), **self._library_state.given(n)}
        return {
            name: Source(*keys[m], steps[m].round) if m >= 0 else None
            for name, m in producers.items()
        }

    def _current(self, n: int, inputs: Mapping[str, Source | None]) -> bool:
        return not self._blocked(n) and inputs == self._inputs(n)

    def _blocked(self, n: int) -> bool:
        if n == self.plan.exit:
            return len(self._open) > 1
        return self._unmet[n] > 0 or self._waits_to_settle(n)

    def _waits_to_settle(self, n: int) -> bool:
        if n == self.plan.exit:
            return False
        if self.plan.options[n].once:
            return not self.settled(n)
        # It was begun anew twice. What all before it leave is final when they have ended.
        return self._steps[n].repairs >= MOST_ROUNDS and not self._all_before_ended(n)

    def settled(self, n: int) -> bool:
        """Return whether all steps before ``n`` are done for good.

        Each is done in its current round, none of them has an attempt of an earlier round alive,
        and no finding waits to be journaled.
        """
        return not self._pending and not self._repairs and self._unsettled.first() >= n

    def _stopping_steps(self) -> bool:
        state = self.state
        return state.stops > 0 or (state.settings.on_failure == "stop" and self._failed > 0)

    def _stopping(self, n: int) -> bool:
        return self.state.stop_exit if n == self.plan.exit else self._stopping_steps()
