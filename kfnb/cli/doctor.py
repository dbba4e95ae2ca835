"""``kfnb doctor``: what a target needs, and what is missing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from kfnb.cli.arguments import NotebookPath
from kfnb.cli.target_options import target_options, with_target
from kfnb.runners.target import target_names

_MARKS = {"ok": "ok", "missing": "MISSING", "warning": "warning", "unknown": "?", "fixed": "fixed"}


@click.command(
    epilog="""\b
Examples:
  kfnb doctor --on kubernetes --image IMAGE --store s3://BUCKET/PREFIX
  kfnb doctor train.ipynb --on kubernetes     # with the notebook's options and images
  kfnb doctor --on kubernetes --fix           # and create what can be created

Ends with 4 if something is missing that runs need. No Secret is ever read."""
)
@click.argument("notebook", type=NotebookPath(), required=False)
@click.option(
    "--on",
    "target",
    type=click.Choice(target_names()),
    default="kubernetes",
    help="The target to check [default: kubernetes].",
)
@with_target
@click.option(
    "--fix",
    is_flag=True,
    help="Create what is missing and can be created: the drivers' service account and its Role, "
    "the store's claim.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one finding a line, as JSON.")
def doctor(
    notebook: str | None,
    target: str,
    fix: bool,
    as_json: bool,
    **said: Any,
) -> int:
    """Check whether runs on a target will find what they need, and say what helps if not."""
    from kfnb.api.launch import read
    from kfnb.runners.target import check_names, find_target

    pipeline = read(notebook) if notebook is not None else None
    options = target_options(said)
    check_names(target, options)
    missing = 0
    for found in find_target(target).doctor(pipeline, options, fix=fix):
        missing += found.status == "missing"
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(found)))
            continue
        click.echo(f"{_MARKS[found.status]:8} {found.sentence}")
        for line in found.commands:
            click.echo(f"{'':8}   {line}")
    if missing and not as_json:
        click.echo(f"{missing} {'thing is' if missing == 1 else 'things are'} missing.", err=True)
    return 4 if missing else 0
