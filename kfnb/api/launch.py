"""Read a notebook, plan a run of it, and start that."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kfnb.api.parameters import from_values
from kfnb.api.run_settings import run_settings, seconds
from kfnb.api.step_lookup import no_such_step
from kfnb.errors import CheckError, UsageError
from kfnb.pipeline import Diagnostic, Pipeline

if TYPE_CHECKING:
    from kfnb.api.only_step import OnlyStepPlan
    from kfnb.api.run_handle import Run
    from kfnb.engine.core.events import Event
    from kfnb.engine.core.settings import Settings
    from kfnb.engine.journal.file_journal import Journal
    from kfnb.home import RunFolder
    from kfnb.runners.launch import Begin
    from kfnb.runners.target import Prepared


def read(path: str | os.PathLike[str]) -> Pipeline:
    """Read a notebook as a pipeline.

    Parameters
    ----------
    path
        The ``.ipynb`` file.

    Returns
    -------
    Pipeline
        Immutable. ``diagnostics`` has what is wrong with its cells.

    Raises
    ------
    NotebookError
        If the file does not exist or is not a notebook; never for a bad cell.

    Examples
    --------
    >>> import kfnb
    >>> pipeline = kfnb.read("train.ipynb")
    >>> list(pipeline.steps)
    ['load', 'train', 'report']
    >>> dict(pipeline.steps["train"].inputs)
    {'rows': 'load'}
    >>> [(edge.source, edge.target, edge.names) for edge in pipeline.edges]
    [('load', 'train', ('rows',)), ('train', 'report', ('model',))]
    """
    from kfnb.notebook.reader import read as read_notebook

    return read_notebook(os.fspath(path))


def run(
    path: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    *,
    target: str = "local",
    wait: bool = True,
    parallel: int | None = None,
    retries: int | None = None,
    timeout: float | str | None = None,
    name: str | None = None,
    cache: bool = True,
    from_step: str | None = None,
    only_step: str | None = None,
    on_failure: Literal["finish", "stop"] = "finish",
    on_mutation: Literal["fail", "warn"] = "fail",
    overwrite_files: bool = False,
    mask: Collection[str] = (),
    no_mask: Collection[str] = (),
    **options: Any,
) -> Run:
    """Run a notebook as a pipeline.

    Each step executes in a separate process. A driver process starts them and outlives this
    process. A step that fails does not raise; the run's ``status`` is then ``"failed"``.

    Parameters
    ----------
    path
        The notebook.
    parameters
        Values for the notebook's parameters; the others keep their defaults.
    target
        Where the steps execute: ``"local"`` (this machine) or ``"kubernetes"``.
    wait
        Wait until the run has ended. Interrupting the wait stops the run.
    parallel
        How many steps may execute at once; by default the number of this machine's cores.
    retries
        How often a failing step is retried, unless the step has its own number.
    timeout
        Seconds, or text such as ``"30m"``, that a step may take, unless it has its own timeout.
    name
        The run's name; by default the pipeline's name.
    cache
        Whether results of earlier runs may be used.
    from_step
        Execute this step and all that depend on it even if nothing changed.
    only_step
        Execute only this step, with its inputs from the latest run of the notebook that has
        them.
    on_failure
        After a step failed: ``"finish"`` the steps that do not depend on it, or ``"stop"``.
    on_mutation
        When a step changed a value in a way that its source does not show, too late for a
        later step: ``"fail"``, or ``"warn"`` and continue.
    overwrite_files
        Replace files that were changed after a step wrote them, where a cached result puts its
        files back; otherwise the run stops and names the file.
    mask, no_mask
        Names of parameters whose values are secrets and so are stored nowhere, and of those that
        are none although their name (``password``, ``…_token`` and the like) says so.

    Raises
    ------
    NotebookError
        If the file is not a notebook.
    CheckError
        If the notebook has errors; the message has all of them. Nothing was started.
    UsageError
        If a parameter, step or option does not exist or fit, or this is called inside a step.
    InfrastructureError
        If the disk cannot be written, or the run's driver dies while this waits.

    Examples
    --------
    >>> import kfnb
    >>> run = kfnb.run("train.ipynb", {"lr": 0.5})
    >>> run.status
    'succeeded'
    >>> run.steps["train"].outputs["model"]
    [0.5, 1.0, 1.5]
    >>> run.metrics
    {'loss': 0.25}
    """
    # Imported late: reading a notebook must not load the engine.
    from kfnb.api.run_handle import Run

    refuse_inside_a_step()
    # Errors before the folder is created, so that a failed call leaves nothing behind.
    pipeline = read(path)
    if pipeline.errors:
        raise CheckError("\n".join(str(d) for d in pipeline.errors))
    folder = create(
        pipeline,
        from_values(pipeline.parameters, parameters),
        target=target,
        parallel=parallel,
        retries=retries,
        timeout=timeout,
        name=name,
        cache=cache,
        from_step=from_step,
        only_step=only_step,
        on_failure=on_failure,
        on_mutation=on_mutation,
        overwrite_files=overwrite_files,
        mask=mask,
        no_mask=no_mask,
        target_options=options,
    )
    from kfnb.runners import start_driver

    # The driver's pid shows at once if it dies before it writes anything.
    started = Run(folder, driver=start_driver(folder))
    if wait:
        try:
            started.wait()
        except KeyboardInterrupt:
            # Nobody will look after this run if the program that started it was interrupted.
            started.stop()
            raise
    return started


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that is decided about a new run before its folder is created.

    Parameters
    ----------
    parameters
        Values that replace defaults.
    options
        Entries for ``run.json`` about ``from_step`` and ``only_step``.
    prepared
        What the target needs: its options, the code bundle, and findings.
    begin
        Writes further events after ``RunCreated``.
    mask, no_mask
        As for :func:`run`.
    """

    pipeline: Pipeline
    parameters: Mapping[str, Any]
    settings: Settings
    target: str
    name: str | None
    options: Mapping[str, Any]
    prepared: Prepared
    begin: Begin | None
    mask: tuple[str, ...] = ()
    no_mask: tuple[str, ...] = ()


