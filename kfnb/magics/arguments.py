"""Arguments of several commands of ``%pipeline``, with what Tab completes for them."""
# ruff: noqa: ARG002 (the signatures are click's)

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kfnb.commands.arguments import RunName as _RunName
from kfnb.commands.arguments import StepName
from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session

if TYPE_CHECKING:  # generic since click 8.4, for type checkers only
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType

Names = Callable[[Session, dict[str, Any]], Iterable[str]]


def with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the session as its first argument."""
    return click.make_pass_decorator(Session)(function)


class Name(_Text):
    """A name out of those that the notebook, or the run that is meant, has."""

    name = "name"

    def __init__(self, names: Names) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name; of one with spaces the words that stand there are its beginning."""
        found = []
        with contextlib.suppress(Exception):
            before = ctx.params.get(param.name or "") if param.nargs == -1 else None
            begun = "".join(f"{word} " for word in before or ())
            session = ctx.find_object(Session)
            assert session is not None
            fitting = (
                n for n in self._names(session, ctx.params) if n.startswith(begun + incomplete)
            )
            found += [CompletionItem(name[len(begun) :]) for name in fitting]
        return found


class RunName(_RunName):
    """A run: its id, the beginning of one, ``latest``; those of this notebook are completed."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete ``latest`` and the ids of this notebook's runs."""
        found = ["latest"]
        with contextlib.suppress(Exception):
            session = ctx.find_object(Session)
            assert session is not None
            found += [run.id for run in session.runs(ctx.params.get("notebook"), most=50)]
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def steps(session: Session, params: dict[str, Any]) -> list[str]:
    """List the steps of the run that is meant, or of the notebook."""
    from kfnb.magics.completion import declared_steps, steps_of_run

    if "run" in params:
        with contextlib.suppress(PipelineError):  # there was none yet
            return steps_of_run(session.run(params["run"], params.get("notebook")))
    return declared_steps(session, params.get("notebook"))


def parameters(session: Session, params: dict[str, Any]) -> list[str]:
    """List the parameters of the notebook, as far as one types them without its value."""
    from kfnb.api.launch import read

    path = session.place(params.get("notebook")).path
    return [f"{parameter.name}=" for parameter in read(path).parameters]


def values(session: Session, params: dict[str, Any]) -> list[str]:
    """List the values of the run that is meant, as ``STEP.NAME``."""
    from kfnb.api.run_handle import Run

    run = Run(session.run(params.get("run"), params.get("notebook")))
    return [f"{name}.{value}" for name, step in run.steps.items() for value in step.outputs]


def notebook_option(command: Any) -> Any:
    """Add ``--notebook PATH``."""
    from kfnb.commands.arguments import NotebookPath

    return click.option(
        "--notebook",
        type=NotebookPath(),
        metavar="PATH",
        help="The notebook, where it is not this one or cannot be found.",
        is_eager=True,  # what is completed after it depends on it
    )(command)


def run_option(command: Any) -> Any:
    """Add ``--run RUN``."""
    return click.option(
        "--run",
        type=RunName(),
        metavar="RUN",
        help="Of this run [default: the latest].",
        is_eager=True,
    )(command)


def step_argument(required: bool, kind: Names = steps) -> Callable[[Any], Any]:
    """Add the words of a step's name (or of what else ``kind`` lists)."""
    return click.argument(
        "words",
        nargs=-1,
        required=required,
        type=Name(kind),
        metavar="STEP" if kind is steps else "STEP.NAME",
    )


def with_options(
    options: Sequence[click.Parameter], *, without: Iterable[str] = ()
) -> Callable[[Any], Any]:
    """Add options that the command line has too; steps and parameters complete as here.

    Parameters
    ----------
    without
        Names of parameters that have no use in a notebook.
    """
    left_out = set(without)

    def decorated(function: Any) -> Any:
        own = function.__dict__.setdefault("__click_params__", [])
        for option in reversed(options):  # decorators are read from the last one up
            if option.name in left_out:
                continue
            if isinstance(option.type, StepName):
                option.type = Name(steps)
            elif option.name == "pairs":
                option.type = Name(parameters)
            own.append(option)
        return function

    return decorated
