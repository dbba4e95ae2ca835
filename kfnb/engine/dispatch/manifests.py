"""What a run's folder and the store hold, as the driver needs it."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.engine.cache.cache_key import output_hash
from kfnb.engine.core.event_types import AttemptFailed, OutputData, StepCached, StepSucceeded
from kfnb.engine.core.identity import Source
from kfnb.engine.runner import Work
from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder
from kfnb.json_values import from_plain
from kfnb.pipeline import Pipeline
from kfnb.state_names import state_of
from kfnb.store.blobs import Store
from kfnb.store.manifest import Failure, FailureClass, Manifest, failed_key, manifest_key

_LONGEST_TRACEBACK = 20_000
# Exit codes of python -m kfnb.step.
_CODES: Mapping[int, FailureClass] = {
    1: "user",
    3: "cancelled",
    4: "infrastructure",
    5: "timeout",
    6: "memory",
}


def load_run(run: RunFolder) -> tuple[Pipeline, dict[str, Any]]:
    """Read a run's pipeline and what it was started with.

    Raises
    ------
    InfrastructureError
        If the folder is not that of a whole run.
    """
    try:
        pipeline: Pipeline = from_plain(Pipeline, json.loads(run.pipeline.read_bytes()))
        return pipeline, dict(json.loads(run.run.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InfrastructureError(f"{run.path} is not the folder of a run: {error}.") from error


def read_manifest(store: Store, key: str) -> Manifest | None:
    """Read a manifest from the store; None if there is none (or none that can be read)."""
    data = store.get(key)
    if data is None:
        return None
    try:
        return Manifest.from_json(data)
    # A damaged manifest counts as none, so the step is executed again.
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def step_manifest(store: Store, run: str, work: Work) -> Manifest | None:
    """Return what the step of this run has published."""
    return read_manifest(store, manifest_key(run, work.step_id, index=work.index, round=work.round))


def succeeded(manifest: Manifest, key: str) -> StepSucceeded:
    """Return what an event says about a step that has published its manifest under ``key``."""
    return StepSucceeded(**_published(manifest, key), kernel_lives=manifest.kernel_lives)


def cached(
    manifest: Manifest,
    key: str,
    *,
    inputs: Mapping[str, Source | None],
    cache_key: str | None = None,
    why: str | None = None,
) -> StepCached:
    """Return what an event says about a step whose result an earlier run has made.

    Parameters
    ----------
    key
        Where this run has the manifest.
    inputs
        The versions that the step would be given.
    cache_key
        The key under which the result was found.
    """
    return StepCached(
        **_published(manifest, key),
        inputs=dict(inputs),
        key=cache_key,
        why=why,
        metrics=manifest.metrics,
        source=manifest.run,
    )


def _published(manifest: Manifest, key: str) -> dict[str, Any]:
    outputs = {
        name: OutputData(
            bundle=output.bundle,
            hash=output_hash(manifest, name),
            changed=output.changed,
            absent=output.absent,
            in_kernel=output.in_kernel,
            type=output.type,
            shape=output.shape,
            size=output.size,
            repr=output.repr,
        )
        for name, output in manifest.outputs.items()
        # No value of the notebook: `state` says what was left.
        if state_of(name) is None
    }
    written: dict[str, str | None] = {p: f.hash for p, f in manifest.files_written.items()}
    return {
        "manifest": key,
        "outputs": outputs,
        "aliases": manifest.aliases,
        "unexpected": dict(manifest.unexpected),
        # Events have one map for both: a file without a hash was deleted.
        "files_written": {**written, **dict.fromkeys(manifest.files_removed)},
        "files_read": dict(manifest.files_read),
        "files_looked": dict(manifest.files_looked),
        "duration": manifest.duration,
        "state": {name: tuple(state) for name, state in manifest.state.items()},
    }


def attempt_failed(failure: Failure) -> AttemptFailed:
    """Return what an event says about a failed attempt."""
    return AttemptFailed(**dataclasses.asdict(failure))


def failure_record(store: Store, run: str, work: Work, code: int | None) -> Failure:
    """Return the record of a failed attempt: its own if it left one, otherwise what is known."""
    data = store.get(failed_key(run, work.step_id, work.attempt, index=work.index))
    record: Failure | None = None
    if data is not None:
        try:
            record = Failure.from_json(data)
        except (ValueError, TypeError, KeyError, AttributeError):
            # A damaged record says less than the exit code of the process.
            record = None
    record = record or _unexplained(work, code)
    if len(record.traceback) > _LONGEST_TRACEBACK:
        # The cause is at the end, and the journal is read as a whole by every view.
        end = record.traceback[-_LONGEST_TRACEBACK:]
        record = dataclasses.replace(record, traceback=f"[…]\n{end}")
    return record


def _unexplained(work: Work, code: int | None) -> Failure:
    output = _tail(work.folder.path / "process.log")
    # The process was no child of this driver, so there is no exit code.
    if code is None:
        return Failure(
            kind="infrastructure",
            summary="the step's process was lost when the run's driver or supervisor ended",
            traceback=output,
        )
    if code < 0:
        name = signal.Signals(-code).name if -code in _signals() else f"signal {-code}"
        hint = ""
        if name == "SIGKILL":
            hint = (
                "If the machine ran out of memory, use less data or set a limit with the tag "
                "memory:SIZE."
            )
        return Failure(
            kind="infrastructure",
            summary=f"the step's process was killed ({name})",
            remedy=hint,
            traceback=output,
        )
    return Failure(
        kind=_CODES.get(code, "infrastructure"),
        summary=f"the step's process ended with exit code {code} without a result",
        remedy=f"Its output is in {work.folder.path / 'process.log'}." if output else "",
        traceback=output,
    )


def _signals() -> set[int]:
    return {int(s) for s in signal.Signals}


def _tail(path: Path, size: int = 4000) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""
