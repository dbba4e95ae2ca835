"""Runs of only one step (``--only STEP``), with inputs from an earlier run of the notebook."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.api.run_lookup import facts, runs_of
from kfnb.api.run_view import RunView
from kfnb.engine.cache.cache_lookup import copy_notebook_and_log
from kfnb.engine.core.commands import Prepare, Record
from kfnb.engine.core.event_types import Body, StepCached
from kfnb.engine.core.events import Event
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import Engine
from kfnb.engine.core.state import DONE
from kfnb.engine.dispatch.manifests import cached, read_manifest
from kfnb.engine.journal.file_journal import Journal
from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline, Step
from kfnb.runners.stores import same_store, store_of_run
from kfnb.store.blobs import Store
from kfnb.store.manifest import Manifest, manifest_key

_MOST_RUNS = 50
"""How many earlier runs are searched: opening each of them takes milliseconds."""


@dataclass(frozen=True, slots=True)
class OnlyStepPlan:
    """A pipeline that ends with one step, and the earlier run that has the inputs.

    Parameters
    ----------
    pipeline
        The step and those that it depends on.
    step
        The step that executes.
    source
        The run with the results of the other steps; None if there are no others.
    taken
        The manifest of each of these steps, and a reason for the status.
    store
        The store with these manifests and values; None if there are none.
    """

    pipeline: Pipeline
    step: str
    source: RunFolder | None
    taken: Mapping[str, tuple[Manifest, str]]
    store: Store | None = None

    def options(self) -> dict[str, Any]:
        """Return the entries for ``run.json``."""
        return {"only": self.step, **({"source": self.source.id} if self.source else {})}

    def begin(self, journal: Journal, created: Event, making: RunFolder) -> None:
        """Write into a new run's journal that all steps but one are done.

        Parameters
        ----------
        making
            The run's folder, before it gets its final name.

        Raises
        ------
        InfrastructureError
            If a result was removed in the meantime.
        """
        # The engine decides the order, so that the journal looks like that of any other run.
        engine = Engine(Plan.of(self.pipeline))
        engine.apply(created)
        while True:
            ready = [c for c in engine.decide(time.time()) if engine.wants(c)]
            events: list[tuple[str | None, Body]] = [
                (c.step, c.data)
                if isinstance(c, Record)
                else self._cached(c, run=journal.run, making=making)
                for c in ready
                if isinstance(c, Record) or (isinstance(c, Prepare) and c.step != self.step)
            ]
            for step, data in events:
                engine.apply(journal.append(data, step, durable=False))
            if not events:
                if self.store is not None:
                    self.store.sync(f"manifests/{journal.run}")
                return

    def _cached(self, command: Prepare, *, run: str, making: RunFolder) -> tuple[str, StepCached]:
        step = self.pipeline.steps[command.step]
        manifest, why = self.taken[step.name]
        key = manifest_key(run, step.id)
        store = self.store
        assert self.source is not None
        assert store is not None
        # Marked as used, so that a concurrent clean does not remove them before the run refers to
        # them.
        complete = all(store.keep(name) for name in manifest.blobs())
        if not complete or not store.link(manifest_key(self.source.id, step.id), key):
            raise InfrastructureError(
                f'The results of step "{step.name}" in run {self.source.id} have just been '
                "removed. Run the whole pipeline."
            )
        # Attempt 0 stands for a result that no attempt of this run computed.
        copy_notebook_and_log(store, manifest, making.attempt(step.id, 0))
        return step.name, cached(manifest, key, inputs=command.inputs, why=why)


def plan_only_step(
    pipeline: Pipeline, step: str, parameters: Mapping[str, Any], *, run_facts: Mapping[str, Any]
) -> OnlyStepPlan:
    """Find the newest run of the notebook that has all inputs of ``step``.

    Parameters
    ----------
    parameters
        Values for the new run, to report where the earlier run had different ones.
    run_facts
        Target of the new run, as in ``run.json``: only runs with the same store are searched.

    Raises
    ------
    UsageError
        If no run has them, with what the newest run lacks.
    """
    ended = _ending_with(pipeline, step)
    if len(ended.steps) == 1:
        return OnlyStepPlan(ended, step, None, {})
    store = store_of_run(run_facts)
    lacks = ""
    earlier = runs_of(pipeline.path) if pipeline.path else ()
    for n, run in enumerate(run for run in earlier if same_store(facts(run), run_facts)):
        if n == _MOST_RUNS:
            break
        try:
            view = RunView(run)
            view.update()
        # A damaged run must not hide the others.
        except KfnbError:
            continue
        manifests, missing = _taken(ended, step, view, store=store, parameters=parameters)
        if not missing:
            return OnlyStepPlan(ended, step, run, manifests, store)
        lacks = lacks or f" ({missing} in run {run.id})"
    raise UsageError(
        f'No run of this notebook has all inputs of step "{step}"{lacks}. Run the whole pipeline '
        "first (unchanged steps come from the cache)."
    )


def _ending_with(pipeline: Pipeline, step: str) -> Pipeline:
    plan = Plan.of(pipeline)
    needed = {plan.position[step, ""]}
    # Dependencies come earlier in the plan, so one pass backwards finds them all.
    for n in range(len(plan.keys) - 1, -1, -1):
        if n in needed:
            needed |= plan.deps[n]
    names = {plan.keys[n][0] for n in needed}
    return dataclasses.replace(
        pipeline,
        steps={name: s for name, s in pipeline.steps.items() if name in names},
        edges=tuple(e for e in pipeline.edges if {e.source, e.target} <= names),
        on_exit=pipeline.on_exit if pipeline.on_exit in names else None,
    )


def _taken(
    pipeline: Pipeline,
    only: str,
    view: RunView,
    *,
    store: Store,
    parameters: Mapping[str, Any],
) -> tuple[dict[str, tuple[Manifest, str]], str]:
    """Return results of the steps before ``only`` from a run; or a few words on what is missing."""
    manifests: dict[str, tuple[Manifest, str]] = {}
    before = view.state.info.parameters
    for name, step in pipeline.steps.items():
        if name == only:
            continue
        state = view.state.steps.get((name, ""))
        if state is None:
            return manifests, f'there was no step "{name}"'
        if state.status not in DONE:
            return manifests, f'step "{name}" is {state.status}'
        manifest = read_manifest(store, manifest_key(view.folder.id, step.id))
        # kfnb clean may have removed what no kept run needed.
        if manifest is None or not all(store.has(blob) for blob in manifest.blobs()):
            return manifests, f'the results of step "{name}" were removed'
        run = f"taken from run {view.folder.id}"
        manifests[name] = manifest, run + _since(step, view, pipeline, before, parameters)
    for name, producer in pipeline.steps[only].sources.items():
        if producer in manifests and name not in manifests[producer][0].outputs:
            return manifests, f'step "{producer}" did not produce "{name}"'
    return manifests, ""


def _since(
    step: Step,
    view: RunView,
    pipeline: Pipeline,
    before: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> str:
    """Return what changed in a step since its result was made."""
    then = view.pipeline.steps[step.name]
    defaults = [{p.name: p.default for p in p_.parameters} for p_ in (view.pipeline, pipeline)]
    changes = []
    if _code(then) != _code(step):
        changes.append("its code has changed since")
    values = [{**defaults[0], **before}, {**defaults[1], **parameters}]
    other = [p for p in step.parameters if values[0].get(p) != values[1].get(p)]
    if other:
        changes.append(f"with other values of {', '.join(other)}")
    return "".join(f"; {one}" for one in changes)


def _code(step: Step) -> list[tuple[str, ...]]:
    return [tuple(s.code for s in piece.statements) for piece in (*step.prelude, *step.body)]
