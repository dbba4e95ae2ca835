"""Which steps of a new run would execute, and which would come from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kfnb.api.launch import RunPlan
from kfnb.engine.cache.cache_key import kernel_results
from kfnb.engine.cache.cache_lookup import Cache, cache_off_reason
from kfnb.engine.core.plan import Plan
from kfnb.engine.dispatch.step_orders import Site, Upstream
from kfnb.home import RunFolder, runs_folder, store_folder
from kfnb.runners.masked_values import split
from kfnb.runners.parameters import check_parameters
from kfnb.runners.target import find_target
from kfnb.store.blobs import open_store
from kfnb.store.manifest import Manifest

Action = Literal["execute", "cached", "unknown"]


@dataclass(frozen=True, slots=True)
class ExpectedStep:
    """What a new run would do with a step.

    Parameters
    ----------
    action
        ``execute`` is an upper bound: a step behind one that executes still comes from the cache if
        it gets the same values as before. ``unknown`` if the run's results are on another machine.
    why
        The reason, for people.
    """

    name: str
    action: Action
    why: str


def expected_steps(plan: RunPlan) -> list[ExpectedStep]:
    """Compare the steps of a planned run with the cache; nothing is started or written.

    Returns
    -------
    list of ExpectedStep
        In the order of execution.

    Raises
    ------
    CheckError
        If the notebook has errors.
    UsageError
        If a parameter does not exist or fit.
    InfrastructureError
        If the store cannot be read.
    """
    return _Forecast(plan).steps()


class _Forecast:
    def __init__(self, plan: RunPlan) -> None:
        self._run = plan
        self._pipeline = plan.pipeline
        self._plan = Plan.of(plan.pipeline)
        self._manifests: dict[str, Manifest] = {}
        self._executes: set[str] = set()

    def steps(self) -> list[ExpectedStep]:
        """As :func:`expected_steps`."""
        only = self._run.options.get("only")
        if only is not None:
            source = self._run.options.get("source")
            return [
                ExpectedStep(name, "execute", f"--only {only}")
                if name == only
                else ExpectedStep(name, "cached", f"taken from run {source}")
                for name, _ in self._plan.keys
            ]
        if find_target(self._run.target).is_remote:
            why = "the results of earlier runs are on another machine"
            return [ExpectedStep(name, "unknown", why) for name, _ in self._plan.keys]
        cache = self._cache()
        learned: dict[str, set[str]] = {}
        for edge in cache.learned_edges.known():
            learned.setdefault(edge.target, set()).add(edge.source)
        expected = []
        for position, (name, _) in enumerate(self._plan.keys):
            before = {self._plan.keys[n][0] for n in self._plan.deps[position]}
            one = self._step(cache, position, before | learned.get(name, set()))
            if one.action == "execute":
                self._executes.add(name)
            expected.append(one)
        return [self._with_group(one) for one in expected]

    def _with_group(self, one: ExpectedStep) -> ExpectedStep:
        """Have a step executed if one executes with which it shares a kernel."""
        for group in self._pipeline.groups:
            others = [m for m in group.steps if m in self._executes and m != one.name]
            if one.action == "cached" and one.name in group.steps and others:
                why = f'step "{others[0]}", with which it shares a kernel, executes'
                return ExpectedStep(one.name, "execute", why)
        return one

    def _step(self, cache: Cache, position: int, before: set[str]) -> ExpectedStep:
        name, _ = self._plan.keys[position]
        step = self._pipeline.steps[name]
        off = cache_off_reason(
            self._pipeline,
            step,
            allowed=self._run.settings.cache,
            forced=self._run.settings.force,
            origin=None,
        )
        if off is None and name == self._pipeline.on_exit:
            off = "an on-exit step is executed in every run"
        if off is not None:
            return ExpectedStep(name, "execute", off)
        changed = sorted(before & self._executes, key=lambda one: self._plan.position[one, ""])
        if changed:
            return ExpectedStep(name, "execute", f'step "{changed[0]}" before it executes')
        members = next((g.steps for g in self._pipeline.groups if name in g.steps), (name,))
        earlier = {m: self._manifests.get(m) for m in members[: members.index(name)]}
        lookup = cache.look_up(
            step,
            inputs=self._inputs(position),
            upstream=self._files(position),
            off=None,
            group=kernel_results(earlier),
        )
        if lookup.manifest is None:
            return ExpectedStep(name, "execute", lookup.why)
        self._manifests[name] = lookup.manifest
        return ExpectedStep(name, "cached", lookup.why)

    def _inputs(self, position: int) -> dict[str, Upstream | None]:
        inputs: dict[str, Upstream | None] = {}
        for name, producer in self._plan.inputs[position].items():
            source = self._plan.keys[producer][0] if producer >= 0 else ""
            manifest = self._manifests.get(source)
            inputs[name] = Upstream(source, manifest) if manifest is not None else None
        return inputs

    def _files(self, position: int) -> Mapping[str, Manifest]:
        """Return the manifests of earlier steps that wrote files, in the order of execution."""
        earlier = (name for name, _ in self._plan.keys[:position] if name in self._manifests)
        return {
            name: manifest
            for name in earlier
            if (manifest := self._manifests[name]).files_written or manifest.files_removed
        }

    def _cache(self) -> Cache:
        pipeline = self._pipeline
        # The folder does not exist: a look-up writes nothing there.
        folder = RunFolder(runs_folder() / ".planned")
        values = check_parameters(pipeline.parameters, self._run.parameters)
        masked = split(pipeline, values, mask=self._run.mask, no_mask=self._run.no_mask)
        site = Site(
            run=folder,
            store=store_folder(),
            workdir=Path(pipeline.path).absolute().parent if pipeline.path else folder.path,
            kernel=pipeline.kernel or "python3",
            parameters=masked.shown,
            masked=masked.digests,
        )
        return Cache(pipeline, store=open_store(store_folder()), site=site)


def summary(steps: list[ExpectedStep]) -> str:
    """Return the numbers as a few words.

    >>> summary([ExpectedStep("a", "cached", ""), ExpectedStep("b", "execute", "")])
    '1 step runs, 1 from the cache'
    """
    executed = sum(step.action != "cached" for step in steps)
    runs = "1 step runs" if executed == 1 else f"{executed} steps run"
    if any(step.action == "unknown" for step in steps):
        return f"at most {runs}"
    cached = len(steps) - executed
    return f"{runs}, {cached} from the cache" if cached else runs
