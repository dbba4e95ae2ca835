"""After the last cell: what the step made goes into the store, and its manifest is published."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kfnb.masked_parameters import MASK
from kfnb.metrics import Metric, plain
from kfnb.step import folder_files
from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.in_kernel.audit import ignored
from kfnb.step.in_kernel.kernel_side import RESULT
from kfnb.step.opened_files.folder_uses import FolderUses, folder_uses, folders_above
from kfnb.step.opened_files.report import NAME as REPORT
from kfnb.step.opened_files.report import read_report
from kfnb.step.order import StepOrder
from kfnb.step.own_stdout import is_own_output
from kfnb.step.supervisor.client import StepChannel
from kfnb.store import Store, hash_bytes, hash_file, manifest_key
from kfnb.store.content import names_below, names_content
from kfnb.store.manifest import Bundle, CellTime, Manifest, Output, WrittenFile


@dataclass(frozen=True, slots=True)
class Usage:
    """What the step used: bytes, seconds."""

    peak_memory: int
    mean_memory: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class StepTotals:
    """What the step process knows at the end of an attempt."""

    started: float
    elapsed: float
    metrics: Collection[Metric]
    durations: Collection[tuple[int, float]]
    usage: Usage
    before: folder_files.Listing
    executed: Path
    log: Path


def read_result(folder: Path) -> dict[str, Any] | None:
    """Read what the kernel side left; None if it did not get that far."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_bytes())
    except (OSError, ValueError):
        return None
    return result


def publish(
    order: StepOrder,
    store: Store,
    result: Mapping[str, Any],
    totals: StepTotals,
    *,
    uses: FolderUses,
    stop: StopRequest,
    supervisor: StepChannel,
    kernel_lives: bool = False,
) -> str:
    """Store everything, then create the manifest; its key.

    If an attempt at this step has published before, its manifest stays. ``kernel_lives``: the
    kernel has not ended, and waits for the next step of the group.

    Raises
    ------
    InfrastructureError
        If the store refuses, or the supervisor has ended.
    Stopped
        If a stop was asked for before everything was stored.
    """
    bundles, outputs = store_values(store, result, private=order.private)
    maybe_open = result["written_before"]
    written = store_files(order, store, uses, totals, maybe_open=maybe_open)
    read = _read_files(order, result, uses, written)
    # Copies, because views read these two files in the attempt's folder.
    executed = store.add_blob(totals.executed, move=False)
    log = store.add_blob(totals.log, move=False)
    # The machine's clock may have been set since the step began.
    finished = totals.started + totals.elapsed
    mean_cpu = totals.usage.cpu_seconds / max(totals.elapsed, 1e-3)
    # The last moment: after the manifest is created, the step has succeeded.
    stop.check()
    # What the supervisor did not see until the end may be incomplete.
    supervisor.check()
    manifest = Manifest(
        run=order.run,
        step=order.step,
        index=order.index,
        round=order.round,
        attempt=order.attempt,
        started=totals.started,
        finished=finished,
        outputs=outputs,
        bundles=bundles,
        aliases=tuple(tuple(group) for group in result["aliases"]),
        unexpected=result["unexpected"],
        files_written=written,
        files_removed=_removed_files(order, uses),
        files_read=read,
        files_looked=_looked_files(order, result, uses, known={*read, *written}),
        files_unseen=() if uses.complete else tuple(result["unseen"]),
        metrics=tuple((m.time, m.name, plain(m.value), m.step) for m in totals.metrics),
        packages=result["packages"],
        python=result["python"],
        peak_memory=totals.usage.peak_memory,
        cpu_seconds=totals.usage.cpu_seconds,
        resources={
            "memory": {"peak": totals.usage.peak_memory, "mean": totals.usage.mean_memory},
            "cpu": {"mean": round(mean_cpu, 3)},
        },
        executed=executed,
        log=log,
        duration=round(totals.elapsed, 3),
        cells=tuple(CellTime(cell, duration) for cell, duration in totals.durations),
        state={name: tuple(state) for name, state in result["state"].items()},
        kernel_lives=kernel_lives,
    )
    key = manifest_key(order.run, order.step_id, index=order.index, round=order.round)
    store.create(key, manifest.to_json())
    return key


def store_values(
    store: Store, result: Mapping[str, Any], *, private: Collection[str] = ()
) -> tuple[dict[str, Bundle], dict[str, Output]]:
    """Move the saved bundles into the store, and describe each name but the ``private`` ones."""
    bundles: dict[str, Bundle] = {}
    outputs = {name: Output(absent=True) for name in result["absent"]}
    for name, problem in result["in_kernel"].items():
        changed = name not in result["unchanged"]
        outputs[name] = Output(in_kernel=True, type=problem["type"], changed=changed)
    unchanged = set(result["unchanged"])
    for record in result["bundles"]:
        blobs = tuple(store.add_blob(Path(file)) for file in record["files"])
        # The key depends on the content only, so equal values have equal keys in all runs.
        key = blobs[0] if len(blobs) == 1 else hash_bytes(" ".join(blobs).encode())
        bundles[key] = Bundle(
            blobs=blobs,
            names=tuple(record["names"]),
            codec=record["codec"],
            classes=tuple(record["classes"]),
            globals=tuple(record["globals"]),
        )
        for name in record["names"]:
            described = result["described"].get(name, {})
            if name in private:
                described = {**described, "repr": MASK}
            outputs[name] = _output(key, described, changed=name not in unchanged)
    return bundles, outputs


