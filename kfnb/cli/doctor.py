"""``kfnb doctor``: what a target needs, and what is missing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from kfnb.cli.arguments import NotebookPath
from kfnb.cli.cluster import target_options, with_target

_MARKS = {"ok": "ok", "missing": "MISSING", "warning": "warning", "unknown": "?", "fixed": "fixed"}


@click.command(
    epilog="""\b
Examples:
  kfnb doctor --on kubernetes --image IMAGE --store s3://BUCKET/PREFIX
  kfnb doctor train.ipynb --on kubernetes     # with what the notebook says, and its images
  kfnb doctor --on kubernetes --fix           # and make what may be made

Ends with 4 if something is missing that runs need. No Secret is ever read."""
)
@click.argument("notebook", type=NotebookPath(), required=False)
@click.option(
    "--on",
    "target",
    type=click.Choice(["kubernetes"]),
    default="kubernetes",
    help="The target to look at [default: kubernetes].",
)
@with_target
@click.option(
    "--fix",
    is_flag=True,
    help="Make what is missing and may be made: the drivers' service account and its Role, the "
    "store's claim.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one finding a line, as JSON.")
def doctor(
    notebook: str | None,
    target: str,
    fix: bool,
    as_json: bool,
    **said: Any,
) -> int:
    """Say whether runs on a target will find what they need, and what helps if not."""
    from kfnb.api.launch import read
    from kfnb.runners.kubernetes.api.config import target_of
    from kfnb.runners.kubernetes.doctor.checks import examine

    del target
    pipeline = read(notebook) if notebook is not None else None
    missing = 0
    for found in examine(target_of(pipeline, target_options(said)), pipeline=pipeline, fix=fix):
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