def plan_run(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    *,
    target: str = "local",
    name: str | None = None,
    from_step: str | None = None,
    only_step: str | None = None,
    target_options: Mapping[str, Any] | None = None,
    mask: Collection[str] = (),
    no_mask: Collection[str] = (),
    facts: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RunPlan:
    """Decide everything about a new run of ``pipeline``; parameters as for :func:`run`.

    ``facts`` are further entries for its ``run.json``.
    """
    from kfnb.runners.target import check_names, find_target

    where = find_target(target)
    check_names(target, target_options or {})
    # First of all, because it is what can fail: a missing kernel, image or file.
    prepared = where.prepare(pipeline, parameters, target_options or {})
    if facts:
        prepared = dataclasses.replace(prepared, facts={**prepared.facts, **facts})
    # The default depends on the target: cores of this machine mean nothing on a cluster.
    if settings.get("parallel") is None:
        settings["parallel"] = where.parallel()
    checked = run_settings(**settings)
    options: dict[str, Any] = {}
    begin: Begin | None = None
    if from_step is not None and only_step is not None:
        raise UsageError("Use either from_step or only_step, not both.")
    if from_step is not None:
        checked = _from(pipeline, from_step, checked)
        options = {"from": from_step}
    if only_step is not None:
        only = _only(pipeline, only_step, parameters, {"target": target, **prepared.facts})
        # A cached result would defeat the purpose of --only.
        checked = dataclasses.replace(checked, force=(only_step,))
        pipeline, options, begin = only.pipeline, only.options(), only.begin
    begin = _begin(begin, prepared.findings)
    return RunPlan(
        pipeline,
        parameters,
        checked,
        target,
        name,
        options,
        prepared,
        begin,
        tuple(mask),
        tuple(no_mask),
    )


def create(pipeline: Pipeline, parameters: Mapping[str, Any], **options: Any) -> RunFolder:
    """Create the folder of a new run; nothing executes yet. Options as for :func:`plan_run`."""
    from kfnb.runners import create_run

    plan = plan_run(pipeline, parameters, **options)
    return create_run(
        plan.pipeline,
        parameters=plan.parameters,
        settings=plan.settings,
        name=plan.name,
        target=plan.target,
        options=plan.options,
        begin=plan.begin,
        prepared=plan.prepared,
        mask=plan.mask,
        no_mask=plan.no_mask,
    )


def objects(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    *,
    target: str,
    target_options: Mapping[str, Any],
    timeout: float | str | None = None,
) -> list[dict[str, Any]]:
    """List the objects that a run would have on its target; nothing is created."""
    from kfnb.runners.parameters import check_parameters
    from kfnb.runners.target import check_names, find_target

    check_names(target, target_options)
    check_parameters(pipeline.parameters, parameters)
    limit = None if timeout is None else seconds(timeout)
    return find_target(target).preview(pipeline, parameters, target_options, timeout=limit)


def target_findings(pipeline: Pipeline, target: str) -> tuple[Diagnostic, ...]:
    """Return what a notebook's steps will miss on a target.

    Raises
    ------
    UsageError
        If the target's options in the notebook or in the configuration file do not fit, or a file
        that they name does not exist.
    """
    from kfnb.runners.target import find_target

    return find_target(target).check(pipeline, {})


def _begin(begin: Begin | None, findings: tuple[Diagnostic, ...]) -> Begin | None:
    """Make findings about the target the run's first warnings, so that every view shows them."""
    if not findings:
        return begin

    def write(journal: Journal, created: Event, folder: RunFolder) -> None:
        from kfnb.engine.core.event_types import warning

        for diagnostic in findings:
            journal.append(warning(diagnostic), diagnostic.step)
        if begin is not None:
            begin(journal, created, folder)

    return write


def refuse_inside_a_step() -> None:
    """Refuse to run pipelines from the code of a step; raises UsageError."""
    # Set in the environment of every step.
    step = os.environ.get("KFNB_STEP")
    if step is not None:
        raise UsageError(
            f'kfnb.run was called inside step "{step}", and a step cannot start a pipeline. Tag '
            "the cell that calls it: skip"
        )


def _only(
    pipeline: Pipeline, step: str, parameters: Mapping[str, Any], run_facts: Mapping[str, Any]
) -> OnlyStepPlan:
    from kfnb.api.only_step import plan_only_step

    if step not in pipeline.steps:
        raise UsageError(no_such_step(pipeline.steps, step))
    if pipeline.errors:
        raise CheckError("\n".join(str(d) for d in pipeline.errors))
    return plan_only_step(pipeline, step, parameters, run_facts=run_facts)


def _from(pipeline: Pipeline, step: str, settings: Settings) -> Settings:
    from kfnb.engine.core.plan import Plan

    if step not in pipeline.steps:
        raise UsageError(no_such_step(pipeline.steps, step))
    return dataclasses.replace(settings, force=Plan.of(pipeline).downstream([step]))
