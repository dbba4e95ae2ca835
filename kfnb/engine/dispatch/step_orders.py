"""From a pipeline and what its steps have published to a step's order: pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kfnb.engine.core.units import memory_bytes
from kfnb.engine.dispatch.leading_imports import leading_imports
from kfnb.engine.dispatch.step_notebook import needed_definitions, step_notebook
from kfnb.home import RunFolder
from kfnb.json_values import json_value
from kfnb.masked_parameters import MASK, shown
from kfnb.pipeline import (
    Addition,
    Collection,
    Definition,
    FileUse,
    Pipeline,
    Step,
    additions_name,
)
from kfnb.step.order import (
    AdditionOrder,
    CollectionOrder,
    Input,
    MadeWith,
    StepOrder,
    inputs_source,
    outputs_source,
)
from kfnb.store.manifest import Manifest, WrittenFile

HASH_SEED = "PYTHONHASHSEED"


@dataclass(frozen=True, slots=True)
class Upstream:
    """What an earlier step of the run has published, as its readers see it."""

    step: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """Where a step of a group executes.

    ``kernel`` is the folder of the attempt whose kernel it uses (None: one of its own), ``before``
    the steps that this kernel has executed. ``members`` are all steps of the group.
    """

    kernel: Path | None = None
    before: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    after: Literal["end", "wait", "wait if needed"] = "end"


@dataclass(frozen=True, slots=True)
class StepPaths:
    """Where a step finds its run, the store, and the notebook's folder."""

    run: RunFolder
    store: Path
    workdir: Path
    kernel: str


@dataclass(frozen=True, slots=True)
class Site:
    """Where a run executes: the same for all of its steps.

    ``run``, ``store`` and ``workdir`` are paths of the driver's machine; ``inside`` has the paths
    that steps see, if they differ. ``images`` maps steps to their container images, if they have
    one: interpreter and packages are then the image's. ``masked`` has a digest of each parameter
    whose value is a secret; if it was given, ``parameters`` has ``***`` instead of it.
    """

    run: RunFolder
    store: Path
    workdir: Path
    kernel: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    wakeup_socket: str | None = None
    seed: str = "0"
    images: Mapping[str, str] = field(default_factory=dict)
    inside: StepPaths | None = None
    masked: Mapping[str, str] = field(default_factory=dict)


def step_order(
    pipeline: Pipeline,
    step: Step,
    *,
    attempt: int,
    index: str = "",
    round: int = 0,  # noqa: A002 (the order's own word)
    inputs: Mapping[str, Upstream | None],
    upstream: Mapping[str, Manifest],
    site: Site,
    timeout: float | None = None,
    on_mutation: Literal["fail", "warn"] = "fail",
    group: GroupPlace = GroupPlace(),
) -> tuple[dict[str, Any], StepOrder]:
    """Build the notebook and the order of one attempt.

    Parameters
    ----------
    inputs
        For each input name, the step that its value is taken from; None where no
        step of the run has it (the exit step after a failure).
    upstream
        Manifests of all steps that this one comes after, in the pipeline's order:
        the files that they wrote must be there.
    timeout
        Seconds that the step's own cells may take.
    group
        The kernel that the step shares with others.
    """
    # A pod has other paths than the driver's machine.
    seen = site.inside or site
    folder = seen.run.attempt(step.id, attempt, index=index)
    definitions = input_definitions(pipeline, step, inputs)
    notebook = step_notebook(
        pipeline,
        step,
        parameters=site.parameters,
        masked=given_masked(site),
        definitions=definitions,
        load=inputs_source(folder.order),
        publish=outputs_source(folder.order),
        before=[pipeline.steps[name] for name in group.before],
    )
    order = StepOrder(
        run=site.run.id,
        step=step.name,
        step_id=step.id,
        attempt=attempt,
        index=index,
        round=round,
        notebook=str(folder.notebook),
        folder=str(folder.path),
        workdir=str(seen.workdir),
        store=str(seen.store),
        kernel=seen.kernel,
        inputs=tuple(_input(name, inputs[name], group.before) for name in sorted(inputs)),
        outputs=tuple(sorted(step.published)),
        adds={n: order_addition(step, n, a) for n, a in sorted(step.adds.items())},
        collects={n: order_collection(n, c) for n, c in sorted(step.collects.items())},
        watch=watched(pipeline, step),
        setup_readers=setup_readers(pipeline, step),
        setup_values=step.setup_values,
        on_mutation=on_mutation,
        imports=leading_imports(pipeline, step),
        modules=None if step.opaque else step.modules,
        definitions=tuple(
            # What comes in as a value is no longer what its source says.
            sorted({*step.definitions, *({d.name for d in definitions} - step.sources.keys())})
        ),
        metrics=tuple(sorted(step.metrics)),
        parameters=shown(used_parameters(pipeline, step, site.parameters), site.masked),
        masked=tuple(name for name in given_masked(site) if name in step.parameters),
        private=tuple(sorted(site.masked)),
        files_expected=_paths(pipeline, step.writes, site.parameters),
        files_foreign=_paths(
            pipeline,
            [w for s in pipeline.steps.values() if s.name != step.name for w in s.writes],
            site.parameters,
        ),
        restore=restored_files(upstream),
        timeout=timeout,
        memory=_group_memory(pipeline, [step, *(pipeline.steps[name] for name in group.members)]),
        kernel_folder=str(group.kernel or ""),
        after=group.after,
        environment={**environment(pipeline, step, site), "KFNB_ATTEMPT": str(attempt)},
        wakeup_socket=site.wakeup_socket,
        origins=_origins(pipeline, step),
        made_with={
            source.step: MadeWith(source.manifest.python, dict(source.manifest.packages))
            for source in inputs.values()
            if source is not None
        },
    )
    return notebook, order


