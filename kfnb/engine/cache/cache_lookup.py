"""Whether a step must execute: its key, the cache's entries for it, and why not."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.engine.cache.cache_key import (
    Key,
    RequestedOutputs,
    asked,
    differences,
    static_reads,
    step_key,
)
from kfnb.engine.cache.file_contents import PRESENT, file_content, folder_content, is_there
from kfnb.engine.cache.learned_edges import LearnedEdges
from kfnb.engine.cache.local_modules import LocalModules
from kfnb.engine.consistency.library_state import NOT_RELIED_ON, state_left
from kfnb.engine.dispatch import kernels
from kfnb.engine.dispatch.manifests import read_manifest
from kfnb.engine.dispatch.step_orders import Site, Upstream
from kfnb.home import AttemptFolder
from kfnb.json_values import from_plain, to_plain
from kfnb.pipeline import Pipeline, Step
from kfnb.state_names import state_name
from kfnb.store import disk
from kfnb.store.blobs import Store
from kfnb.store.cache import CacheIndex, Entry, LastExecution
from kfnb.store.content import hash_bytes
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import Manifest

_MOST_REASONS = 3
_NOT_READ = ("__pycache__/", ".ipynb_checkpoints/")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known about a step before it executes; stored next to its attempts."""

    key: Key
    base: str
    asked: RequestedOutputs
    files: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer of a lookup: a manifest that can be used (None: execute), and why."""

    prepared: Prepared
    why: str
    manifest: Manifest | None = None
    entry: Entry | None = None


class Cache:
    """The cache as one run sees it."""

    def __init__(self, pipeline: Pipeline, *, store: Store, site: Site) -> None:
        self.hashes = FileHashes(store)
        self._pipeline = pipeline
        self._store = store
        self._site = site
        self._index = CacheIndex(store)
        self._modules = LocalModules(site.workdir)
        self._notebook = hash_bytes(str(pipeline.path or pipeline.name).encode()).partition("-")[0]
        self._notebook_id = f"{self._notebook}@{_machine()}"
        self.learned_edges = LearnedEdges(pipeline, self._index, self._notebook)

    def look_up(
        self,
        step: Step,
        *,
        inputs: Mapping[str, Upstream | None],
        upstream: Mapping[str, Manifest],
        off: str | None,
        group: Mapping[str, str],
    ) -> Lookup:
        """Compute the step's key and look for a result that still holds.

        Parameters
        ----------
        off
            Why the cache is not to be used for this step; None: it is.
        group
            The results of the steps that have used the same kernel before.
        """
        prepared = self._prepare(step, inputs=inputs, upstream=upstream, group=group)
        if off is not None:
            return Lookup(prepared, off)
        reasons: list[list[str]] = []
        # The key contains what is known before the step; each entry also has what it turned out to
        # read.
        for entry in self._index.entries(prepared.base):
            manifest = read_manifest(self._store, entry.manifest_key)
            against = self._against(entry, manifest, prepared, inputs=inputs, upstream=upstream)
            if not against and manifest is not None:
                why = f"nothing changed since run {manifest.run}"
                return Lookup(prepared, why, manifest, entry)
            reasons.append(against)
        if reasons:
            # The entry that differs least explains best why it could not be used.
            return Lookup(prepared, _sentence(min(reasons, key=len)))
        return Lookup(prepared, self._since_last(step, prepared, upstream=upstream))

    def adopt(self, lookup: Lookup, *, manifest_key: str) -> bool:
        """Make the found result this run's own; False if it is gone meanwhile."""
        if lookup.entry is None or lookup.manifest is None:
            return False
        return self._index.adopt(lookup.entry, manifest=manifest_key, blobs=lookup.manifest.blobs())

    def note_execution(self, step: Step, lookup: Lookup, *, run: str, folder: Path) -> None:
        """Note what an execution depends on, so that its result can be entered and compared.

        Losing the note costs an entry, nothing else.
        """
        with contextlib.suppress(OSError):
            disk.private_folders(folder)
            plain = json.dumps(to_plain(lookup.prepared)).encode()
            # In the attempt's folder, because another driver may record the result after a crash.
            disk.replace(folder / "key.json", plain, durable=False)
        self._index.remember(
            self._notebook,
            step.id,
            LastExecution(
                run, to_plain(lookup.prepared.key), finished=False, files=lookup.prepared.files
            ),
        )

    def record_result(
        self, step: Step, manifest: Manifest, *, manifest_key: str, folder: Path
    ) -> None:
        """Enter the result of an execution, with what it read and imported."""
        try:
            plain = json.loads((folder / "key.json").read_bytes())
            # Without the note nothing is known about the inputs, so the result cannot be reused.
            prepared: Prepared = from_plain(Prepared, plain)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return
        files = self._files(manifest, prepared)
        # In an image the packages are what its name stands for.
        installed = {} if step.name in self._site.images else kernels.packages(self._site.kernel)
        packages = {
            name: installed[name]
            for name in sorted(kernels.normalise(dist) for dist in manifest.packages)
            if name in installed
        }
        key = to_plain(prepared.key)
        self._index.remember(
            self._notebook,
            step.id,
            LastExecution(manifest.run, key, finished=True, files=files, packages=packages),
        )
        # The comparison above is noted in any case: it explains why the next run executes the step.
        if not self._enabled(step):
            return
        self._index.record(
            Entry(
                base=prepared.base,
                run=manifest.run,
                step=step.name,
                created=time.time(),
                key=key,
                asked=to_plain(prepared.asked),
                files=files,
                packages=packages,
                notebook_id=self._notebook_id,
            ),
            manifest=manifest_key,
        )

    def withdraw(self, base: str, *, run: str, round: int) -> None:  # noqa: A002
        """Remove what earlier rounds of a step entered: an entry is provisional until it settles.

        Parameters
        ----------
        base
            The key under which the step was looked up then.
        round
            The step's current round.
        """
        for entry in self._index.entries(base):
            manifest = read_manifest(self._store, entry.manifest_key)
            if entry.run == run and (manifest is None or manifest.round < round):
                self._index.remove(entry)

    def restore_notebook(self, manifest: Manifest, folder: AttemptFolder) -> None:
        """As :func:`copy_notebook_and_log`."""
        copy_notebook_and_log(self._store, manifest, folder)

    def save(self) -> None:
        """Keep what was learned about files for the next run."""
        self.hashes.save()

    def _prepare(
        self,
        step: Step,
        *,
        inputs: Mapping[str, Upstream | None],
        upstream: Mapping[str, Manifest],
        group: Mapping[str, str],
    ) -> Prepared:
        key = step_key(
            self._pipeline,
            step,
            inputs=inputs,
            site=self._site,
            hashes=self.hashes,
            modules=self._modules,
            group=group,
        )
        files = static_reads(
            self._pipeline, step, site=self._site, upstream=upstream, hashes=self.hashes
        )
        return Prepared(key, key.base, asked(self._pipeline, step), files)

    def _enabled(self, step: Step) -> bool:
        # The step's own option takes precedence over the notebook's.
        reasons = (step.options.cache, self._pipeline.defaults.cache)
        return next((s for s in reasons if s is not None), True)

    def _against(
        self,
        entry: Entry,
        manifest: Manifest | None,
        prepared: Prepared,
        *,
        inputs: Mapping[str, Upstream | None],
        upstream: Mapping[str, Manifest],
    ) -> list[str]:
        """Say what speaks against using an entry."""
        if manifest is None:
            return ["its result was removed from the cache"]
        reasons = []
        lacks = from_plain(RequestedOutputs, entry.asked).lacks(prepared.asked)
        if lacks:
            reasons.append(lacks)
        # Their paths mean other files on another machine, and to a copy of the notebook.
        outside = [p for p in manifest.files_written if p.startswith(("/", "../"))]
        if outside and entry.notebook_id != self._notebook_id:
            reasons.append(f"it wrote {outside[0]} for another notebook")
        reasons += self._changed_files(entry.files, upstream=upstream)
        reasons += self._changed_packages(entry.packages)
        reasons += _changed_states(manifest, inputs)
        # Last, because it needs a look at each blob.
        if not reasons and not all(self._store.has(name) for name in manifest.blobs()):
            reasons.append("its values were removed from the cache")
        return reasons

    def _since_last(
        self, step: Step, prepared: Prepared, *, upstream: Mapping[str, Manifest]
    ) -> str:
        """Compare with the last execution of this step, of which there is no entry that fits."""
        last = self._index.last(self._notebook, step.id)
        if last is None:
            return "first run of this step"
        try:
            reasons = differences(Key.from_plain(last.key), prepared.key, pipeline=self._pipeline)
        # Another version of kfnb wrote it.
        except (TypeError, KeyError, AttributeError):
            return "first run of this step"
        reasons += self._changed_files(last.files, upstream=upstream)
        reasons += self._changed_packages(last.packages)
        if reasons:
            return _sentence(reasons)
        if not last.finished:
            return f"it was not finished in run {last.run}"
        return "its result was removed from the cache"

    def _changed_files(
        self, files: Mapping[str, str | None], *, upstream: Mapping[str, Manifest]
    ) -> list[str]:
        reasons = []
        for path, content in files.items():
            if path.endswith("/"):
                now: str | None = folder_content(
                    path, content, workdir=self._site.workdir, upstream=upstream
                )
                what = f"the content of the folder {path} changed"
            else:
                now = self._file_content(path, content, upstream=upstream)
                what = f"file {path} {_what_happened(content, now)}"
            if now != content:
                reasons.append(what)
        return reasons

    def _file_content(
        self, path: str, recorded: str | None, *, upstream: Mapping[str, Manifest]
    ) -> str | None:
        """Return a file's content now, or whether it is there if nothing else was recorded."""
        workdir = self._site.workdir
        if recorded == PRESENT:
            return PRESENT if is_there(path, workdir=workdir, upstream=upstream) else None
        return file_content(path, workdir=workdir, upstream=upstream, hashes=self.hashes)

    def _changed_packages(self, packages: Mapping[str, str]) -> list[str]:
        if not packages:
            return []
        installed = kernels.packages(self._site.kernel)
        reasons = []
        for name, version in packages.items():
            now = installed.get(name)
            if now is None:
                reasons.append(f"package {name} {version} was removed")
            elif now != version:
                reasons.append(f"package {name} changed from {version} to {now}")
        return reasons

    def _files(self, manifest: Manifest, prepared: Prepared) -> dict[str, str | None]:
        """List what the step read, as it was before the step changed anything itself."""
        looked = {path: PRESENT if there else None for path, there in manifest.files_looked.items()}
        files: dict[str, str | None] = {
            path: content
            for path, content in manifest.files_read.items()
            if not any(part in path for part in _NOT_READ)
            and path not in prepared.key.modules
            # A step that reads back what it wrote does not depend on the file's earlier content.
            and (path not in manifest.files_written or manifest.files_written[path].hash != content)
        }
        known = {
            path: content
            for path, content in prepared.files.items()
            if content is not None or path not in manifest.files_written
        }
        return looked | files | known


