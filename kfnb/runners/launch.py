"""Create a run, start its driver, send it requests, and check whether it lives."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kfnb.engine import driver_requests
from kfnb.engine.core.event_types import RunCreated
from kfnb.engine.core.events import Event
from kfnb.engine.core.settings import Settings
from kfnb.engine.journal.file_journal import Journal
from kfnb.errors import CheckError, InfrastructureError, UsageError
from kfnb.home import RunFolder, home, runs_folder
from kfnb.json_values import strict_json, to_plain
from kfnb.masked_parameters import VARIABLE as MASKED_FD
from kfnb.masked_parameters import passed
from kfnb.pipeline import Pipeline
from kfnb.runners import masked_values
from kfnb.runners.parameters import check_parameters
from kfnb.runners.target import LOCAL, Prepared, find_target
from kfnb.step import own_stdout
from kfnb.store import disk, locks

_STARTING = 5.0
"""Seconds in which a driver must take its lock; after them it counts as lost."""
_NAME_FILES = {"KUBECONFIG", "KFNB_CONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}

_ENDS = {"RunFinished", "RunCancelled"}

Begin = Callable[[Journal, Event, RunFolder], None]
_started: list[subprocess.Popen[bytes]] = []


def create_run(
    pipeline: Pipeline,
    *,
    parameters: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    name: str | None = None,
    target: str = LOCAL,
    options: Mapping[str, Any] | None = None,
    begin: Begin | None = None,
    prepared: Prepared | None = None,
    mask: Collection[str] = (),
    no_mask: Collection[str] = (),
) -> RunFolder:
    """Create the folder of a new run; nothing executes yet.

    Parameters
    ----------
    parameters
        Overridden values, by name.
    settings
        Limits and policies; by default as many steps at once as the target says.
    name
        The run's name for people; by default the pipeline's.
    options
        Written to ``run.json`` for views: ``from`` is the step of ``--from``, ``only`` that of
        ``--only``.
    begin
        Appends further events to the new journal; called with the journal, the event
        ``RunCreated`` and the folder under its temporary name.
    prepared
        What the target needs for this run; by default it is asked, without options.
    mask, no_mask
        Parameters whose values are secrets, and those that are none although their name says so.

    Returns
    -------
    RunFolder
        The folder appears complete, with ``RunCreated`` in its journal.

    Raises
    ------
    CheckError
        If the notebook has errors.
    UsageError
        If a parameter does not exist or fit, or the kernel is not installed.
    InfrastructureError
        If the folder cannot be written.
    """
    if pipeline.errors:
        raise CheckError("\n".join(str(d) for d in pipeline.errors))
    if pipeline.path:
        # The driver has a different working directory.
        pipeline = dataclasses.replace(pipeline, path=str(Path(pipeline.path).absolute()))
    values = check_parameters(pipeline.parameters, parameters or {})
    kernel = pipeline.kernel or "python3"
    where = find_target(target)
    if prepared is None:
        prepared = where.prepare(pipeline, values, {})
    values, secrets, digests = masked_values.split(pipeline, values, mask=mask, no_mask=no_mask)
    settings = settings or Settings(parallel=where.parallel())
    now = datetime.now(timezone.utc)
    run_id = new_id(pipeline.name, now)
    target_facts = {**prepared.facts, **({masked_values.FACT: digests} if digests else {})}
    facts = {
        "id": run_id,
        "name": name or pipeline.name,
        "notebook": pipeline.path,
        "target": target,
        "kernel": kernel,
        "parameters": values,
        "settings": settings.to_plain(),
        "options": dict(options or {}),
        "created": now.timestamp(),
        **target_facts,
    }
    final = RunFolder(runs_folder() / run_id)
    # Views ignore a name that begins with a dot; the folder is renamed when it is complete.
    making = RunFolder(runs_folder() / f".{run_id}")
    with disk.writing(final.path):
        disk.private_folder(home())
        for folder in (making.steps, making.control):
            disk.private_folders(folder)
        disk.write_new(making.run, _json(facts))
        disk.write_new(making.pipeline, _json(to_plain(pipeline)))
        for name_, data in prepared.files.items():
            disk.write_new(making.path / name_, data)
        if pipeline.path:
            with contextlib.suppress(FileNotFoundError):
                # A copy, so that the run can be explained after the notebook has changed.
                disk.write_new(making.notebook, Path(pipeline.path).read_bytes())
    with Journal(making.journal, run_id) as journal:
        created = journal.append(
            RunCreated(
                settings=settings,
                id=run_id,
                name=name or pipeline.name,
                notebook=pipeline.path,
                target=target,
                kernel=kernel,
                parameters=strict_json(values),
                options=strict_json(dict(options or {})),
                facts=strict_json(target_facts),
                created=now.timestamp(),
            )
        )
        if begin is not None:
            begin(journal, created, making)
            # The run appears by the renaming below, and must then have all of these events.
            journal.sync()
    with disk.writing(final.path):
        making.path.rename(final.path)
        # Otherwise a crash of the machine could lose the new name.
        disk.sync_folder(runs_folder())
    masked_values.hold(final, secrets)
    return final


def start_driver(run: RunFolder) -> int:
    """Start the run's driver as a process that outlives this one; return its pid.

    It gets the masked parameters that this process knows.

    Starting a second driver is harmless: it finds the first one's lock and exits.

    Raises
    ------
    InfrastructureError
        If the system refuses.
    """
    secrets = passed(masked_values.held(run))
    with disk.writing(run.path), disk.private_log(run.driver_log) as log, secrets as descriptor:
        process = subprocess.Popen(
            [sys.executable, "-m", "kfnb.runners", str(run.path)],
            cwd=run.path,
            # The driver has another working directory, so relative paths would break.
            env={
                **_absolute(os.environ),
                "KFNB_HOME": str(home()),
                own_stdout.VARIABLE: own_stdout.described(),
                **({MASKED_FD: str(descriptor)} if descriptor is not None else {}),
            },
            pass_fds=() if descriptor is None else (descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Closing the terminal sends a signal to its session, which must not reach the driver.
            start_new_session=True,
        )
    # Keep a reference: Python warns when a child that was not waited for is collected.
    _started[:] = [p for p in _started if p.poll() is None]
    _started.append(process)
    return process.pid


def _absolute(environment: Mapping[str, str]) -> dict[str, str]:
    """Copy an environment, and make the paths in it absolute that clusters and stores use."""
    made = dict(environment)
    for name in _NAME_FILES & made.keys():
        paths = made[name].split(os.pathsep)
        made[name] = os.pathsep.join(
            str(Path(path).expanduser().absolute()) if path else "" for path in paths
        )
    return made


def request_stop(run: RunFolder, *, by: str | None = None) -> None:
    """Ask the driver to stop a run; if the driver was lost, start a new one for it.

    Raises
    ------
    UsageError
        If the run has ended.
    InfrastructureError
        If the run's folder cannot be written.
    """
    state = driver_state(run)
    if state == "ended":
        raise UsageError(f"Run {run.id} has already ended.")
    if state != "alive" and not _last_event(run):
        # No driver could know what there is to stop.
        raise empty_journal(run)
    # This goes first, so that a new driver finds the request and starts no more steps.
    driver_requests.send_request(run, driver_requests.Request("stop", {"by": by} if by else {}))
    if state != "alive":
        start_driver(run)


def resume(
    run: RunFolder,
    *,
    settings: Mapping[str, Any] | None = None,
    masked: Mapping[str, Any] | None = None,
) -> int:
    """Continue a run that ended early or lost its driver; return the new driver's pid.

    Parameters
    ----------
    settings
        Fields of :class:`~kfnb.engine.core.settings.Settings` that differ from now on.
    masked
        Values of masked parameters, which no file has.

    Raises
    ------
    UsageError
        If a driver lives, or the run has succeeded.
    InfrastructureError
        If the journal lost its lines.
    """
    if is_driven(run):
        raise UsageError(
            f"Run {run.id} is still executing. Follow it with kfnb logs -f {run.id}, "
            f"or end it with kfnb stop {run.id}."
        )
    if has_succeeded(run):
        raise UsageError(f"Run {run.id} has already succeeded; there is nothing left to do.")
    if not run.journal.is_file() or not run.journal.stat().st_size:
        raise empty_journal(run)
    masked_values.hold(run, masked or {})
    known = {f.name for f in dataclasses.fields(Settings)}
    changed = {k: v for k, v in (settings or {}).items() if k in known}
    driver_requests.send_request(
        run, driver_requests.Request("resume", {"settings": changed} if changed else {})
    )
    return start_driver(run)


def empty_journal(run: RunFolder) -> InfrastructureError:
    """Return the error for a run whose journal has no line, not even that of its creation."""
    return InfrastructureError(
        f"The journal of the run {run.id} is empty, so the run cannot continue. Start a new run; "
        "finished steps come from the cache."
    )


def has_succeeded(run: RunFolder) -> bool:
    """Return whether the run has succeeded, after which it cannot be resumed."""
    last = _last_event(run)
    succeeded = last.get("data", {}).get("status") == "succeeded"
    return last.get("type") == "RunFinished" and succeeded


def is_driven(run: RunFolder) -> bool:
    """Return whether a process of this machine drives the run, or follows its remote driver."""
    return locks.is_locked(run.driver_lock) or locks.is_locked(run.mirror_lock)


def driver_state(run: RunFolder) -> str:
    """Return ``alive``, ``ended`` or ``lost since`` a time for the run's driver."""
    if is_driven(run):
        return "alive"
    last = _last_event(run)
    waiting = driver_requests.pending_requests(run)
    if last.get("type") in _ENDS and not waiting:
        return "ended"
    since = float(last.get("time") or 0.0)
    if not last:
        with contextlib.suppress(OSError):  # the folder may have been deleted, too
            since = run.path.stat().st_mtime
    # A driver is started after each request, and needs a moment to take its lock.
    asked = max((r.path.stat().st_mtime for r in waiting if r.path), default=0.0)
    starting = last.get("type") == "RunCreated" and time.time() - since < _STARTING
    if starting or time.time() - asked < _STARTING:
        return "alive"
    if last.get("type") in _ENDS:
        return "ended"
    when = datetime.fromtimestamp(since, timezone.utc).astimezone()
    return f"lost since {when.isoformat(sep=' ', timespec='seconds')}"


def _last_event(run: RunFolder) -> dict[str, Any]:
    """Read the journal's last complete line."""
    size = 1 << 16
    try:
        with run.journal.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while True:
                file.seek(max(0, end - size))
                # What follows the last newline is a line that is being written.
                lines = file.read().rpartition(b"\n")[0].split(b"\n")
                # Otherwise this is only the end of a line that is longer than the piece.
                if len(lines) > 1 or size >= end:
                    break
                size *= 8
    except OSError:
        return {}
    with contextlib.suppress(ValueError):
        return dict(json.loads(lines[-1]))
    return {}


def new_id(name: str, now: datetime) -> str:
    """Make a run id that sorts by time: ``20261123-051233-train-4f2a``."""
    # The id becomes a part of names in Kubernetes, which have at most 63 characters.
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30].strip("-") or "run"
    return f"{now:%Y%m%d-%H%M%S}-{word}-{os.urandom(2).hex()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=repr).encode("utf-8", "replace")
