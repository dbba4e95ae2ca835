"""What a run's folder and the store hold, as the driver needs it."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.engine.cache.cache_key import output_hash
from kfnb.engine.runner import Work
from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline, from_plain, to_plain
from kfnb.store.blobs import Store
from kfnb.store.manifest import Failure, FailureClass, Manifest, failed_key, manifest_key

_LONGEST_TRACEBACK = 20_000
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
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def step_manifest(store: Store, run: str, work: Work) -> Manifest | None:
    """Return what the step of this run has published."""
    return read_manifest(store, manifest_key(run, work.step_id, index=work.index, round=work.round))


def success_data(manifest: Manifest, key: str) -> dict[str, Any]:
    """Return the data of ``StepSucceeded`` (and most of ``StepCached``)."""
    return {
        "manifest": key,
        "outputs": {
            name: {**to_plain(output), "hash": output_hash(manifest, name)}
            for name, output in manifest.outputs.items()
        },
        "aliases": [list(names) for names in manifest.aliases],
        "unexpected": dict(manifest.unexpected),
        "files_written": {
            **{path: f.hash for path, f in manifest.files_written.items()},
            **dict.fromkeys(manifest.files_removed),
        },
        "files_read": dict(manifest.files_read),
        "duration": manifest.duration,
        **({"left": {k: list(v) for k, v in manifest.left.items()}} if manifest.left else {}),
    }


def failure_record(store: Store, run: str, work: Work, code: int | None) -> dict[str, Any]:
    """Return the record of a failed attempt: its own if it left one, else what can be told."""
    data = store.get(failed_key(run, work.step_id, work.attempt, index=work.index))
    record: dict[str, Any] | None = None
    if data is not None:
        try:
            record = Failure.from_json(data).plain()
        except (ValueError, TypeError, KeyError, AttributeError):
            record = None
    if record is None:
        record = _unexplained(work, code).plain()
    trace = record.get("traceback") or ""
    if len(trace) > _LONGEST_TRACEBACK:
        record["traceback"] = "[…]\n" + trace[-_LONGEST_TRACEBACK:]
    return record


def _unexplained(work: Work, code: int | None) -> Failure:
    output = _tail(work.folder.path / "process.log")
    if code is None:
        return Failure(
            kind="infrastructure",
            summary="the step's process was lost when the run's driver ended",
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
