"""``kfnb check``, ``kfnb show`` and ``kfnb suggest``: a notebook's pipeline, without running it."""

from __future__ import annotations

import click

from kfnb.commands.arguments import NotebookPath
from kfnb.commands.notebooks import (
    check_notebook,
    check_options,
    counted,
    print_pipeline,
    show_options,
)
from kfnb.commands.suggestion import print_suggestion, suggest_options
from kfnb.commands.terminal import echo_diagnostics, echo_json


@click.command(
    params=[click.Argument(["notebook"], type=NotebookPath()), *check_options()],
    epilog="""\b
Examples:
  kfnb check train.ipynb
  kfnb check train.ipynb --json | jq '.[].code'
  kfnb check train.ipynb --verify      # executes it twice and compares
  kfnb check train.ipynb --on kubernetes

The exit code is 0 if there are no errors (warnings do not count), otherwise 2.""",
)
def check(notebook: str, as_json: bool, verify: bool, target: str) -> int:
    """Find everything that is wrong with NOTEBOOK, with the cell and what to do."""
    from kfnb.api import json_output
    from kfnb.api.launch import read, refuse_inside_a_step

    # Verifying executes the pipeline, and the notebook would verify itself again.
    if verify:
        refuse_inside_a_step()
    report = check_notebook(read(notebook), verify=verify, target=target)
    if as_json:
        echo_json(json_output.check(report.diagnostics))
        # The list is complete even if there are errors, for programs that read it.
        return 0 if report.ok else 2
    echo_diagnostics(report.diagnostics, err=False)
    if report.verified:
        click.echo(report.verified)
    click.echo(f"{notebook}: {counted(report.diagnostics)}")
    return 0 if report.ok else 2


@click.command(
    params=[
        click.Argument(["notebook"], type=NotebookPath()),
        *show_options(),
        click.Option(
            ["--run", "run_name"],
            help="With --dot or --svg: colour the steps by their status in this run.",
        ),
    ],
    epilog="""\b
Examples:
  kfnb show train.ipynb
  kfnb show train.ipynb --svg pipeline.svg
  kfnb show train.ipynb --dot --run latest | dot -Tpng > pipeline.png
  kfnb show train.ipynb --json

A name on an edge is a value that flows, "file" is a path that one step writes and another
reads, "after" is a tag.""",
)
def show(notebook: str, as_dot: bool, svg: str | None, as_json: bool, run_name: str | None) -> int:
    """Draw the pipeline of NOTEBOOK: its steps, and the reason for each edge."""
    from kfnb.api.launch import read

    print_pipeline(read(notebook), as_dot=as_dot, svg=svg, as_json=as_json, run_name=run_name)
    return 0


@click.command(
    params=[click.Argument(["notebook"], type=NotebookPath()), *suggest_options()],
    epilog="""\b
Examples:
  kfnb suggest train.ipynb
  kfnb suggest train.ipynb --json

Nothing is executed or written; the side panel of JupyterLab writes the tags that you accept.""",
)
def suggest(notebook: str, as_json: bool) -> int:
    """Suggest how to split the untagged NOTEBOOK into steps, with the reason for each."""
    print_suggestion(notebook, as_json=as_json)
    return 0
