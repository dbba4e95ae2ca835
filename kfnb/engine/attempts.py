"""Attempts of one run: starting them, journaling what they report and how they end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from kfnb.engine.cache.cache_lookup import Cache
from kfnb.engine.core.commands import EndKernel, Start, Stop
from kfnb.engine.core.event_types import Body, FailureClass, StepInvalidated, warning
from kfnb.engine.core.identity import Attempt, Source
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import replay
from kfnb.engine.dispatch.attempt_events import AttemptEvents
from kfnb.engine.dispatch.manifests import (
    attempt_failed,
    failure_record,
    load_run,
    step_manifest,
    succeeded,
)
from kfnb.engine.dispatch.run_outputs import RunOutputs
from kfnb.engine.dispatch.step_orders import HASH_SEED, GroupPlace, Site, step_order
from kfnb.engine.journal.file_journal import Journal
from kfnb.engine.preparation import Preparation
from kfnb.engine.runner import GroupKernels, RunContext, Runner, Work
from kfnb.engine.wakeup import WakeupSocket
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder, store_folder
from kfnb.pipeline import Pipeline, Step
from kfnb.store import disk
from kfnb.store.blobs import open_store
from kfnb.store.manifest import Failure, Manifest, manifest_key


class Attempts:
    """Starts the attempts of one run and journals what becomes of them.

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
        The clock, seconds since the epoch; by default the journal's.
    """

    def __init__(
        self,
        run: RunFolder,
        runner: Runner,
        journal: Journal,
        *,
        context: RunContext | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._run = run
        self._runner = runner
        self._journal = journal
        self._now = now or journal.now
        self._pipeline, run_facts = load_run(run)
        self._plan = Plan.of(self._pipeline)
        self._engine = replay(self._plan, journal.events)
        context = context or _local_context(self._pipeline, run, runner)
        self._store = context.store
        self._attempts_survive = context.attempts_survive
        self._fetch_requests = context.fetch_requests
        self._clean_up = context.clean_up
        self._kernels = context.kernels
        self._wakeup = WakeupSocket(run)
        self._site = Site(
            run=run,
            store=self._store.root,
            workdir=context.workdir,
            kernel=str(run_facts.get("kernel") or self._pipeline.kernel),
            parameters=run_facts.get("parameters") or {},
            masked=run_facts.get("masked") or {},
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
            origin=_origin(run_facts.get("options") or {}),
        )
        self._unsynced = False
        self._wake: float | None = None

    def _launch(
        self,
        work: Work,
        inputs: Mapping[str, Source | None],
        *,
        timeout: float | None,
        kernel: Attempt | None = None,
        grouped: bool = False,
    ) -> None:
        """Hand an attempt that is in the journal to the runner.

        ``kernel`` is the attempt whose kernel executes it, None for a kernel of its own.
        ``grouped``: the kernel is to wait for the next step of the group.
        """
        step = self._pipeline.steps[work.step]
        try:
            before = self._outputs
            # The first attempt follows its preparation, which has restored these files; a failed
            # attempt may have changed them since.
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
                group=self._group_place(step, kernel, grouped=grouped),
            )
            with disk.writing(work.folder.path):
                disk.private_folders(work.folder.path)
                text = json.dumps(notebook, ensure_ascii=False, indent=1)
                # "replace", because a damaged notebook may hold half a character, which UTF-8
                # cannot encode.
                notebook_bytes = (text + "\n").encode("utf-8", "replace")
                disk.replace(work.folder.notebook, notebook_bytes, durable=False)
                disk.replace(work.folder.order, order.to_json(), durable=False)
            self._runner.start(work, order)
        except KfnbError as error:
            # Without the folder there is no journal that could note the failure, so the run ends
            # here.
            if not self._run.path.is_dir():
                raise
            infrastructure = isinstance(error, InfrastructureError)
            kind: FailureClass = "infrastructure" if infrastructure else "configuration"
            self._fail(work, Failure(kind, str(error), getattr(error, "remedy", "")))
            return
        self._attempts[work] = AttemptEvents(work)

    def _group_place(self, step: Step, kernel: Attempt | None, *, grouped: bool) -> GroupPlace:
        """Say which kernel a step shares, and what becomes of it afterwards."""
        members = self._engine.group_members(step.name)
        if self._kernels is None:
            return GroupPlace()
        after: Literal["wait", "wait if needed"] = "wait" if grouped else "wait if needed"
        if kernel is None:
            return GroupPlace(members=members, after=after)
        owner = self._attempt(*kernel, 0)
        states = self._engine.state.steps
        before = tuple(m for m in members if states[m, ""].kernel == kernel and m != step.name)
        return GroupPlace(owner.folder.path, before, members, after)

    def _collect(self) -> None:
        """Journal what attempts report, and how those that ended did."""
        # The open journal would notice a deleted folder only at its next event, which may never
        # come.
        if not self._run.path.is_dir():
            raise InfrastructureError(
                f"the run's folder {self._run.path} was deleted while the run was executing."
            )
        for ended in self._runner.poll():
            # An attempt that had reported its result was concluded before its process ended.
            if ended.work in self._attempts:
                self._ended[ended.work] = ended.code
        for note in self._runner.notes():
            work, diagnostic = note.work, note.diagnostic
            self._report(work, warning(diagnostic), durable=False)
        for work, attempt_events in list(self._attempts.items()):
            # Checked before reading, so that the last lines of an ended attempt are read.
            over = work in self._ended
            for report in attempt_events.read():
                self._report(work, report, durable=False)
            # A result is published before it is reported, so later steps need not wait for the
            # process to exit.
            if over or (attempt_events.result is not None and attempt_events.result.ok):
                self._conclude(work, over=over)

    def _conclude(self, work: Work, *, over: bool) -> None:
        """Journal how an attempt ended: by its manifest, else by its failure record."""
        manifest = step_manifest(self._store, self._run.id, work)
        current = self._engine.state.steps[work.step, work.index].round == work.round
        if manifest is not None and current:
            self._succeed(work, manifest)
        elif over:
            failure = failure_record(self._store, self._run.id, work, self._ended[work])
            reason = self._stop_reasons.get(work)
            # A process that was killed because of our stop leaves no reason; a failure of its own
            # keeps its class.
            if reason and failure.kind in ("infrastructure", "cancelled"):
                kind: FailureClass = "timeout" if reason == "timeout" else "cancelled"
                failure = dataclasses.replace(failure, kind=kind, summary=_STOPPED[kind])
            self._fail(work, failure)

    def _succeed(self, work: Work, manifest: Manifest) -> None:
        key = manifest_key(self._run.id, work.step_id, index=work.index, round=work.round)
        self._forget(work)
        self._outputs.add(work.step, key, manifest, index=work.index)
        self._copy_notebook(work, manifest.executed)
        self._report(work, succeeded(manifest, key))
        step = self._pipeline.steps[work.step]
        with contextlib.suppress(KfnbError):  # a cache that cannot be written is only slower
            self._cache.record_result(
                step, manifest, manifest_key=key, folder=work.folder.path.parent
            )

    def _fail(self, work: Work, failure: Failure) -> None:
        once = self._pipeline.steps[work.step].options.once
        # The last report of an attempt on another machine may be lost, so its first cell may have
        # begun although no event says so.
        lost = bool(once) and self._attempts_survive and self._runner.may_have_executed(work)
        data = msgspec.structs.replace(attempt_failed(failure), began=lost)
        self._forget(work)
        # The next attempt finds the earlier steps' files as they were, so what this one made of
        # them is kept.
        self._outputs.save_changed_before(self._pipeline.steps[work.step], work.folder)
        self._copy_notebook(work, failure.executed)
        self._report(work, data)

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

    def _withdraw(self, data: StepInvalidated, key: str | None) -> None:
        """Remove from the cache what the target of a repair entered under ``key`` in this run.

        Steps that begin anew only because of the target keep their entries: if their inputs turn
        out to be the same, so is their result.
        """
        state = self._engine.state.steps[data.target]
        if key:
            with contextlib.suppress(KfnbError):  # the next driver tries again
                self._cache.withdraw(key, run=self._run.id, round=state.round)

    def _write(
        self,
        data: Body,
        step: str | None = None,
        *,
        index: str = "",
        round: int = 0,  # noqa: A002 (the event's own word)
        attempt: int | None = None,
        durable: bool = True,
    ) -> None:
        """Journal an event and apply it to the engine."""
        # Manifests of cache hits are not synced one by one, but must survive what is built on them.
        if durable and self._unsynced:
            self._store.sync(f"manifests/{self._run.id}")
            self._unsynced = False
        event = self._journal.append(
            data, step, index=index, round=round, attempt=attempt, durable=durable
        )
        self._engine.apply(event)

    def _report(
        self,
        work: Work,
        data: Body,
        *,
        durable: bool = True,
    ) -> None:
        """Journal an event of an attempt."""
        self._write(
            data,
            work.step,
            index=work.index,
            round=work.round,
            attempt=work.attempt,
            durable=durable,
        )

    def _work(self, command: Start | Stop | EndKernel) -> Work:
        # A folder has no round, because attempts are numbered on through the rounds.
        number = 0 if isinstance(command, EndKernel) else command.round
        return self._attempt(command.step, command.index, command.attempt, number)

    def _attempt(self, name: str, index: str, attempt: int, round: int) -> Work:  # noqa: A002
        step = self._pipeline.steps[name]
        folder = self._run.attempt(step.id, attempt, index=index)
        return Work(name, step.id, attempt, folder, index, round)


def _local_context(pipeline: Pipeline, run: RunFolder, runner: Runner) -> RunContext:
    """Return the context of a run on this machine."""
    folder = Path(pipeline.path).parent if pipeline.path else run.path
    kernels = runner if isinstance(runner, GroupKernels) else None
    return RunContext(open_store(store_folder()), folder, kernels=kernels)


_STOPPED: Mapping[str, str] = {
    "timeout": "the step took longer than its timeout",
    "cancelled": "the step was stopped",
}


def _origin(options: Mapping[str, Any]) -> str | None:
    """Return the flag because of which steps execute although nothing changed."""
    flags = (f"--{key} {options[key]}" for key in ("only", "from") if options.get(key))
    return next(flags, None)