def opened_files(order: StepOrder, result: Mapping[str, Any]) -> FolderUses:
    """Return what the kernel's audit saw, and what the listener saw if there was one."""
    folder = Path(order.folder)
    uses = FolderUses()
    with contextlib.suppress(OSError):  # Without a report, the kernel was not watched.
        uses = folder_uses(
            read_report(Path(order.kernel_folder or folder) / REPORT),
            folder=Path(order.workdir),
            attempt=folder,
            skip=skipped_folders(order),
            searched=result["searched"],
        )
    # JSON, and so a manifest, has no names that are not UTF-8.
    return dataclasses.replace(
        uses,
        read=frozenset(filter(folder_files.is_text, uses.read.union(result["read"]))),
        written=uses.written.union(result["written"]),
        listed=frozenset(filter(folder_files.is_text, uses.listed)),
        looked=frozenset(filter(folder_files.is_text, uses.looked)),
    )


def store_files(
    order: StepOrder,
    store: Store,
    uses: FolderUses,
    totals: StepTotals,
    *,
    maybe_open: Collection[str] = (),
) -> dict[str, WrittenFile]:
    """Add the files that the step wrote to the store.

    ``maybe_open``: files that earlier steps of its kernel opened for writing.
    """
    workdir = Path(order.workdir)
    after = folder_files.listing(workdir, skip=skipped_folders(order))
    changed = folder_files.changed_files(totals.before, after)
    written = folder_files.written_files(
        workdir,
        changed=changed,
        audited=uses.written.union(path for path in maybe_open if path in changed),
        expected=order.files_expected,
        foreign=order.files_foreign,
        before=totals.before,
        watched=uses.complete,
    )
    return {path: folder_files.store_file(store, workdir, path) for path in written}


def _removed_files(order: StepOrder, uses: FolderUses) -> tuple[str, ...]:
    """List the files that were there because earlier steps wrote them, and that this one deleted.

    Only those that the step declares to write or was seen to write: a file that a
    person deletes meanwhile is restored for steps that read it.
    """
    workdir = Path(order.workdir)
    own = {folder_files.relative_path(workdir, p) for p in (*order.files_expected, *uses.written)}
    return tuple(
        sorted(
            path
            for path in order.restore
            if own.intersection((path, *(str(p) for p in PurePosixPath(path).parents)))
            and not (workdir / path).exists()
        )
    )


def skipped_folders(order: StepOrder) -> tuple[Path, ...]:
    """Folders that are kfnb's own, should they lie in the notebook's folder."""
    folder = Path(order.folder)
    own = (Path(order.store), folder)
    # runs/<id>/steps/<step>/<attempt>: other attempts and the journal are not the user's either.
    above = folder.parents
    is_run = len(above) > 3 and (above[1].name, above[3].name) == ("steps", "runs")
    return (*own, above[3]) if is_run else own


def _output(key: str, described: Mapping[str, Any], *, changed: bool) -> Output:
    shape = described.get("shape")
    return Output(
        bundle=key,
        type=str(described.get("type", "")),
        shape=tuple(shape) if shape is not None else None,
        size=described.get("size"),
        repr=str(described.get("repr", "")),
        changed=changed,
        hash=key,
    )


def _read_files(
    order: StepOrder, result: Mapping[str, Any], uses: FolderUses, written: Collection[str]
) -> dict[str, str]:
    contents = {}
    for path in sorted(uses.read):
        file = Path(order.workdir) / path
        # The content before the step overwrote it can no longer be read.
        if path not in written and file.is_file() and not is_own_output(file):
            contents[path] = hash_file(file)
    # Native code and child processes do not say which names they saw.
    others = {folder: _names_in(order, folder) for folder in sorted(uses.listed)}
    for folder, names in {**others, **result["listed"]}.items():
        if not folder_files.is_text(folder):
            continue
        where = Path(order.workdir) / folder
        seen = [name for name in names if not is_own_output(where / name)]
        contents[folder] = names_content(seen, own=names_below(folder, written))
    return contents


def _looked_files(
    order: StepOrder, result: Mapping[str, Any], uses: FolderUses, *, known: Collection[str]
) -> dict[str, bool]:
    """Say of the paths that were looked at, or opened in vain, whether there was something.

    A file that the step itself changes later is left out: when the step is looked up again, it is
    there, and the result is the same.
    """
    workdir = Path(order.workdir)
    seen = {path: (workdir / path).exists() for path in sorted(uses.looked | uses.read)}
    seen.update({p: there for p, there in result["looked"].items() if folder_files.is_text(p)})
    changed = uses.written
    return {
        path: there
        for path, there in seen.items()
        if path not in known and changed.isdisjoint([path, *folders_above(path)])
    }


def _names_in(order: StepOrder, folder: str) -> list[str]:
    try:
        names = [entry.name for entry in (Path(order.workdir) / folder).iterdir()]
    except OSError:
        return []
    return [name for name in names if not ignored([name])]
