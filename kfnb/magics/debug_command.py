"""``%pipeline debug``: load a failed step's inputs and parameters into the live kernel."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from kfnb.draw import shortened, visible
from kfnb.errors import KfnbError
from kfnb.magics.arguments import notebook_option, pass_session, run_option, step_argument
from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session
from kfnb.magics.values import assign, describe_status
from kfnb.masked_parameters import MASK

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.state import StepState
    from kfnb.pipeline import Parameter

_LONGEST = 60


@click.command(
    epilog="""\b
Examples:
  %pipeline debug                 # the step that failed in the latest run
  %pipeline debug train --run 20261123-0512"""
)
@step_argument(required=False)
@run_option
@notebook_option
@pass_session
def debug(session: Session, words: tuple[str, ...], run: str | None, notebook: str | None) -> None:
    """Load the inputs and parameters of a failed STEP into this kernel; say where it failed."""
    from kfnb.api.run_handle import Run
    from kfnb.api.run_view import RunView

    view = RunView(session.run(run, notebook))
    view.update()
    state = _choose_step(view, " ".join(words) or None)
    step = view.pipeline.steps[state.name]
    print("\n".join(_failure_lines(view, state)))
    sources = {
        **step.inputs,
        **{
            name: source.step if source else None
            for name, source in state.inputs.items()
            # The last step that adds to a collected value publishes all of it for views.
            if name.isidentifier() and name not in step.collects
        },
    }
    inputs, missing = _load_inputs(Run(view.folder), sources)
    overridden = view.state.info.parameters
    masked = {name for name in view.about.get("masked") or () if overridden.get(name) == MASK}
    parameters = {
        p.name: _value(p, overridden)
        for p in view.pipeline.parameters
        # A parameter that an earlier step reassigned is one of the inputs.
        if p.name in step.parameters and p.name not in inputs and p.name not in masked
    }
    missing += [
        f'"{name}" is masked, so its value was not stored: assign it yourself.'
        for name in step.parameters
        if name in masked
    ]
    lines = [
        f"{name} = {shortened(repr(v), _LONGEST)}  (parameter)" for name, v in parameters.items()
    ]
    lines += [f'{n}: {type(v).__name__}  (from step "{sources[n]}")' for n, v in inputs.items()]
    if lines:
        assign(session, {**parameters, **inputs}, lines)
    elif not missing:
        print("The step has no inputs and no parameters.")
    for line in missing:
        session.note(line)
    cells = ", ".join(view.pipeline.cells[n].location() for n in step.cells)
    print(f"Execute {cells} to reproduce the error; in a new kernel the setup cells first.")


def _choose_step(view: RunView, name: str | None) -> StepState:
    from kfnb.api.step_lookup import no_such_step

    steps = {key[0]: state for key, state in view.state.steps.items()}
    failed = [state for state in steps.values() if state.status == "failed"]
    if name is None:
        if failed:
            return failed[0]
        raise PipelineError(
            f"No step of run {view.folder.id} failed: {describe_status(view.state.status)}. Give "
            "the name of the step whose inputs you want to load."
        )
    if name not in steps:
        raise PipelineError(no_such_step(view.pipeline.steps, name))
    state = steps[name]
    if state.status in ("pending", "skipped", "cancelled") and not state.attempts:
        hint = (f' The failed step is "{failed[0].name}".') if failed else ""
        raise PipelineError(
            f'Step "{name}" of run {view.folder.id} did not start: '
            f"{describe_status(state.status)}.{hint}"
        )
    return state


def _failure_lines(view: RunView, state: StepState) -> Iterator[str]:
    """Say why the step failed and where, with the source lines."""
    from kfnb.api.use_cases.run_summary import brief, source

    begin = f'step "{visible(state.name)}" of run {view.folder.id}'
    record = state.error
    if record is None:
        yield f"{begin} did not fail: {describe_status(state.status)}."
        return
    cell, line = record.cell, record.line
    yield f"{begin} failed: {brief(record, state.name)}"
    yield from source(view, cell, line)


def _load_inputs(run: Run, sources: Mapping[str, str | None]) -> tuple[dict[str, Any], list[str]]:
    """Load the inputs of a step; return them and a sentence for each that cannot be loaded."""
    inputs: dict[str, Any] = {}
    missing: list[str] = []
    for name, producer in sources.items():
        if producer is None:
            continue  # the step began without it
        step = run.steps[producer]
        try:
            inputs[name] = step.outputs[name]
        except KeyError:
            if step.status not in ("succeeded", "cached"):
                why = describe_status(step.status)
                missing.append(f'"{name}" is missing; step "{producer}" computes it: {why}.')
        except KfnbError as error:
            missing.append(str(error))
    return inputs, missing


def _value(parameter: Parameter, overridden: Mapping[str, Any]) -> Any:
    """Return a parameter's value in the run; a default keeps its Python type."""
    if parameter.name in overridden:
        return overridden[parameter.name]
    try:
        return ast.literal_eval(parameter.expression)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return parameter.default
