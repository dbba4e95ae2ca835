"""What the steps of a run that are done have left to those after them: values and files."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from kfnb.engine.cache.cache_key import kernel_results
from kfnb.engine.core.identity import Source
from kfnb.engine.core.scheduler import Engine
from kfnb.engine.dispatch.manifests import read_manifest
from kfnb.engine.dispatch.step_orders import Upstream, restored_files
from kfnb.errors import KfnbError
from kfnb.home import AttemptFolder
from kfnb.pipeline import Step
from kfnb.step.opened_files.folder_uses import FolderUses, folder_uses
from kfnb.step.opened_files.report import NAME as REPORT
from kfnb.step.opened_files.report import read_report
from kfnb.store.blobs import Store
from kfnb.store.file_restore import PlacedFiles, remove_unfinished, restore, save_changed
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import Manifest, WrittenFile
from kfnb.store.remote.base import Refused

_MOST_REMEMBERED = 2_000
_MOST_NAMED = 20


class RunOutputs:
    """Manifests of the steps that count now, as the engine's state tells.

    Parameters
    ----------
    engine
        Whose state says which steps are done.
    workdir
        The notebook's folder.
    restores
        Whether steps execute in that folder, so that files of earlier steps are restored there.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        store: Store,
        hashes: FileHashes,
        workdir: Path,
        restores: bool = True,
    ) -> None:
        self._engine = engine
        self._store = store
        self._hashes = hashes
        self._workdir = workdir
        self._restores = restores
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._placed = PlacedFiles(store)
        self._restored: list[str] = []
        if self._restores:
            remove_unfinished(self._workdir)
        # A driver that continues a run knows from the journal which steps wrote files.
        self._writers = {
            engine.plan.position[key]
            for key, state in engine.state.steps.items()
            if state.result and state.result.files_written
        }

    def add(self, step: str, key: str, manifest: Manifest, *, index: str = "") -> None:
        """Note what a step has just published under ``key``."""
        self._manifests[key] = manifest
        if len(self._manifests) > _MOST_REMEMBERED:
            # A run of many steps would otherwise hold all their descriptions; the store has them.
            self._manifests.popitem(last=False)
        if self._restores:
            for path, file in manifest.files_written.items():
                self._placed.note(self._workdir / path, file.hash)
        if manifest.files_written or manifest.files_removed:
            self._writers.add(self._engine.plan.position[step, index])

    def drop(self, key: str) -> None:
        """Forget a manifest that does not count any more."""
        self._manifests.pop(key, None)

    def of(self, name: str, index: str = "") -> Manifest | None:
        """Return what a step has published in its current round; None if it is not done.

        Raises
        ------
        Refused
            If the store does not have it any more.
        """
        state = self._engine.state.steps[name, index]
        if state.status not in ("succeeded", "cached") or not state.result:
            return None
        key = str(state.result.manifest)
        if key not in self._manifests:
            manifest = read_manifest(self._store, key)
            if manifest is None:
                raise Refused(
                    f'the values of step "{name}" are no longer in the store ({key}). Start a new '
                    "run."
                )
            self.add(name, key, manifest, index=index)
        return self._manifests[key]

    def inputs(self, sources: Mapping[str, Source | None]) -> dict[str, Upstream | None]:
        """Return for each input what its producer has published; None if it has not."""
        manifests: dict[str, Upstream | None] = {}
        for name, source in sources.items():
            manifest = self.of(source.step, source.index) if source else None
            manifests[name] = Upstream(source.step, manifest) if source and manifest else None
        return manifests

    def group_results(self, step: Step) -> dict[str, str]:
        """Return which results the members of a group before this step have, each as a text."""
        members = self._engine.group_members(step.name)
        before = members[: members.index(step.name)] if members else ()
        return kernel_results({name: self.of(name) for name in before})

    def files_before(self, step: Step) -> dict[str, Manifest]:
        """Return the manifests of steps before this one that wrote files, in order."""
        return self._files_until(self._engine.plan.position[step.name, ""])

    def _files_until(self, until: int) -> dict[str, Manifest]:
        plan = self._engine.plan
        manifests = {}
        # In notebook order, so that a later version of a file wins over an earlier one.
        for position in sorted(p for p in self._writers if p < until):
            name, index = plan.keys[position]
            manifest = self.of(name, index)
            if manifest is not None:
                manifests[name] = manifest
        return manifests

    def restore_before(self, step: Step) -> dict[str, Manifest]:
        """Have the files of the steps before this one as those left them.

        Returns
        -------
        dict
            As :meth:`files_before`.

        Raises
        ------
        FileChanged
            If a person changed one of them.
        InfrastructureError
            If one is missing and the store has no copy.
        """
        upstream = self.files_before(step)
        self._restore(upstream)
        return upstream

    def restore_all(self) -> None:
        """Have all files as the notebook's last writers left them; raises as above.

        A step that was executed again has got older versions than later steps had written.
        """
        self._restore(self._files_until(len(self._engine.plan.keys)))

    def restore_of(self, step: str, manifest: Manifest) -> None:
        """Have the files that one step wrote as it left them; raises as above."""
        self._restore({step: manifest})

    def take_restored(self) -> str:
        """Return in a few words which files were written since the last call; empty if none."""
        restored, self._restored = self._restored, []
        if not restored:
            return ""
        more = f" and {len(restored) - _MOST_NAMED} more" if len(restored) > _MOST_NAMED else ""
        return f"wrote {', '.join(restored[:_MOST_NAMED])}{more}"

    def save_changed_before(self, step: Step, attempt: AttemptFolder) -> None:
        """Keep what a failed attempt made of files of the steps before it, if that can be done.

        What a person made of them meanwhile is not the attempt's, as far as that is known.
        """
        if not self._restores:
            return
        try:
            files = restored_files(self.files_before(step))
            files = self._opened_by(attempt, files)
            save_changed(files, workdir=self._workdir, store=self._store, hashes=self._hashes)
        # The attempt has failed anyway, and its own reason must not be hidden by this one.
        except (KfnbError, OSError):
            return

    def _opened_by(
        self, attempt: AttemptFolder, files: Mapping[str, WrittenFile]
    ) -> dict[str, WrittenFile]:
        """Return those of the files that an attempt may have changed."""
        uses = FolderUses()
        with contextlib.suppress(OSError):  # it was not watched
            uses = folder_uses(
                read_report(attempt.path / REPORT), folder=self._workdir, attempt=attempt.path
            )
        changed = {
            path: file
            for path, file in files.items()
            if not uses.complete
            or not uses.written.isdisjoint((path, *map(str, PurePosixPath(path).parents)))
        }
        for path in changed:
            content = self._hashes.of(self._workdir / path)
            if content is not None:
                self._placed.note(self._workdir / path, content)
        return changed

    def _restore(self, upstream: Mapping[str, Manifest]) -> None:
        if not self._restores:
            return
        files = restored_files(upstream)
        missing = {path for path in files if not os.path.lexists(self._workdir / path)}
        restored = restore(
            files,
            workdir=self._workdir,
            store=self._store,
            hashes=self._hashes,
            overwrite=self._engine.state.settings.overwrite_files,
        )
        self._restored += [
            f"{path} (it was missing)" if path in missing else path for path in restored
        ]
