"""Start a run, or go on with one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from kfnb.api.parameters import from_values
from kfnb.api.run_settings import run_settings, seconds
from kfnb.api.step_lookup import no_such_step
from kfnb.errors import CheckError, UsageError
from kfnb.pipeline import Diagnostic, Pipeline

if TYPE_CHECKING:
    from kfnb.api.only_step import Alone
    from kfnb.api.run_handle import Run
    from kfnb.engine.core.events import Event
    from kfnb.engine.core.settings import Settings
    from kfnb.engine.journal.file_journal import Journal
    from kfnb.home import RunFolder
    from kfnb.runners.launch import Begin


def read(path: str | os.PathLike[str]) -> Pipeline:
    """Read a notebook as a pipeline.

    Parameters
    ----------
    path
        The ``.ipynb`` file.

    Returns
    -------
    Pipeline
        Immutable. What is wrong with its cells stands in ``diagnostics``.

    Raises
    ------
    NotebookError
        If the file is not there or is no notebook; never for a bad cell.

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
    **options: Any,
) -> Run:
    """Run a notebook as a pipeline.

    The steps execute in processes of their own, driven by a process that outlives this
    one. A step that fails makes the run's ``status`` ``"failed"``, it does not raise.

    Parameters
    ----------
    path
        The notebook.
    parameters
        Values for the pipeline's parameters; the others keep their defaults.
    target
        Where the steps execute: ``"local"``, this machine.
    wait
        Return when the run has ended. Interrupting the wait stops the run.
    parallel
        Steps that may execute at once; by default the cores of this machine.
    retries
        How often a failing step is tried again, unless the step says so itself.
    timeout
        Seconds, or text such as ``"30m"``, that a step may take, unless it says so itself.
    name
        What the run is called; by default the pipeline's name.
    cache
        Whether results of earlier runs may be used.
    from_step
        This step and all that depend on it execute even if nothing changed.
    only_step
        This step alone executes, with its inputs from the last run of the notebook that has
        them.
    on_failure
        After a step failed: ``"finish"`` what does not depend on it, or ``"stop"``.
    on_mutation
        What a change that nobody could see in the source leads to if it came too late for
        a later step: ``"fail"``, or ``"warn"`` and go on.

    Raises
    ------
    NotebookError
        If the file is no notebook.
    CheckError
        If the notebook has errors; all of them are in the message. Nothing was started.
    UsageError
        If a parameter, step or option does not exist or fit, or this is called inside a step.
    InfrastructureError
        If the disk refuses, or the run's driver is lost while this waits.

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
    from kfnb.api.run_handle import Run

    refuse_inside_a_step()
    pipeline = read(path)
    if pipeline.errors:
        raise CheckError("\n".join(str(d) for d in pipeline.errors))
    folder = create(
        pipeline,
        from_values(pipeline, parameters),
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
        target_options=options,
    )
    from kfnb.runners import start_driver

    started = Run(folder, driver=start_driver(folder))
    if wait:
        try:
            started.wait()
        except KeyboardInterrupt:
            started.stop()
            raise
    return started


def create(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    *,
    target: str = "local",
    name: str | None = None,
    from_step: str | None = None,
    only_step: str | None = None,
    target_options: Mapping[str, Any] | None = None,
    **said: Any,
) -> RunFolder:
    """Make the folder of a new run of ``pipeline``; nothing executes yet. As :func:`run`."""
    from kfnb.runners import create_run
    from kfnb.runners.target import check_names, find_target

    where = find_target(target)
    check_names(target, target_options or {})
    prepared = where.prepare(pipeline, parameters, target_options or {})
    if said.get("parallel") is None:
        said["parallel"] = where.parallel()
    settings = run_settings(**said)
    options: dict[str, Any] = {}
    begin = None
    if from_step is not None and only_step is not None:
        raise UsageError("from_step and only_step exclude each other.")
    if from_step is not None:
        settings = _from(pipeline, from_step, settings)
        options = {"from": from_step}
    if only_step is not None:
        about = {"target": target, **prepared.facts}
        alone = _only(pipeline, only_step, parameters, about)
        settings = dataclasses.replace(settings, force=(only_step,))
        pipeline, options, begin = alone.pipeline, alone.options(), alone.begin
    return create_run(
        pipeline,
        parameters=parameters,
        settings=settings,
        name=name,
        target=target,
        options=options,
        begin=_begin(begin, prepared.findings),
        prepared=prepared,
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
    check_parameters(pipeline, parameters)
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
    """Have findings about the target among a run's first events: every view shows them."""
    if not findings:
        return begin

    def write(journal: Journal, created: Event, folder: RunFolder) -> None:
        for found in findings:
            data = {"code": found.code, "message": found.message, "remedy": found.remedy}
            journal.append("Warning", found.step, data)
        if begin is not None:
            begin(journal, created, folder)

    return write


def refuse_inside_a_step() -> None:
    """Refuse to run pipelines from the code of a step; raises UsageError."""
    step = os.environ.get("KFNB_STEP")
    if step is not None:
        raise UsageError(
            f'kfnb.run was called inside step "{step}" of a run: a pipeline does not start '
            "pipelines. Tag the cell that calls it with: skip"
        )


def _only(
    pipeline: Pipeline, step: str, parameters: Mapping[str, Any], about: Mapping[str, Any]
) -> Alone:
    from kfnb.api.only_step import alone

    if step not in pipeline.steps:
        raise UsageError(no_such_step(pipeline, step))
    if pipeline.errors:
        raise CheckError("\n".join(str(d) for d in pipeline.errors))
    return alone(pipeline, step, parameters, about=about)


def _from(pipeline: Pipeline, step: str, settings: Settings) -> Settings:
    from kfnb.engine.core.plan import Plan

    if step not in pipeline.steps:
        raise UsageError(no_such_step(pipeline, step))
    return dataclasses.replace(settings, force=Plan.of(pipeline).downstream([step]))
