"""The engine: events in, commands out. No clock, no I/O, no threads.

:class:`Engine` is the plan, the state and the indices that make a decision cheap (ready steps
in heaps, counted dependencies). All of it follows from the events alone: a driver that died
and one that did not decide the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kfnb.engine.consistency.bindings import Bindings
from kfnb.engine.consistency.file_conflicts import FileConflicts
from kfnb.engine.consistency.findings import Finding, NewEdge, StaleStep
from kfnb.engine.consistency.pending_records import PendingRecords
from kfnb.engine.consistency.process_state import ProcessState
from kfnb.engine.consistency.versions import Phase
from kfnb.engine.core.commands import Command, Prepare, Record, Start, Stop, StopReason, Wake
from kfnb.engine.core.events import Event
from kfnb.engine.core.outcomes import cancelled, cascade, finish
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.queues import Queues
from kfnb.engine.core.reducer import fold_run, fold_step
from kfnb.engine.core.retry_policy import Limits, delay, judge
from kfnb.engine.core.state import DONE, OPEN, RunState, StepState

PREPARED_AT_ONCE = 64
"""Most ``Prepare`` commands in one batch, so that what they lead to is not kept waiting."""


class Engine:
    """Folds a run's events and says what is to be done.

    Attributes
    ----------
    plan
        What was given.
    state
        What the events so far amount to. Read only.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        key = plan.keys[plan.exit] if plan.exit is not None else None
        self.state = RunState.of(plan.keys, key)
        self._steps: list[StepState] = [self.state.steps[k] for k in plan.keys]
        self._bindings = Bindings(plan, self._phase)
        self._files = FileConflicts(lambda n: plan.keys[n][0], self._depends)
        last = max((n for n in range(len(plan.keys)) if n != plan.exit), default=0)
        self._process_state = ProcessState(lambda n: plan.keys[n][0], last)
        self._extra: dict[int, set[int]] = {}
        self._extra_dependents: dict[int, list[int]] = {}
        self._pending = PendingRecords()
        self._index()

    # Folding

    def apply(self, event: Event) -> None:
        """Fold one event. Late and repeated ones are allowed and change nothing."""
        n = self.plan.position.get((event.step, event.index)) if event.step is not None else None
        fold_run(self.state, event)
        self._pending.remove_recorded(event)
        if event.type == "RunResumed":
            self._resume()
        elif event.type == "EdgeAdded":
            self._edge_event(event)
        elif n is not None:
            self._apply_step(n, event)

    def _apply_step(self, n: int, event: Event) -> None:
        step = self._steps[n]
        before, active = step.status, step.active
        if event.type in ("StepReady", "StepCached") and not self._current(n, event.data):
            return  # Made with inputs that have been overtaken: it is prepared again.
        fold_step(step, event)
        if step.active:
            self._active.add(n)
        else:
            self._active.discard(n)
        if event.type in ("StepReady", "StepCached") and before == "pending" and not active:
            self._bind(n)
        if before == "running" and step.status == "pending":
            self._judge(n, event)
        elif step.status != before:
            self._moved(n, before, event)
        self._offer(n)

    def _offer(self, n: int) -> None:
        # The exit step waits for all steps to end: see _last.
        if n != self.plan.exit:
            self._queues.offer(n, self._steps[n], unmet=self._unmet[n])

    def _moved(self, n: int, before: str, event: Event) -> None:
        step = self._steps[n]
        if step.status in DONE:
            if n == self.plan.exit and self._blocked(n):
                step.reopen(stale=True)  # As in _judge.
                return
            self._close(n)
            for d in self._dependents(n):
                self._unmet[d] -= 1
                self._offer(d)
            findings = self._bindings.publish(n, event.data)
            begun = [seq for a, seq in step.begun.items() if a <= (event.attempt or 0)]
            findings += self._files.finish(n, begun or [event.seq], event.seq, event.data)
            findings += self._process_state.finish(n, event.data)
            self._handle(findings)
        elif step.status not in OPEN:
            if before in DONE:
                self._bindings.retract(n)
                self._files.retract(n)
                self._process_state.retract(n)
                for d in self._dependents(n):
                    self._unmet[d] += 1
            self._close(n)
            self._ended[n] = None
            self._failed += step.status == "failed"

    def _close(self, n: int) -> None:
        self._open.discard(n)
        self._permanent.pop(n, None)

    def _bind(self, n: int) -> None:
        inputs = self._bindings.resolve(n)
        self._bindings.bind(n, inputs)
        # A step that loads a value depends on its producer, planned or not.
        names: dict[int, list[str]] = {}
        for name, m in inputs.items():
            if m >= 0 and m not in self.plan.deps[n] and m not in self._extra.get(n, ()):
                names.setdefault(m, []).append(name)
        why = "it published the latest version"
        self._handle(NewEdge(m, n, names=tuple(findings), why=why) for m, findings in names.items())

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
            self._ended.update((d, None) for d in self._deps(n) if self._phase(d) == "ended")
        overdue = (at := self._deadline(n)) is not None and event.time >= at
        verdict = judge(event.data, asked=self._stopping(n), overdue=overdue)
        if event.data.get("class") == "cancelled" and verdict in ("own", "infrastructure"):
            kind = "timeout" if verdict == "own" else "infrastructure"
            step.failure = {**event.data, "class": kind}
        if verdict == "own":
            step.own_failures += 1
            failures, allowed = step.own_failures, self._limits(n).retries
        elif verdict == "infrastructure":
            step.infrastructure_failures += 1
            failures, allowed = step.infrastructure_failures, settings.infrastructure_retries
        else:
            failures, allowed = 1, 0
        if verdict == "cancelled":
            return
        if failures > allowed:
            step.permanent = True
            self._permanent[n] = None
        else:
            step.retry_at = event.time + delay(failures, settings)

    def _handle(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, NewEdge):
                if not self._seen(finding):
                    self._pending.edge(finding, self.plan)
                self._depend(finding.target, finding.source)
            elif isinstance(finding, StaleStep) and self.state.settings.on_mutation == "fail":
                self._pending.stale(finding, self.plan)
            else:
                self._pending.warning(finding, self.plan)

    def _seen(self, edge: NewEdge) -> bool:
        pair = (self.plan.keys[edge.source][0], self.plan.keys[edge.target][0])
        before = self.state.edges.get(pair)
        names, files = (before.names, before.files) if before is not None else ((), ())
        planned = self.plan.inputs[edge.target]
        return set(edge.files) <= set(files) and all(
            name in names or planned.get(name) == edge.source for name in edge.names
        )

    def _edge_event(self, event: Event) -> None:
        source = self.plan.position.get((event.data["source"], event.index))
        target = self.plan.position.get((event.data["target"], event.index))
        if source is not None and target is not None and source < target:
            self._depend(target, source)

    def _depend(self, n: int, on: int) -> None:
        """Make ``n`` wait for ``on``; if it was ready, its inputs may have changed."""
        if on not in self.plan.deps[n] and on not in self._extra.setdefault(n, set()):
            self._extra[n].add(on)
            self._extra_dependents.setdefault(on, []).append(n)
            if self._steps[on].status not in DONE:
                self._unmet[n] += 1
                if self._steps[on].status not in OPEN:
                    self._ended[on] = None
        step = self._steps[n]
        if step.status == "pending" and n != self.plan.exit:
            step.ready = step.ready and self._current(n, {"inputs": step.inputs})
            self._offer(n)

    def _resume(self) -> None:
        last = self.plan.exit
        if last is not None and self._steps[last].status not in DONE:
            self._bindings.retract(last)
            self._files.retract(last)
            self._process_state.retract(last)
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
        self._unmet = [sum(not done[d] for d in self._deps(n)) for n in range(len(steps))]
        self._queues = Queues(self.plan.height)
        for n in sorted(self._open):
            self._offer(n)

    # Deciding

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
        records = self._records()
        if records:
            return list(records)
        commands: list[Command] = []
        commands += self._stops(now)
        if not self._stopping_steps():
            commands += self._starts(now)
            commands += self._prepares()
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
        n = self.plan.position[command.step, command.index]
        step = self._steps[n]
        if isinstance(command, Stop):
            return step.active == command.attempt
        if self._stopping(n) or step.status != "pending" or step.active or self._blocked(n):
            return False
        if isinstance(command, Prepare):
            return not step.ready and command.inputs == self._inputs(n)
        fits = len(self._active) < max(1, self.state.settings.parallel)
        return step.ready and fits and command.attempt == step.attempts + 1

    def active(self) -> list[tuple[str, str, int]]:
        """Give (step, index, attempt) of attempts that were begun and have no end yet."""
        return [(*self.plan.keys[n], self._steps[n].active) for n in sorted(self._active)]

    def _records(self) -> list[Record]:
        records = self._pending.records()
        for n in sorted(self._permanent):
            step = self._steps[n]
            data = {**(step.failure or {}), "attempts": step.attempts}
            records.append(Record("StepFailed", step.name, step.index, data))
        if records:
            return records
        records = cascade(self._ended, self._steps, self._dependents, skip=self.plan.exit)
        if not records and self._stopping_steps():
            idle = (n for n in sorted(self._open - self._active) if n != self.plan.exit)
            records = [cancelled(self._steps[n], self.state, self._steps) for n in idle]
        return records

    def _stops(self, now: float) -> list[Stop]:
        findings: list[Stop] = []
        for n in sorted(self._active):
            step = self._steps[n]
            reason: StopReason | None = None
            if step.status != "running":
                reason = "superseded"
            elif self._stopping(n):
                reason = "cancel"
            elif (at := self._deadline(n)) is not None and now >= at:
                reason = "timeout"
            if reason is not None:
                findings.append(Stop(step.name, step.index, step.active, reason))
        return findings

    def _starts(self, now: float) -> list[Start]:
        free = max(1, self.state.settings.parallel) - len(self._active)
        return [self._start(n) for n in self._queues.startable(self._steps, now, free)]

    def _start(self, n: int) -> Start:
        step = self._steps[n]
        timeout = self._limits(n).timeout
        return Start(step.name, step.index, step.attempts + 1, step.inputs, timeout)

    def _prepares(self) -> list[Prepare]:
        findings = self._queues.preparable(self._steps, self._unmet, PREPARED_AT_ONCE)
        return [self._prepare(n) for n in findings]

    def _prepare(self, n: int) -> Prepare:
        step, settings = self._steps[n], self.state.settings
        cache = self.plan.options[n].cache
        if cache is None:
            # The exit step is there for what it does, not for what it computes.
            cache = n != self.plan.exit and self.plan.defaults.cache is not False
        cache = cache and settings.cache and step.name not in settings.force
        return Prepare(step.name, step.index, self._inputs(n), cache)

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
        times = [at for n in self._active if (at := self._deadline(n)) is not None and at > now]
        if not self._stopping_steps():
            at = self._queues.next_retry(self._steps)
            times += [at] if at is not None else []
        return min(times, default=None)

    # What both need

    def _phase(self, n: int) -> Phase:
        status = self._steps[n].status
        if status == "pending":
            return "waiting"
        if status == "running":
            return "running"
        return "done" if status in DONE else "ended"

    def _deps(self, n: int) -> Iterable[int]:
        return self.plan.deps[n] | self._extra.get(n, frozenset())

    def _dependents(self, n: int) -> Iterable[int]:
        return (*self.plan.dependents[n], *self._extra_dependents.get(n, ()))

    def _depends(self, n: int, on: int) -> bool:
        seen, ways = {n}, [n]
        while ways:
            for d in self._deps(ways.pop()):
                if d == on:
                    return True
                if d > on and d not in seen:
                    seen.add(d)
                    ways.append(d)
        return False

    def _inputs(self, n: int) -> dict[str, str | None]:
        keys = self.plan.keys
        findings = self._bindings.resolve(n)
        return {name: keys[m][0] if m >= 0 else None for name, m in findings.items()}

    def _current(self, n: int, data: Mapping[str, Any]) -> bool:
        return not self._blocked(n) and data.get("inputs", {}) == self._inputs(n)

    def _blocked(self, n: int) -> bool:
        if n == self.plan.exit:
            return len(self._open) > 1
        return self._unmet[n] > 0

    def _limits(self, n: int) -> Limits:
        return Limits.of(self.plan.options[n], self.plan.defaults, self.state.settings)

    def _deadline(self, n: int) -> float | None:
        step, timeout = self._steps[n], self._limits(n).timeout
        since = step.running_since if step.running_since is not None else step.started
        if timeout is None or since is None:
            return None
        return since + timeout + self.state.settings.timeout_grace

    def _stopping_steps(self) -> bool:
        stop = self.state.settings.on_failure == "stop" and self._failed > 0
        return stop or self.state.stops > 0

    def _stopping(self, n: int) -> bool:
        return self.state.stop_exit if n == self.plan.exit else self._stopping_steps()


def replay(plan: Plan, events: Iterable[Event]) -> Engine:
    """Give the engine as it is after these events."""
    engine = Engine(plan)
    for event in events:
        engine.apply(event)
    return engine
