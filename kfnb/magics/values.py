"""``%pipeline load``: load a value of a run into the live kernel."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from kfnb.draw import visible
from kfnb.errors import KfnbError
from kfnb.magics.arguments import notebook_option, pass_session, run_option, step_argument
from kfnb.magics.arguments import values as names_of_values
from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session
from kfnb.notebook.suggestions import did_you_mean

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run

_STATES = {
    "failed": "it failed",
    "succeeded": "it succeeded",
    "cached": "it came from the cache",
    "skipped": "it was skipped",
    "cancelled": "it was stopped",
}


@click.command(
    epilog="""\b
Examples:
  %pipeline load train.model
  %pipeline load train.model --as before --run 20261123-0512
  %pipeline load train            # all outputs of the step"""
)
@step_argument(required=True, kind=names_of_values)
@click.option(
    "--as", "new_name", metavar="NAME", help="The variable's name [default: the output's]."
)
@run_option
@notebook_option
@pass_session
def load(
    session: Session,
    words: tuple[str, ...],
    new_name: str | None,
    run: str | None,
    notebook: str | None,
) -> None:
    """Load an output of a run into a variable of this kernel."""
    from kfnb.api.run_handle import Run

    source_run = Run(session.run(run, notebook))
    step, names = _parse_output_name(source_run, " ".join(words))
    if new_name is not None:
        if not new_name.isidentifier() or keyword.iskeyword(new_name):
            raise PipelineError(f'"{new_name}" is not a valid variable name.')
        if len(names) != 1:
            raise PipelineError(
                f"--as needs one output, but the step has {', '.join(names)}: write STEP.NAME."
            )
    outputs = source_run.steps[step].outputs
    loaded, failed = {}, []
    for name in names:
        try:
            loaded[new_name or name] = outputs[name]
        except KfnbError as error:
            # If a person asks for one value, its failure is the command's failure.
            if len(names) == 1:
                raise
            failed.append(str(error))
    lines = (
        f"{new_name or name}: {_describe(outputs.describe(name))}"
        for name in names
        if (new_name or name) in loaded
    )
    assign(session, loaded, lines)
    session.note(f'from step "{step}" of run {source_run.id}')
    for text in failed:
        session.note(text)


def assign(session: Session, values: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Assign values to the user's variables, and print a line about each."""
    # Before the assignment, after which all of them exist.
    replaced = [name for name in values if name in session.variables]
    session.shell.push(dict(values))
    for line in lines:
        print(f"  {visible(line)}")
    if replaced:
        plural = "" if len(replaced) == 1 else "s"
        session.note(f"Replaced your variable{plural} {', '.join(replaced)}.")


def describe_status(status: str) -> str:
    """Describe the status of a step or run.

    >>> describe_status("failed"), describe_status("running")
    ('it failed', 'it is running')
    """
    return _STATES.get(status, f"it is {status}")


def _parse_output_name(run: Run, text: str) -> tuple[str, list[str]]:
    """Split ``STEP.NAME`` or ``STEP`` into step and outputs; names of steps may have dots."""
    if text in run.steps:
        names = list(run.steps[text].outputs)
        if not names:
            raise PipelineError(_published_nothing(run, text))
        return text, names
    dots = [n for n, letter in enumerate(text) if letter == "." and text[:n] in run.steps]
    if not dots:
        step = text.rpartition(".")[0] or text
        listed = ", ".join(f'"{name}"' for name in run.steps)
        hint = did_you_mean(step, run.steps, f"It has: {listed}.")
        raise PipelineError(
            f'There is no step "{step}" in run {run.id}. {hint} Write STEP.NAME, as in train.model.'
        )
    # The last dot that follows a step's name: such a name may contain dots itself.
    step, name = text[: dots[-1]], text[dots[-1] + 1 :]
    outputs = run.steps[step].outputs
    if name in outputs:
        return step, [name]
    if not outputs:
        raise PipelineError(_published_nothing(run, step))
    hint = did_you_mean(name, outputs, f"Its outputs: {', '.join(outputs)}.")
    raise PipelineError(f'Step "{step}" of run {run.id} has no output "{name}". {hint}')


def _published_nothing(run: Run, step: str) -> str:
    status = run.steps[step].status
    done = status in ("succeeded", "cached")
    because = ("no later step uses a value that it assigns") if done else describe_status(status)
    return f'Step "{step}" of run {run.id} has no outputs: {because}.'


def _describe(described: Mapping[str, Any]) -> str:
    shape = " × ".join(map(str, described["shape"] or ()))
    return f"{described['type']} ({shape})" if shape else str(described["type"])