def order_addition(step: Step, name: str, addition: Addition) -> AdditionOrder:
    """Say under which name a step publishes what it adds to a value; empty: nobody reads it."""
    wanted = name in step.outputs
    return AdditionOrder(
        form=addition.form,
        publish_as=additions_name(name, step.name) if wanted else "",
        with_base=addition.base is None,
    )


def order_collection(name: str, collection: Collection) -> CollectionOrder:
    """Say which additions are put into a value before a step begins, in order."""
    return CollectionOrder(
        additions=tuple(additions_name(name, adder) for adder in collection.adders),
        read_later=collection.read_later,
        changed_later=collection.changed_later,
    )


def input_definitions(
    pipeline: Pipeline, step: Step, inputs: Mapping[str, Upstream | None]
) -> list[Definition]:
    """Find the definitions that the values flowing into ``step`` need."""
    needed: dict[str, int] = {}
    for name, source in inputs.items():
        if source is None:
            continue
        output = source.manifest.outputs.get(name)
        bundle = source.manifest.bundles.get(output.bundle or "") if output else None
        if bundle is None:
            continue
        producer = pipeline.steps[source.step].order
        # Pickles refer to classes by name, and their functions read globals when they are called.
        for wanted in (*bundle.classes, *bundle.globals):
            # If two producers used a definition, the later one had the newest text of it.
            needed[wanted] = max(producer, needed.get(wanted, producer))
    return needed_definitions(pipeline, needed, step=step)


