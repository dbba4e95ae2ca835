"""The driver: carries out what the engine decides, and journals what happens.

The journal's lock allows one driver for a run. It may be killed at any moment: the next driver
reads the journal and looks at the attempts that it names (see :mod:`kfnb.engine.core.commands` for
what is durable when). A manifest means that the attempt succeeded, a held lock that it executes.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kfnb.engine import driver_requests
from kfnb.engine.cache.cache_lookup import Cache
from kfnb.engine.core.commands import Command, Prepare, Record, Start, Stop, Wake
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Source, inputs_to_plain
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.retry_policy import Limits
from kfnb.engine.core.scheduler import replay
from kfnb.engine.dispatch.attempt_events import AttemptEvents
from kfnb.engine.dispatch.manifests import failure_record, load_run, step_manifest, success_data
from kfnb.engine.dispatch.run_outputs import RunOutputs
from kfnb.engine.dispatch.step_orders import HASH_SEED, Site, step_order
from kfnb.engine.journal.file_journal import Journal, JournalBusy
from kfnb.engine.preparation import Preparation
from kfnb.engine.runner import RunContext, Runner, Work
from kfnb.engine.wakeup import WakeupSocket
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder, store_folder
from kfnb.json_values import strict_json
from kfnb.pipeline import Pipeline
from kfnb.store import disk
from kfnb.store.blobs import open_store
from kfnb.store.manifest import Failure, Manifest, manifest_key

POLL_INTERVAL = 2.0
"""Seconds between two looks at what executes, in case a wake-up was lost."""

STOP_GRACE = 20.0
"""Seconds that attempts have to end when the driver cannot go on."""

_REAP_TIMEOUT = 5.0


class Driver:
    """Drives one run to its end.

    Parameters
    ----------
    run
        The run's folder, made by :func:`kfnb.runners.create_run`.
    runner
        What executes attempts.
    journal
        The run's journal, open for writing.
    context
        Where the run's values are and its steps execute; by default on this machine, in the
        notebook's folder.
    now
        The clock, seconds since the epoch.
    """

    def __init__(
        self,
        run: RunFolder,
        runner: Runner,
        journal: Journal,
        *,
        context: RunContext | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._run = run
        self._runner = runner
        self._journal = journal
        self._now = now
        self._pipeline, about = load_run(run)
        self._plan = Plan.of(self._pipeline)
        self._engine = replay(self._plan, journal.events)
        context = context or _local_context(self._pipeline, run)
        self._store = context.store
        self._attempts_survive = context.attempts_survive
        self._fetch_requests = context.fetch_requests
        self._clean_up = context.clean_up
        self._wakeup = WakeupSocket(run)
        self._site = Site(
            run=run,
            store=self._store.root,
            workdir=context.workdir,
            kernel=str(about.get("kernel") or self._pipeline.kernel),
            parameters=about.get("parameters") or {},
            wakeup_socket=self._wakeup.address,
            seed=os.environ.get(HASH_SEED) or "0",
            images=context.images,
            inside=context.inside,
        )
        self._cache = Cache(self._pipeline, store=self._store, site=self._site)
        self._attempts: dict[Work, AttemptEvents] = {}
        self._ended: dict[Work, int | None] = {}
        self._stop_reasons: dict[Work, str] = {}
        self._outputs = RunOutputs(
            self._engine,
            store=self._store,
            hashes=self._cache.hashes,
            workdir=self._site.workdir,
            restores=context.restores,
        )
        self._preparation = Preparation(
            self._pipeline,
            run,
            store=self._store,
            cache=self._cache,
            outputs=self._outputs,
            origin=_origin(about.get("options") or {}),
        )
        self._unsynced = False
        self._wake: float | None = None

    def drive(self) -> str:
        """Work until the run has ended; its status.

        Raises
        ------
        InfrastructureError
            If the disk is full or the run's folder is gone. What executes was stopped.
        """
        with selectors.DefaultSelector() as selector:
            if self._wakeup.socket is not None:
                selector.register(self._wakeup.socket, selectors.EVENT_READ)
            self._runner.attach(selector)
            try:
                self._handle_requests()
                if not self._engine.state.ended:
                    self._begin()
                while not self._engine.state.ended:
                    self._act()
                    if not self._engine.state.ended:
                        self._wait(selector)
                        self._collect()
                    self._handle_requests()
                self._wait_for_exits(selector)
            except JournalBusy:
                raise  # what executes belongs to another driver now
            except (KfnbError, OSError):
                if not self._attempts_survive:
                    self._give_up(selector)
                raise
            finally:
                self._wakeup.close()
                self._cache.save()
        return self._engine.state.status

    # Beginning

    def _begin(self) -> None:
        """Journal that a driver has begun, and find out what became of the last one's attempts."""
        self._write("DriverStarted", data={"pid": os.getpid()})
        if not self._engine.state.warnings:
            for diagnostic in self._runner.unsupported_options(self._pipeline):
                data = {
                    "code": diagnostic.code,
                    "message": diagnostic.message,
                    "remedy": diagnostic.remedy,
                }
                self._write("Warning", data=data)
        reported = _last_reports(self._journal.events)
        for name, index, attempt in self._engine.active():
            state = self._engine.state.steps[name, index]
            work = self._attempt(name, index, attempt, state.active_round)
            self._attempts[work] = AttemptEvents(
                work, after=reported.get((name, index, attempt), 0)
            )
            if self._runner.adopt(work):
                continue
            if (
                state.status != "running"
                or self._runner.may_have_executed(work)
                or step_manifest(self._store, self._run.id, work)
            ):
                self._ended[work] = None
            else:  # the last driver died between journaling the start and starting
                options, settings = self._pipeline.steps[name].options, self._engine.state.settings
                limits = Limits.of(options, self._pipeline.defaults, settings)
                self._launch(work, state.inputs, timeout=limits.timeout)
        self._collect()

    # Acting

    def _act(self) -> None:
        """Carry out the engine's decisions until there are no more."""
        while True:
            commands = self._engine.decide(self._now())
            self._wake = None
            for command in commands:
                if self._engine.wants(command):
                    self._carry_out(command)
            if not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
                return

    def _carry_out(self, command: Command) -> None:
        if not isinstance(command, Wake):
            self._journal.confirm()
        if isinstance(command, Record):
            if command.type == "RunCancelled" and self._clean_up is not None:
                self._clean_up()
            self._write(
                command.type, command.step, command.data, index=command.index, round=command.round
            )
        elif isinstance(command, Prepare):
            self._prepare(command)
        elif isinstance(command, Start):
            self._start(command)
        elif isinstance(command, Stop):
            work = self._work(command)
            self._stop_reasons[work] = command.reason
            self._runner.stop(work)
        elif isinstance(command, Wake):
            self._wake = command.at

    def _prepare(self, command: Prepare) -> None:
        outcome = self._preparation.prepare(command, self._engine.state.settings)
        if outcome.type == "StepCached":
            self._unsynced = True
        self._write(
            outcome.type,
            command.step,
            outcome.data,
            index=command.index,
            round=command.round,
            durable=outcome.type == "StepFailed",
        )

    def _start(self, command: Start) -> None:
        step = self._pipeline.steps[command.step]
        work = self._work(command)
        self._write(
            "AttemptStarted",
            step.name,
            {"inputs": inputs_to_plain(command.inputs)},
            index=command.index,
            round=command.round,
            attempt=command.attempt,
        )
        self._launch(work, command.inputs, timeout=command.timeout)

    def _launch(
        self, work: Work, inputs: Mapping[str, Source | None], *, timeout: float | None
    ) -> None:
        """Hand an attempt that is in the journal to the runner."""
        step = self._pipeline.steps[work.step]
        try:
            before = self._outputs
            again = work.attempt > 1
            upstream = before.restore_before(step) if again else before.files_before(step)
            notebook, order = step_order(
                self._pipeline,
                step,
                attempt=work.attempt,
                index=work.index,
                round=work.round,
                inputs=before.inputs(inputs),
                upstream=upstream,
                site=self._site,
                timeout=timeout,
                on_mutation=self._engine.state.settings.on_mutation,
            )
            with disk.writing(work.folder.path):
                work.folder.path.mkdir(parents=True, exist_ok=True)
                text = json.dumps(notebook, ensure_ascii=False, indent=1)
                work.folder.notebook.write_text(text + "\n", "utf-8", "replace")
                work.folder.order.write_bytes(order.to_json())
            self._runner.start(work, order)
        except KfnbError as error:
            if not self._run.path.is_dir():
                raise
            kind = "infrastructure" if isinstance(error, InfrastructureError) else "configuration"
            self._fail(work, _record(kind, str(error), getattr(error, "remedy", "")))
            return
        self._attempts[work] = AttemptEvents(work)

    # Waiting and collecting

    def _wait(self, selector: selectors.BaseSelector) -> None:
        waits = [POLL_INTERVAL, self._runner.poll_interval()]
        if self._wake is not None:
            waits.append(self._wake - self._now())
        selector.select(max(0.0, min(w for w in waits if w is not None)))
        self._wakeup.drain()
        self._journal.confirm()

    def _collect(self) -> None:
        """Journal what attempts report, and how those that ended did."""
        if not self._run.path.is_dir():
            raise InfrastructureError(
                f"the run's folder {self._run.path} was deleted while the run was going on."
            )
        for ended in self._runner.poll():
            if ended.work in self._attempts:
                self._ended[ended.work] = ended.code
        for note in self._runner.notes():
            work, diagnostic = note.work, note.diagnostic
            data = {
                "code": diagnostic.code,
                "message": diagnostic.message,
                "remedy": diagnostic.remedy,
            }
            self._report(work, "Warning", data, durable=False)
        for work, attempt_events in list(self._attempts.items()):
            # Checked before reading, so that the last lines of an ended attempt are read.
            over = work in self._ended
            for report in attempt_events.read():
                self._report(work, report.type, {**report.data, "n": report.n}, durable=False)
            if over or (attempt_events.result is not None and attempt_events.result.get("ok")):
                self._conclude(work, over=over)

    def _conclude(self, work: Work, *, over: bool) -> None:
        """Journal how an attempt ended: by its manifest, else by its failure record."""
        manifest = step_manifest(self._store, self._run.id, work)
        current = self._engine.state.steps[work.step, work.index].round == work.round
        if manifest is not None and current:
            self._succeed(work, manifest)
        elif over:
            record = failure_record(self._store, self._run.id, work, self._ended[work])
            reason = self._stop_reasons.get(work)
            if reason and record["class"] in ("infrastructure", "cancelled"):
                record["class"] = "timeout" if reason == "timeout" else "cancelled"
                record["summary"] = _STOPPED[record["class"]]
            self._fail(work, record)

    def _succeed(self, work: Work, manifest: Manifest) -> None:
        key = manifest_key(self._run.id, work.step_id, index=work.index, round=work.round)
        self._forget(work)
        self._outputs.add(work.step, key, manifest, index=work.index)
        self._copy_notebook(work, manifest.executed)
        self._report(work, "StepSucceeded", success_data(manifest, key))
        step = self._pipeline.steps[work.step]
        with contextlib.suppress(KfnbError):  # a cache that cannot be written is only slower
            self._cache.record_result(
                step, manifest, manifest_key=key, folder=work.folder.path.parent
            )

    def _fail(self, work: Work, record: Mapping[str, Any]) -> None:
        once = self._pipeline.steps[work.step].options.once
        # What an attempt elsewhere reported last may be lost; its first cell may have begun.
        if once and self._attempts_survive and self._runner.may_have_executed(work):
            record = {**record, "began": True}
        self._forget(work)
        self._outputs.save_changed_before(self._pipeline.steps[work.step])
        self._copy_notebook(work, record.get("executed"))
        self._report(work, "AttemptFailed", record)

    def _copy_notebook(self, work: Work, blob: str | None) -> None:
        """Copy the executed notebook from the store to where views look for it."""
        if blob is None or work.folder.executed.exists():
            return
        with contextlib.suppress(KfnbError, OSError):  # a convenience: the store has it
            shutil.copyfile(self._store.fetch(blob), work.folder.executed)

    def _forget(self, work: Work) -> None:
        self._attempts.pop(work, None)
        self._ended.pop(work, None)
        self._stop_reasons.pop(work, None)

    def _handle_requests(self) -> None:
        """Carry out people's requests; a stop of an ended run does nothing."""
        if self._fetch_requests is not None:
            self._fetch_requests()
        for request in driver_requests.pending_requests(self._run):
            if request.type == "resume":
                self._write("RunResumed", data=request.data)
            elif request.type == "stop" and not self._engine.state.ended:
                self._write("StopRequested", data=request.data)
            driver_requests.remove_request(request)

    # Ending

    def _wait_for_exits(self, selector: selectors.BaseSelector) -> None:
        """Wait for processes that have reported their result and are about to end."""
        deadline = time.monotonic() + _REAP_TIMEOUT
        while self._runner.running() and time.monotonic() < deadline:
            selector.select(min(0.2, self._runner.poll_interval() or 0.2))
            self._wakeup.drain()
            self._runner.poll()

    def _give_up(self, selector: selectors.BaseSelector) -> None:
        """Stop what executes: without a journal nobody would know about it."""
        deadline = time.monotonic() + STOP_GRACE
        for work in self._runner.running():
            self._runner.stop(work)
        while self._runner.running() and time.monotonic() < deadline:
            selector.select(min(0.5, self._runner.poll_interval() or 0.5))
            self._wakeup.drain()
            with contextlib.suppress(OSError):
                self._runner.poll()

    # What several need

    def _write(
        self,
        type: str,  # noqa: A002 (the event's own word)
        step: str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        index: str = "",
        round: int = 0,  # noqa: A002 (as above)
        attempt: int | None = None,
        durable: bool = True,
    ) -> None:
        """Journal an event and apply it to the engine."""
        if durable and self._unsynced:
            self._store.sync(f"manifests/{self._run.id}")
            self._unsynced = False
        event = self._journal.append(
            type,
            step,
            strict_json(data or {}),
            index=index,
            round=round,
            attempt=attempt,
            durable=durable,
        )
        self._engine.apply(event)

    def _report(
        self,
        work: Work,
        type: str,  # noqa: A002 (as above)
        data: Mapping[str, Any],
        *,
        durable: bool = True,
    ) -> None:
        """Journal an event of an attempt."""
        self._write(
            type,
            work.step,
            data,
            index=work.index,
            round=work.round,
            attempt=work.attempt,
            durable=durable,
        )

    def _work(self, command: Start | Stop) -> Work:
        return self._attempt(command.step, command.index, command.attempt, command.round)

    def _attempt(self, name: str, index: str, attempt: int, round: int) -> Work:  # noqa: A002
        step = self._pipeline.steps[name]
        folder = self._run.attempt(step.id, attempt, index=index)
        return Work(name, step.id, attempt, folder, index, round)


def _local_context(pipeline: Pipeline, run: RunFolder) -> RunContext:
    """Return the context of a run on this machine."""
    folder = Path(pipeline.path).parent if pipeline.path else run.path
    return RunContext(open_store(store_folder()), folder)


_STOPPED = {"timeout": "the step took longer than it may", "cancelled": "the step was stopped"}


def _last_reports(events: tuple[Event, ...]) -> dict[tuple[str, str, int], int]:
    """Find for each attempt the number of its last report that is in the journal."""
    reported: dict[tuple[str, str, int], int] = {}
    for event in events:
        if event.step is not None and event.attempt is not None and "n" in event.data:
            reported[event.step, event.index, event.attempt] = int(event.data["n"])
    return reported


def _origin(options: Mapping[str, Any]) -> str | None:
    """Return the flag because of which steps execute although nothing changed."""
    flags = (f"--{key} {options[key]}" for key in ("only", "from") if options.get(key))
    return next(flags, None)


def _record(kind: Any, summary: str, remedy: str) -> dict[str, Any]:
    return Failure(kind=kind, summary=summary, remedy=remedy).plain()
