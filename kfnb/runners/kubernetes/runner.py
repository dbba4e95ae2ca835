"""Executes attempts as Jobs, and tells the driver how they go."""

from __future__ import annotations

import contextlib
import dataclasses
import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfnb.engine.core.state import HELD_UP
from kfnb.engine.runner import Ended, Notice, Work
from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import RunFolder
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.runners.kubernetes.api.client_protocol import ReadClient
from kfnb.runners.kubernetes.explain.diagnose import Diagnosis, diagnose, exit_code, has_ended
from kfnb.runners.kubernetes.job_creation import JobCreation, WriteClient
from kfnb.runners.kubernetes.logs.attempt_reports import AttemptReports
from kfnb.runners.kubernetes.watch.job_predicates import (
    has_failed,
    has_started,
    is_same,
    may_still_execute,
    was_asked_to_end,
)
from kfnb.runners.kubernetes.watch.list_watch import Watcher
from kfnb.runners.kubernetes.watch.pod_events import View
from kfnb.step.order import StepOrder
from kfnb.store import Failure, FailureClass, Store, failed_key, manifest_key
from kfnb.store.remote.base import Refused, Remote

Object = Mapping[str, Any]

LOOK = 1.0
"""Seconds between two checks of an attempt that does not run as it should."""

# Seconds that the cluster has to list the run's Jobs.
_STARTING = 60.0


@dataclass(slots=True)
class _Attempt:
    """An attempt that has not ended."""

    work: Work
    job: str
    reports: AttemptReports
    # Until the Job is known to exist, because the API server was unavailable when it was created.
    creation: JobCreation | None = None
    uid: str | None = None
    summary: str = ""
    stopped: bool = False
    deleted: bool = False
    # Whether the attempt has ended, but the cluster did not answer when that was recorded.
    unfinished: bool = False
    # Whether pods and Events were listed once more to explain the end.
    asked: bool = False


