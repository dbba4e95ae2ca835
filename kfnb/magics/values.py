"""``%pipeline load``: a value of a run, brought into the live kernel."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from kfnb.draw import visible
from kfnb.errors import KfnbError
from kfnb.magics.arguments import notebook_option, run_option, step_argument, with_session
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
  %pipeline load train            # all that the step published"""
)
@step_argument(required=True, kind=names_of_values)
@click.option("--as", "new_name", metavar="NAME", help="Call it so [default: its own name].")
@run_option
@notebook_option
@with_session
def load(
    session: Session,
    words: tuple[str, ...],
    new_name: str | None,
    run: str | None,
    notebook: str | None,
) -> None:
    """Bring an output of a run into this kernel, under its own name."""
    from kfnb.api.run_handle import Run

    found = Run(session.run(run, notebook))
    step, names = _meant(found, " ".join(words))
    if new_name is not None:
        if not new_name.isidentifier() or keyword.iskeyword(new_name):
            raise PipelineError(f'"{new_name}" is no name of a variable.')
        if len(names) != 1:
            raise PipelineError(f"--as names one value; the step has {', '.join(names)}.")
    outputs = found.steps[step].outputs
    loaded, refused = {}, []
    for name in names:
        try:
            loaded[new_name or name] = outputs[name]
        except KfnbError as error:
            if len(names) == 1:
                raise
            refused.append(str(error))
    said = (
        f"{new_name or name}: {_about(outputs.describe(name))}"
        for name in names
        if (new_name or name) in loaded
    )
    bind(session, loaded, said)
    session.note(f'from step "{step}" of run {found.id}')
    for text in refused:
        session.note(text)


def bind(session: Session, values: Mapping[str, Any], said: Iterable[str]) -> None:
    """Give values their names in the user's kernel, and tell what they are."""
    replaced = [name for name in values if name in session.variables]
    session.shell.push(dict(values))
    for line in said:
        print(f"  {visible(line)}")
    if replaced:
        were = "was" if len(replaced) == 1 else "were"
        session.note(f"{', '.join(replaced)} {were} bound here before.")


def in_words(status: str) -> str:
    """Say how a step or run is, or was.

    >>> in_words("failed"), in_words("running")
    ('it failed', 'it is running')
    """
    return _STATES.get(status, f"it is {status}")


def _meant(run: Run, text: str) -> tuple[str, list[str]]:
    """Understand ``STEP.NAME`` or ``STEP``: the names of steps may have dots too."""
    if text in run.steps:
        names = list(run.steps[text].outputs)
        if not names:
            raise PipelineError(_published_nothing(run, text))
        return text, names
    at = [n for n, letter in enumerate(text) if letter == "." and text[:n] in run.steps]
    if not at:
        step = text.rpartition(".")[0] or text
        listed = ", ".join(f'"{name}"' for name in run.steps)
        hint = did_you_mean(step, run.steps, f"It has: {listed}.")
        raise PipelineError(
            f'There is no step "{step}" in run {run.id}. {hint} Write STEP.NAME, as in train.model.'
        )
    step, name = text[: at[-1]], text[at[-1] + 1 :]
    outputs = run.steps[step].outputs
    if name in outputs:
        return step, [name]
    if not outputs:
        raise PipelineError(_published_nothing(run, step))
    hint = did_you_mean(name, outputs, f"It published: {', '.join(outputs)}.")
    raise PipelineError(f'Step "{step}" of run {run.id} published no "{name}". {hint}')


def _published_nothing(run: Run, step: str) -> str:
    status = run.steps[step].status
    done = status in ("succeeded", "cached")
    because = "no later step needs a value of it" if done else in_words(status)
    return f'Step "{step}" of run {run.id} published nothing: {because}.'


def _about(described: Mapping[str, Any]) -> str:
    shape = " × ".join(map(str, described["shape"] or ()))
    return f"{described['type']} ({shape})" if shape else str(described["type"])
