"""Arguments shared by the commands of ``%pipeline``, with their completion."""
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


def pass_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the session to a command as its first argument."""
    return click.make_pass_decorator(Session)(function)


class Name(_Text):
    """The name of something that the notebook or the given run has."""

    name = "name"

    def __init__(self, names: Names) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name; earlier words are the beginning of a name with spaces."""
        candidates = []
        # Pressing Tab must not print an error.
        with contextlib.suppress(Exception):
            before = ctx.params.get(param.name or "") if param.nargs == -1 else None
            begun = "".join(f"{word} " for word in before or ())
            session = ctx.find_object(Session)
            assert session is not None
            fitting = (
                n for n in self._names(session, ctx.params) if n.startswith(begun + incomplete)
            )
            candidates += [CompletionItem(name[len(begun) :]) for name in fitting]
        return candidates


class RunName(_RunName):
    """A run, given by (the beginning of) its id or ``latest``."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete ``latest`` and the ids of this notebook's runs."""
        candidates = ["latest"]
        with contextlib.suppress(Exception):
            session = ctx.find_object(Session)
            assert session is not None
            # To read all runs would make completion slow.
            candidates += [run.id for run in session.runs(ctx.params.get("notebook"), most=50)]
        return [CompletionItem(name) for name in candidates if name.startswith(incomplete)]


def steps(session: Session, params: dict[str, Any]) -> list[str]:
    """List the steps of the given run, or of the notebook."""
    from kfnb.magics.completion import declared_steps, steps_of_run

    if "run" in params:
        with contextlib.suppress(PipelineError):  # the notebook has no run yet
            return steps_of_run(session.run(params["run"], params.get("notebook")))
    return declared_steps(session, params.get("notebook"))


def parameters(session: Session, params: dict[str, Any]) -> list[str]:
    """List the parameters of the notebook as ``NAME=``."""
    from kfnb.api.launch import read

    path = session.locate(params.get("notebook")).path
    return [f"{parameter.name}=" for parameter in read(path).parameters]


def values(session: Session, params: dict[str, Any]) -> list[str]:
    """List the values of the given run as ``STEP.NAME``."""
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
        help="The notebook [default: this one].",
        is_eager=True,  # later completions depend on it
    )(command)


def run_option(command: Any) -> Any:
    """Add ``--run RUN``."""
    return click.option(
        "--run",
        type=RunName(),
        metavar="RUN",
        help="The run [default: the latest].",
        is_eager=True,
    )(command)


def step_argument(required: bool, kind: Names = steps) -> Callable[[Any], Any]:
    """Add the words of a step's name, or of another name that ``kind`` lists."""
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
        Names of options that make no sense in a notebook.
    """
    left_out = set(without)

    def decorated(function: Any) -> Any:
        own = function.__dict__.setdefault("__click_params__", [])
        for option in reversed(options):  # as decorators are applied, last one first
            if option.name in left_out:
                continue
            if isinstance(option.type, StepName):
                option.type = Name(steps)
            elif option.name == "pairs":
                option.type = Name(parameters)
            own.append(option)
        return function

    return decorated
