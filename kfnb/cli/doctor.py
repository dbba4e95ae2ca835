"""``kfnb doctor``: whether this machine or a cluster has what runs need."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from kfnb.commands.arguments import NotebookPath
from kfnb.commands.target_options import take_target_options, target_options
from kfnb.runners.target import target_names

_MARKS = {
    "ok": "ok",
    "missing": "MISSING",
    "warning": "warning",
    "unknown": "?",
    "optional": "-",
    "fixed": "fixed",
}


@click.command(
    params=[
        click.Argument(["notebook"], type=NotebookPath(), required=False),
        click.Option(
            ["--on", "target"],
            type=click.Choice(target_names()),
            default="local",
            help="What to check: local (this machine) [default] or kubernetes.",
        ),
        *target_options(),
        click.Option(
            ["--fix"],
            is_flag=True,
            help="Create what is missing, as far as it is safe: the drivers' service account "
            "with its Role, and the store's claim.",
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print the findings as JSON, one per line."
        ),
    ],
    epilog="""\b
Examples:
  kfnb doctor                                 # this machine
  kfnb doctor --on kubernetes --image IMAGE --store s3://BUCKET/PREFIX
  kfnb doctor train.ipynb --on kubernetes     # also the images of its steps
  kfnb doctor --on kubernetes --fix           # create what is missing

The exit code is 4 if something that runs need is missing. kfnb never reads Secrets.""",
)
def doctor(
    notebook: str | None,
    target: str,
    fix: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Check whether this machine or a cluster has what runs need, and say what to do if not."""
    from kfnb.api.launch import read
    from kfnb.cli.this_machine import check_machine
    from kfnb.runners.target import check_names, find_target

    pipeline = read(notebook) if notebook is not None else None
    options = take_target_options(given)
    check_names(target, options)
    missing = 0
    if target == "local":
        findings = check_machine(pipeline)
    else:
        findings = find_target(target).doctor(pipeline, options, fix=fix)
    for finding in findings:
        missing += finding.status == "missing"
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(finding)))
            continue
        click.echo(f"{_MARKS[finding.status]:8} {finding.sentence}")
        for line in finding.commands:
            click.echo(f"{'':8}   {line}")
    if missing and not as_json:
        click.echo(f"{missing} {'thing is' if missing == 1 else 'things are'} missing.", err=True)
    return 4 if missing else 0