class KubernetesRunner:
    """Executes each attempt as a Job whose pod runs :mod:`kfnb.step.pod.pod_main`.

    Parameters
    ----------
    job
        Returns the Job of an attempt.
    store
        The store with manifests and records of failures.
    selector
        The label selector of the run's objects.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        write_client: WriteClient,
        read_client: ReadClient,
        remote: Remote,
        store: Store,
        job: Callable[[Work, StepOrder | None], Object],
        selector: str,
    ) -> None:
        self._run = run
        self._write_client = write_client
        self._read_client = read_client
        self._remote = remote
        self._store = store
        self._job = job
        self._watcher = Watcher(read_client, selector)
        self._attempts: dict[Work, _Attempt] = {}
        self._ended: list[Ended] = []
        self._notes: list[Notice] = []
        self._look_at = 0.0

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Watch the run's Jobs and pods, and wake ``selector`` when there is news."""
        self._watcher.start()
        selector.register(self._watcher.wakeup, selectors.EVENT_READ)
        # Without the list it is unknown which attempts of an earlier driver have ended.
        if not self._watcher.wait(_STARTING):
            raise InfrastructureError(
                self._watcher.trouble() or "the cluster did not list the run's Jobs in time."
            )

    def start(self, work: Work, order: StepOrder) -> None:
        """Store the order, and create the attempt's Job.

        Raises
        ------
        InfrastructureError
            If the cluster or the store does not answer, or refuses for now.
        UsageError
            If the cluster will never accept the Job, or another object has its name.
        """
        key = attempt_prefix(self._run.id, work)
        self._remote.put(key + "step.ipynb", work.folder.notebook.read_bytes())
        # Stored before the Job, so that its pod finds it, and a later driver knows that a Job may
        # exist.
        self._remote.put(key + "order.json", order.to_json())
        body = self._job(work, order)
        # A lost owner shows in the loss of a Job, so the first attempt needs no check.
        creation = JobCreation(
            self._write_client, body, run=self._run.id, may_be_orphan=work.attempt > 1
        )
        made = creation.create()
        attempt = self._follow(work, made or body)
        if made is not None:
            self._watcher.add_job(made)
            return
        attempt.creation = creation
        self._warn(
            work,
            f"The API server is unavailable, so the step has no Job yet: {creation.trouble}",
            "kfnb creates the Job as soon as the server answers.",
        )

    def adopt(self, work: Work) -> bool:
        """Take over the attempt's Job, if there is one."""
        if work in self._attempts:
            return True
        body = self._job(work, None)
        job = self._write_client.get("Job", body["metadata"]["name"])
        if job is None or not is_same(job, body):
            return False
        self._follow(work, job)
        self._watcher.add_job(job)
        return True

    def may_have_executed(self, work: Work) -> bool:
        """Return whether a Job may have been created: the order was stored before."""
        return self._remote.size(attempt_prefix(self._run.id, work) + "order.json") is not None

    def stop(self, work: Work) -> None:
        """Delete the attempt's Job; its pod gets SIGTERM, and SIGKILL after its grace period."""
        attempt = self._attempts.get(work)
        if attempt is None or attempt.stopped:
            return
        attempt.stopped = True
        self._delete(attempt)

    def poll(self) -> list[Ended]:
        """Handle what has changed, and list the attempts that ended."""
        news = self._watcher.take()
        unsettled = self._watcher.unsettled()
        now = time.monotonic()
        again = now >= self._look_at
        if again:
            self._look_at = now + LOOK
        for attempt in list(self._attempts.values()):
            # A step that waits for its store only prints that; no object changes.
            changed = attempt.reports.take()
            waits = (
                attempt.job in unsettled
                or attempt.stopped
                or attempt.unfinished
                or attempt.creation is not None
            )
            # An attempt that runs as it should costs nothing between two events.
            if changed or attempt.job in news or (again and waits):
                self._look(attempt)
        ended, self._ended = self._ended, []
        return ended

    def notes(self) -> list[Notice]:
        """List what delays attempts, each reason once."""
        notes, self._notes = self._notes, []
        return notes

    def poll_interval(self) -> float | None:
        """Return the seconds until :meth:`poll` has something to do."""
        return LOOK if self._attempts else None

    def running(self) -> Sequence[Work]:
        """List the attempts whose pods may still execute."""
        return list(self._attempts)

    def unsupported_options(self, pipeline: Pipeline) -> list[Diagnostic]:
        """Return nothing: every option has an effect here."""
        del pipeline
        return []

    def close(self) -> None:
        """Stop watching and following."""
        for attempt in self._attempts.values():
            attempt.reports.close()
        self._watcher.stop()

    def _follow(self, work: Work, job: Object) -> _Attempt:
        reports = AttemptReports(
            work.folder,
            read_client=self._read_client,
            remote=self._remote,
            prefix=attempt_prefix(self._run.id, work),
            wake=self._watcher.wake,
        )
        attempt = _Attempt(work, str(job["metadata"]["name"]), reports, uid=_uid(job))
        self._attempts[work] = attempt
        return attempt

    def _create(self, attempt: _Attempt, creation: JobCreation) -> bool:
        """Try again to create an attempt's Job; return whether it exists."""
        try:
            made = creation.create()
        except (InfrastructureError, UsageError) as error:
            self._abandon(attempt, error)
            return False
        if made is None:
            return False
        attempt.creation, attempt.uid = None, _uid(made)
        self._watcher.add_job(made)
        return True

    def _abandon(self, attempt: _Attempt, error: KfnbError) -> None:
        """End an attempt that can have no Job."""
        work = attempt.work
        passes = isinstance(error, InfrastructureError)
        kind: FailureClass = "infrastructure" if passes else "configuration"
        try:
            self._record(work, Failure(kind, str(error)))
        except InfrastructureError as unstored:
            if not _may_pass(unstored):
                raise
            return
        attempt.reports.close()
        self._forget(attempt, None)

    def _forget(self, attempt: _Attempt, code: int | None) -> None:
        self._ended.append(Ended(attempt.work, code))
        del self._attempts[attempt.work]
        self._watcher.forget(attempt.job)

    def _warn(self, work: Work, summary: str, remedy: str) -> None:
        self._notes.append(Notice(work, Diagnostic(HELD_UP, "warning", summary, remedy=remedy)))

    def _look(self, attempt: _Attempt) -> None:
        """Check whether an attempt has ended, or what delays it; follow its new pods."""
        # The cluster did not answer when the Job was deleted first.
        if attempt.stopped and not attempt.deleted:
            self._delete(attempt)
        creation = attempt.creation
        if creation is not None and not attempt.stopped and not self._create(attempt, creation):
            return
        view = self._watcher.view(attempt.job)
        for pod in view.pods:
            metadata = pod["metadata"]
            if has_ended(pod) or metadata["uid"] in view.gone:
                attempt.reports.over(metadata["uid"])
            if has_started(pod):
                attempt.reports.follow(metadata["name"], metadata["uid"])
        diagnosis = self._explain(attempt, view)
        # The Job may be seen before its pods, and only these know how it failed.
        behind = has_failed(view.job) and not any(map(has_ended, view.pods))
        ended = behind or any(map(was_asked_to_end, view.pods))
        if ended and not attempt.stopped and not attempt.asked:
            # Only an event may say who ended the pod.
            attempt.asked = True
            view = self._watcher.ask(attempt.job, pods=behind)
            diagnosis = self._explain(attempt, view)
        done = [pod for pod in view.pods if has_ended(pod)]
        ended_well = any(exit_code(pod) == 0 for pod in done)
        if ended_well or self._is_over(attempt, view, diagnosis):
            self._conclude(attempt, view, diagnosis)
        elif diagnosis is not None and diagnosis.summary != attempt.summary:
            attempt.summary = diagnosis.summary
            self._warn(attempt.work, _sentence(diagnosis), diagnosis.remedy)

    def _explain(self, attempt: _Attempt, view: View) -> Diagnosis | None:
        return diagnose(
            view.job,
            view.pods,
            view.events,
            now=self._watcher.now(),
            gone=view.gone,
            printed=attempt.reports.text,
        )

    def _is_over(self, attempt: _Attempt, view: View, diagnosis: Diagnosis | None) -> bool:
        if diagnosis is not None and diagnosis.level == "failed":
            return True
        job = view.job
        if job is None:
            # Not seen yet, or deleted before the watch started.
            return attempt.stopped and not view.live()
        conditions = (job.get("status") or {}).get("conditions") or ()
        if any(c.get("type") in ("Complete", "Failed") for c in conditions):
            return True
        return job["metadata"]["uid"] in view.gone and not view.live()

    def _delete(self, attempt: _Attempt) -> None:
        """Delete the attempt's Job; if the cluster does not answer, try again later."""
        try:
            job = attempt.creation.find() if attempt.creation is not None else None
            if job is not None:
                attempt.uid = _uid(job)
            if job is not None or attempt.creation is None:
                self._write_client.delete("Job", attempt.job, uid=attempt.uid)
        except InfrastructureError as error:
            if not _may_pass(error):
                raise
        else:
            attempt.deleted = True

    def _conclude(self, attempt: _Attempt, view: View, diagnosis: Diagnosis | None) -> None:
        """End an attempt: write its last reports, record its failure, remove its Job."""
        work = attempt.work
        with contextlib.suppress(InfrastructureError):  # views read them from the store then
            attempt.reports.finish()
        attempt.reports.close()
        codes = [code for pod in view.pods if (code := exit_code(pod)) is not None]
        # It is enough that one pod succeeded; otherwise the newest counts.
        code = 0 if 0 in codes else next(reversed(codes), None)
        try:
            if diagnosis is not None and diagnosis.level == "failed" and not attempt.stopped:
                summary, remedy = _sentence(diagnosis), diagnosis.remedy
                kind = diagnosis.failure_class
                self._record(work, Failure(kind, summary, remedy, traceback=diagnosis.detail))
            if diagnosis is not None and may_still_execute(view) and not attempt.stopped:
                # Its pod waits for something that will not come, or a sidecar still runs.
                self._write_client.delete("Job", attempt.job, uid=attempt.uid)
        except InfrastructureError as error:
            if not _may_pass(error):
                raise
            attempt.unfinished = True
            return
        self._forget(attempt, code)

    def _record(self, work: Work, failure: Failure) -> None:
        """Record the failure, unless the step has recorded its own, or published a result."""
        if (
            self._store.get(
                manifest_key(self._run.id, work.step_id, index=work.index, round=work.round)
            )
            is not None
        ):
            return
        key = failed_key(self._run.id, work.step_id, work.attempt, index=work.index)
        if self._store.create(key, failure.to_json()):
            # The killed step stored nothing at its end, but may have saved its notebook before.
            partial = attempt_prefix(self._run.id, work) + "executed.ipynb"
            with contextlib.suppress(InfrastructureError):
                self._remote.download(partial, work.folder.executed)
            return
        own = _cancelled(self._store.get(key))
        if own is not None:
            # Something other than kfnb stopped the step, which cannot know that.
            failure = dataclasses.replace(failure, executed=own.executed, log=own.log)
            self._store.put(key, failure.to_json())


def attempt_prefix(run: str, work: Work) -> str:
    """Return where an attempt's files are in the store, with a slash at the end."""
    folder = work.folder.path
    return f"runs/{run}/steps/{folder.parent.name}/{folder.name}/"


def _cancelled(record: bytes | None) -> Failure | None:
    """Read a failure record if it says that the step was asked to end; else return None."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        failure = Failure.from_json(record or b"")
        return failure if failure.kind == "cancelled" else None
    return None


def _uid(job: Object) -> str | None:
    return str(job["metadata"].get("uid") or "") or None


def _may_pass(error: InfrastructureError) -> bool:
    """Return whether the same call may succeed later."""
    return bool(getattr(error, "passing", not isinstance(error, Refused)))


def _sentence(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.summary[:1].upper()}{diagnosis.summary[1:]}".rstrip(".")
