"""``kfnb check`` and ``kfnb show``: what a notebook is, without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kfnb.cli.arguments import NotebookPath
from kfnb.cli.common import can_draw, echo_diagnostics, echo_json
from kfnb.runners.target import LOCAL, target_names

if TYPE_CHECKING:
    from kfnb.pipeline import Edge, Pipeline


@click.command(
    epilog="""\b
Examples:
  kfnb check train.ipynb
  kfnb check train.ipynb --json | jq '.[].code'
  kfnb check train.ipynb --verify      # executes it twice and compares
  kfnb check train.ipynb --on kubernetes

Exit code 0 if there are no errors (warnings do not count), 2 if there are."""
)
@click.argument("notebook", type=NotebookPath())
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.option(
    "--verify",
    is_flag=True,
    help="Execute the notebook once from top to bottom and once as a pipeline, and compare "
    "every value that flows and every cell's text.",
)
@click.option(
    "--on",
    "target",
    type=click.Choice(target_names()),
    default=LOCAL,
    help="Where it is to run: what will not be there is said too [default: local].",
)
def check(notebook: str, as_json: bool, verify: bool, target: str) -> int:
    """Say what is wrong with NOTEBOOK: all of it, with cell, line and remedy."""
    from kfnb.api import json_output
    from kfnb.api.launch import read, refuse_inside_a_step, target_findings

    said = ""
    pipeline = None
    if verify:
        from kfnb.verify import verify as verified

        refuse_inside_a_step()
        report = verified(notebook)
        diagnostics = report.diagnostics
        if report.linear is not None:
            said = (
                f"executed from top to bottom ({report.linear}) and as a pipeline "
                f"({report.status}): {report.cells} cells and {report.values} values are equal"
            )
        good = report.ok
    else:
        pipeline = read(notebook)
        diagnostics = pipeline.diagnostics
        good = not any(d.severity == "error" for d in diagnostics)
    diagnostics = (*diagnostics, *target_findings(pipeline or read(notebook), target))
    if as_json:
        echo_json(json_output.check(diagnostics))
        return 0 if good else 2
    echo_diagnostics(diagnostics, err=False)
    if said:
        click.echo(said)
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = len(diagnostics) - errors
    click.echo(f"{notebook}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 0 if good else 2


@click.command(
    epilog="""\b
Examples:
  kfnb show train.ipynb
  kfnb show train.ipynb --svg pipeline.svg
  kfnb show train.ipynb --dot --run latest | dot -Tpng > pipeline.png
  kfnb show train.ipynb --json

A name on an edge is a value that flows, "file" a path that one step writes and the
other reads, "after" a tag."""
)
@click.argument("notebook", type=NotebookPath())
@click.option("--dot", "as_dot", is_flag=True, help="Print the graph in Graphviz's language.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the graph as SVG to this file (- for stdout); needs the program dot.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the pipeline as JSON.")
@click.option(
    "--run", "run_name", help="With --dot or --svg: colour the steps by their status in this run."
)
def show(notebook: str, as_dot: bool, svg: str | None, as_json: bool, run_name: str | None) -> int:
    """Draw the pipeline of NOTEBOOK: its steps, and why each edge is there."""
    from kfnb import draw
    from kfnb.api import json_output
    from kfnb.api.launch import read

    if sum([as_dot, svg is not None, as_json]) > 1:
        raise click.UsageError(
            "--dot, --svg and --json exclude each other", click.get_current_context()
        )
    pipeline = read(notebook)
    if as_json:
        echo_json(json_output.show(pipeline))
        return 0
    if as_dot or svg is not None:
        statuses, edges = _seen(run_name, pipeline)
        if as_dot:
            click.echo(draw.dot(pipeline, statuses, more_edges=edges), nl=False)
        else:
            drawn = draw.svg(pipeline, statuses, more_edges=edges)
            _write(str(svg), drawn)
        return 0
    import shutil

    width = shutil.get_terminal_size((100, 24)).columns
    strokes = draw.UNICODE if can_draw(sys.stdout) else draw.ASCII
    click.echo(draw.text(pipeline, width=width, line=strokes))
    echo_diagnostics(pipeline.diagnostics, err=True)
    return 0


def _seen(run_name: str | None, pipeline: Pipeline) -> tuple[dict[str, str] | None, list[Edge]]:
    """Return what a run adds to the drawing: statuses, and edges that only it showed."""
    if run_name is None:
        return None, []
    from kfnb.api.run_lookup import find_run
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Edge

    view = RunView(find_run(run_name))
    view.update()
    statuses = {name: s.status for (name, _), s in view.state.steps.items()}
    found = view.state.edges.values()
    edges = [Edge(e.source, e.target, tuple(e.names), tuple(e.files)) for e in found]
    return {name: statuses.get(name, "pending") for name in pipeline.steps}, edges


def _write(path: str, drawn: str) -> None:
    from kfnb.errors import InfrastructureError

    if path == "-":
        click.echo(drawn, nl=False)
        return
    try:
        Path(path).write_text(drawn, "utf-8")
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise InfrastructureError(f"Cannot write {path}: {said}.") from error


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
