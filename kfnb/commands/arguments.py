"""Types of arguments, with what Tab completes for each."""
# ruff: noqa: ARG002 (the signatures are click's)

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kfnb.errors import UsageError

if TYPE_CHECKING:  # generic since click 8.4, for type checkers only
    _Text = click.ParamType[str]
    _Seconds = click.ParamType[float]
else:
    _Text = _Seconds = click.ParamType


class RunName(_Text):
    """A run: its id, the beginning of one, ``latest``, or a notebook's path."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete ids, ``latest`` and notebooks."""
        from kfnb.api.run_lookup import LATEST, run_folders

        with contextlib.suppress(Exception):
            ids = [LATEST, *(run.id for run in run_folders())]
            fitting = [CompletionItem(i) for i in ids if i.startswith(incomplete)]
            return fitting + _notebooks(incomplete)
        return []


class StepName(_Text):
    """A step of the run or notebook that the words before it name."""

    name = "step"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the steps of the run or notebook."""
        with contextlib.suppress(Exception):
            names = _steps(ctx.params)
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return []


class NotebookPath(_Text):
    """A notebook's path."""

    name = "notebook"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete notebooks and folders."""
        return _notebooks(incomplete)


class Duration(_Seconds):
    """``90`` (seconds), ``30m``, ``1h30m``, ``7d``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it in seconds."""
        from kfnb.api.run_settings import seconds

        try:
            return seconds(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


def run_or_latest(name: str | None) -> str:
    """Return the run that a command names, or the latest one, which a line on stderr names."""
    from kfnb.api.run_lookup import LATEST, facts, find_run
    from kfnb.draw import visible

    if name is not None:
        return name
    run = find_run(LATEST)
    known = facts(run)
    title = visible(str(known.get("notebook") or known.get("name") or run.id))
    click.echo(f"the latest run: {run.id} of {title}", err=True)
    return run.id


def number_option(name: str, *, help: str, least: int = 0) -> click.Option:  # noqa: A002
    """Make an option that takes a whole number, N."""
    return click.Option([name], type=click.IntRange(min=least), metavar="N", help=help)


def duration_option(name: str, *, help: str) -> click.Option:  # noqa: A002 (click's name)
    """Make an option that takes a duration, TIME."""
    return click.Option([name], type=Duration(), metavar="TIME", help=help)


def _notebooks(incomplete: str) -> list[CompletionItem]:
    folder, _, begin = incomplete.rpartition("/")
    listed = Path(folder or ("/" if incomplete.startswith("/") else ".")).expanduser()
    items = []
    with contextlib.suppress(OSError):
        for entry in sorted(listed.iterdir()):
            shown = f"{folder}/{entry.name}" if "/" in incomplete else entry.name
            if not entry.name.startswith(begin) or entry.name.startswith("."):
                continue
            if entry.suffix == ".ipynb":
                items.append(CompletionItem(shown))
            elif entry.is_dir():
                items.append(CompletionItem(f"{shown}/"))
    return items


def _steps(params: dict[str, Any]) -> list[str]:
    if params.get("run"):
        from kfnb.api.run_lookup import find_run

        plain = json.loads(find_run(params["run"]).pipeline.read_bytes())
        return list(plain["steps"])
    from kfnb.api.launch import read

    return list(read(params["notebook"]).steps)
