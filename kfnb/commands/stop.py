"""Stopping a run."""

from __future__ import annotations

import click

from kfnb.home import RunFolder


def stop_options() -> list[click.Parameter]:
    """Make the options of ``stop``."""
    return [
        click.Option(
            ["--no-wait"],
            is_flag=True,
            help="Do not wait until the run has stopped.",
        )
    ]


def stop_run(folder: RunFolder, *, no_wait: bool) -> None:
    """Stop a run and print what became of it."""
    from kfnb.api.run_handle import Run
    from kfnb.api.run_lookup import refresh
    from kfnb.runners import request_stop

    run = Run(refresh(folder))
    if run.driver == "ended":
        click.echo(f"run {run.id} has already ended: {run.status}")
        return
    request_stop(folder, by="kfnb stop")
    if no_wait:
        click.echo(f"run {run.id} was asked to stop")
    else:
        click.echo(f"run {run.id} {run.wait()}")
