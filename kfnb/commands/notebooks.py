"""Checking a notebook and drawing its pipeline, without running it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kfnb.commands.target_options import on_option
from kfnb.commands.terminal import can_draw, echo_diagnostics, echo_json
from kfnb.runners.amounts import count

if TYPE_CHECKING:
    from kfnb.pipeline import Diagnostic, Edge, Pipeline


def check_options() -> list[click.Parameter]:
    """Make the options of ``check``."""
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print the diagnostics as JSON."),
        click.Option(
            ["--verify"],
            is_flag=True,
            help="Execute the notebook once from top to bottom and once as a pipeline, and compare "
            "every value that flows and every cell's text.",
        ),
        on_option(
            "Also report what the notebook needs and this target does not have [default: local]."
        ),
    ]


def show_options() -> list[click.Parameter]:
    """Make the options of ``show`` that choose the form of the drawing."""
    return [
        click.Option(["--dot", "as_dot"], is_flag=True, help="Print the graph as Graphviz's DOT."),
        click.Option(
            ["--svg"],
            type=click.Path(dir_okay=False, allow_dash=True),
            help="Write the graph as SVG to this file (- for stdout); needs the program dot.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the pipeline as JSON."),
    ]


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a notebook found.

    Parameters
    ----------
    ok
        Whether there are no errors, and nothing differed if both ways were compared.
    verified
        A sentence about the comparison of notebook and pipeline; empty if there was none.
    """

    diagnostics: tuple[Diagnostic, ...]
    ok: bool
    verified: str = ""


def check_notebook(pipeline: Pipeline, *, verify: bool, target: str) -> Checked:
    """Check a notebook that was read from a file; ``verify`` executes it twice."""
    from kfnb.api.launch import target_findings

    diagnostics = pipeline.diagnostics
    ok, verified = not pipeline.errors, ""
    if verify:
        from kfnb.verify import verify as compare_both_ways

        # Its diagnostics include those of reading the notebook.
        report = compare_both_ways(str(pipeline.path))
        diagnostics, ok = report.diagnostics, report.ok
        if report.linear is not None:
            verified = (
                f"executed from top to bottom ({report.linear}) and as a pipeline "
                f"({report.status}): the output of {report.cells} cells and {report.values} "
                "values are equal"
            )
    of_target = target_findings(pipeline, target)
    ok = ok and all(d.severity != "error" for d in of_target)
    return Checked((*diagnostics, *of_target), ok, verified)


def counted(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many errors and warnings there are: ``no errors, 2 warnings``."""
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = sum(d.severity == "warning" for d in diagnostics)
    counts = ((errors, "error"), (warnings, "warning"))
    return ", ".join(count(number, noun) if number else f"no {noun}s" for number, noun in counts)


def print_pipeline(
    pipeline: Pipeline, *, as_dot: bool, svg: str | None, as_json: bool, run_name: str | None
) -> None:
    """Print or write a pipeline in the form that was asked for.

    Parameters
    ----------
    run_name
        With DOT or SVG: a run whose statuses colour the steps.

    Raises
    ------
    click.UsageError
        If more than one form was asked for.
    InfrastructureError
        If a file cannot be written.
    """
    from kfnb import draw
    from kfnb.api import json_output

    if sum([as_dot, svg is not None, as_json]) > 1:
        raise click.UsageError(
            "--dot, --svg and --json exclude each other", click.get_current_context()
        )
    if as_json:
        echo_json(json_output.show(pipeline))
        return
    if as_dot or svg is not None:
        statuses, edges = _seen_in_run(run_name, pipeline)
        if as_dot:
            click.echo(draw.dot(pipeline, statuses, more_edges=edges), nl=False)
        else:
            _write(str(svg), draw.svg(pipeline, statuses, more_edges=edges))
        return
    import shutil

    # Without a terminal, COLUMNS or 100 columns.
    width = shutil.get_terminal_size((100, 24)).columns
    strokes = draw.UNICODE if can_draw(sys.stdout) else draw.ASCII
    click.echo(draw.text(pipeline, width=width, line=strokes))
    echo_diagnostics(pipeline.diagnostics, err=True)


def _seen_in_run(
    run_name: str | None, pipeline: Pipeline
) -> tuple[dict[str, str] | None, list[Edge]]:
    """Return what a run adds to the drawing: statuses, and edges that only it showed."""
    if run_name is None:
        return None, []
    from kfnb.api.run_lookup import find_run
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Edge

    view = RunView(find_run(run_name))
    view.update()
    statuses = {name: s.status for (name, _), s in view.state.steps.items()}
    edges = [
        Edge(e.source, e.target, tuple(e.names), tuple(e.files)) for e in view.state.edges.values()
    ]
    return {name: statuses.get(name, "pending") for name in pipeline.steps}, edges


def _write(path: str, text: str) -> None:
    from kfnb.errors import InfrastructureError

    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InfrastructureError(f"Cannot write {path}: {reason}.") from error