def used_parameters(pipeline: Pipeline, step: Step, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the parameters that ``step`` uses, as JSON values."""
    defaults = {p.name: p.default for p in pipeline.parameters}
    return {
        name: json_value(overrides.get(name, defaults.get(name)))
        for name in sorted(step.parameters)
    }


def given_masked(site: Site) -> tuple[str, ...]:
    """Return the masked parameters that the run replaces the default of."""
    return tuple(sorted(n for n in site.masked if site.parameters.get(n) == MASK))


def watched(pipeline: Pipeline, step: Step) -> tuple[str, ...]:
    """List the inputs that another step reads too and that ``step`` is not known to change.

    Steps beside it count: one may hand on what it read before a change that nobody saw.
    """
    others = {
        name
        for other in pipeline.steps.values()
        if other.name != step.name
        for name in other.sources
    }
    return tuple(sorted((others & set(step.sources)) - set(step.outputs)))


def setup_readers(pipeline: Pipeline, step: Step) -> dict[str, str]:
    """Give for each value of setup that a later step reads the first such step.

    Setup makes it anew there: what ``step`` does to it is not seen.
    """
    later = sorted(
        (other for other in pipeline.steps.values() if other.order > step.order),
        key=lambda other: -other.order,
    )
    readers = {name: other.name for other in later for name in other.setup_values}
    return {name: readers[name] for name in sorted(readers.keys() - set(step.outputs))}


def restored_files(upstream: Mapping[str, Manifest]) -> dict[str, WrittenFile]:
    """Return the files that earlier steps left, each in its latest version; not deleted ones."""
    latest: dict[str, WrittenFile] = {}
    for manifest in upstream.values():
        for path in manifest.files_removed:
            # A step may delete a file that an earlier step wrote.
            latest.pop(path, None)
        latest.update(manifest.files_written)
    return latest


def environment(pipeline: Pipeline, step: Step, site: Site) -> dict[str, str]:
    """Return the environment variables that a step gets on top of the driver's own."""
    return {
        # With one seed for all steps a set has the same order in each process, as in one kernel.
        HASH_SEED: site.seed,
        # Later entries win: options of a step may set the hash seed, but not kfnb's own variables.
        **pipeline.defaults.env,
        **step.options.env,
        "KFNB_RUN": site.run.id,
        # The system refuses an environment variable that contains a null character.
        "KFNB_STEP": step.name.replace("\0", "\N{REPLACEMENT CHARACTER}"),
    }


def resolve_path(pipeline: Pipeline, use: FileUse, overrides: Mapping[str, Any]) -> str | None:
    """Return the path that a source names, with the run's parameters; None if not known."""
    names = set(re.findall(r"{(\w+)}", use.template))
    if not names & set(overrides):
        return use.path
    values = {p.name: p.default for p in pipeline.parameters} | dict(overrides)
    if not names <= set(values):
        return None
    return re.sub(r"{(\w+)}", lambda m: str(values[m[1]]), use.template)


def _paths(
    pipeline: Pipeline, uses: tuple[FileUse, ...] | list[FileUse], overrides: Mapping[str, Any]
) -> tuple[str, ...]:
    paths = (resolve_path(pipeline, use, overrides) for use in uses)
    return tuple(sorted({path for path in paths if path}))


def _input(name: str, source: Upstream | None, same_kernel: tuple[str, ...]) -> Input:
    if source is None:
        return Input(name, absent=True)
    output = source.manifest.outputs.get(name)
    if output is not None and not output.absent and source.step in same_kernel:
        return Input(name, producer=source.step, in_kernel=True)
    if output is None or output.absent or not output.bundle:
        return Input(name, producer=source.step, absent=True)
    bundle = source.manifest.bundles[output.bundle]
    return Input(name, bundle=bundle, key=output.bundle, producer=source.step)


def _group_memory(pipeline: Pipeline, steps: Sequence[Step]) -> int | None:
    """Return the most that a step of a group may use: values of the others are in the kernel."""
    limits = [memory_bytes(_memory(pipeline, step)) for step in steps]
    known = [limit for limit in limits if limit is not None]
    return max(known) if len(known) == len(limits) else None


def _memory(pipeline: Pipeline, step: Step) -> str | None:
    for options in (step.options, pipeline.defaults):
        # A container is killed at its limit, not at what it requests.
        limit = options.limits.get("memory") or options.memory
        if limit:
            return limit
    return None


def _origins(pipeline: Pipeline, step: Step) -> dict[str, int]:
    """For each output the last of the step's cells that mentions it."""
    origins = {}
    for name in step.outputs:
        word = re.compile(rf"\b{re.escape(name)}\b")
        # The last mention is the likeliest place where the value got its final content.
        for piece in reversed(step.body):
            cell = pipeline.cells[piece.cell]
            if word.search(cell.source):
                origins[additions_name(name, step.name) if name in step.adds else name] = cell.index
                break
    return origins