def _what_happened(before: str | None, now: str | None) -> str:
    if before is None:
        return "is there now"
    return "was removed" if now is None else "changed"


def _machine() -> str:
    """Return what identifies this machine, also where homes are shared by several."""
    try:
        return Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, ValueError):
        return platform.node()


def _changed_states(manifest: Manifest, inputs: Mapping[str, Upstream | None]) -> list[str]:
    """Say which states of libraries a step relied on and would not begin with now."""
    changed = []
    for name, (own, began, _) in manifest.state.items():
        source = inputs.get(state_name(name))
        now = own if source is None else state_left(source.manifest.state, name)
        if began not in (NOT_RELIED_ON, now):
            changed.append(f"{name} changed")
    return changed


def copy_notebook_and_log(store: Store, manifest: Manifest, folder: AttemptFolder) -> None:
    """Lay the executed notebook and the log of a cached step where an attempt's would be."""
    import shutil

    with contextlib.suppress(OSError):  # a convenience: the store has them
        disk.private_folders(folder.path)
        for name, target in ((manifest.executed, folder.executed), (manifest.log, folder.log)):
            if name:
                shutil.copyfile(store.fetch(name), target)


def cache_off_reason(
    pipeline: Pipeline, step: Step, *, allowed: bool, forced: Sequence[str], origin: str | None
) -> str | None:
    """Say why the cache is not to be used for a step; None if it is.

    Parameters
    ----------
    allowed
        Whether the run uses the cache at all.
    forced
        Steps that execute in any case; ``origin`` is the flag that requires it.
    """
    if not allowed:
        return "--no-cache"
    if step.name in forced:
        return origin or f"--from {forced[0]}"
    reasons = step.options.cache if step.options.cache is not None else pipeline.defaults.cache
    return "cache:off" if reasons is False else None


def _sentence(reasons: Sequence[Any]) -> str:
    text = "; ".join(str(reason) for reason in reasons[:_MOST_REASONS])
    more = len(reasons) - _MOST_REASONS
    return f"{text}; and {more} more" if more > 0 else text
