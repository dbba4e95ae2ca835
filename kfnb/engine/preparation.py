"""Prepare a step: reuse an earlier result of it, or get ready to execute it."""

from __future__ import annotations

from kfnb.engine.cache.cache_lookup import Cache, Lookup, cache_off_reason
from kfnb.engine.core.commands import Prepare
from kfnb.engine.core.event_types import StepCached, StepFailed, StepReady
from kfnb.engine.core.settings import Settings
from kfnb.engine.dispatch.manifests import cached
from kfnb.engine.dispatch.run_outputs import RunOutputs
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline, Step
from kfnb.store.blobs import Store
from kfnb.store.file_restore import FileChanged, FolderMoved
from kfnb.store.manifest import manifest_key

Outcome = StepReady | StepCached | StepFailed
"""The data of the event that a preparation leads to."""


class Preparation:
    """Carries out ``Prepare`` commands of one run.

    Parameters
    ----------
    origin
        The flag because of which steps execute although nothing changed, such as ``--from x``.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        run: RunFolder,
        *,
        store: Store,
        cache: Cache,
        outputs: RunOutputs,
        origin: str | None,
    ) -> None:
        self._pipeline = pipeline
        self._run = run
        self._store = store
        self._cache = cache
        self._outputs = outputs
        self._origin = origin

    def prepare(self, command: Prepare, settings: Settings) -> Outcome:
        """Find out whether a step must execute, and have its files as it will need them.

        Raises
        ------
        InfrastructureError
            If a disk or store refuses.
        """
        step = self._pipeline.steps[command.step]
        key = manifest_key(self._run.id, step.id, index=command.index, round=command.round)
        # Nothing of this step executes now, so an existing manifest belongs to a result that no
        # longer counts, or to a cache hit whose driver died before it journaled it.
        self._store.delete(key)
        self._outputs.drop(key)
        lookup = self._cache.look_up(
            step,
            inputs=self._outputs.inputs(command.inputs),
            upstream=self._outputs.files_before(step),
            off=self._cache_off(step, command, settings),
            group=self._outputs.group_results(step),
        )
        try:
            reused = self._reuse(step, lookup, command, key)
            if reused is not None:
                return reused
            self._outputs.restore_before(step)
        except (FileChanged, FolderMoved) as error:
            self._outputs.take_restored()
            # Only a person can decide whether the file may be replaced, so another attempt would
            # not help.
            return StepFailed(kind="configuration", summary=str(error), remedy=error.remedy)
        folder = self._run.attempt(step.id, 0, index=command.index).path.parent
        self._cache.note_execution(step, lookup, run=self._run.id, folder=folder)
        why = f"again, because {command.again}" if command.again else lookup.why
        why = self._with_restored(why)
        return StepReady(inputs=dict(command.inputs), key=lookup.prepared.base, why=why)

    def _with_restored(self, why: str) -> str:
        """Add to a reason which files were written for the step, so that nobody wonders."""
        return "; ".join(part for part in (why, self._outputs.take_restored()) if part)

    def _cache_off(self, step: Step, command: Prepare, settings: Settings) -> str | None:
        off = cache_off_reason(
            self._pipeline, step, allowed=settings.cache, forced=settings.force, origin=self._origin
        )
        if off is not None or command.cache:
            return off
        if step.name == self._pipeline.on_exit:
            return "an on-exit step is executed in every run"
        if command.grouped:
            return "a step executes with which it shares a kernel"
        return "its earlier result was computed from a value that changed later"

    def _reuse(self, step: Step, lookup: Lookup, command: Prepare, key: str) -> StepCached | None:
        """Use a cached result as this run's own; None if there is none, or it was removed."""
        manifest = lookup.manifest
        # The cleaner may have removed the values since the look-up, so adopting checks once more.
        if manifest is None or not self._cache.adopt(lookup, manifest_key=key):
            return None
        self._outputs.restore_of(step.name, manifest)
        self._cache.restore_notebook(manifest, self._run.attempt(step.id, 0, index=command.index))
        self._outputs.add(step.name, key, manifest, index=command.index)
        return cached(
            manifest,
            key,
            inputs=command.inputs,
            cache_key=lookup.prepared.base,
            why=self._with_restored(lookup.why),
        )
