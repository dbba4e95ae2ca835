"""``kfnb``: the command line. Each command is imported when it is called."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from kfnb.commands.lazy_group import LazyGroup
from kfnb.commands.terminal import INTERRUPTED, call_error, silence_closed_pipe
from kfnb.errors import KfnbError

_COMMANDS = {
    "run": ("kfnb.cli.run", "Run a notebook as a pipeline."),
    "check": ("kfnb.cli.notebooks", "Find what is wrong with a notebook before anything runs."),
    "show": ("kfnb.cli.notebooks", "Draw a notebook's steps and the reason for each edge."),
    "suggest": ("kfnb.cli.notebooks", "Suggest how to split an untagged notebook into steps."),
    "runs": ("kfnb.cli.runs", "List runs, newest first."),
    "compare": ("kfnb.cli.runs", "Compare runs: parameters, metrics, steps and code."),
    "status": ("kfnb.cli.runs", "Show the status of a run and of its steps."),
    "logs": ("kfnb.cli.runs", "Print what steps printed."),
    "stop": ("kfnb.cli.run", "Stop a run; finished steps keep their results."),
    "resume": ("kfnb.cli.run", "Continue a run that failed, was stopped or lost its driver."),
    "clean": ("kfnb.cli.clean", "Remove old runs and unused values."),
    "doctor": ("kfnb.cli.doctor", "Check whether this machine or a cluster has what runs need."),
    "notebook": ("kfnb.cli.runs", "Print the path of a step's executed notebook."),
    "completion": ("kfnb.cli.completion", "Print the script for Tab completion in your shell."),
}
_EPILOG = """\b
Examples:
  kfnb check train.ipynb
  kfnb show train.ipynb
  kfnb run train.ipynb -p lr=0.1
  kfnb logs latest -f

\b
Exit codes: 0 success; 1 a step failed; 2 the notebook or the command is wrong, so nothing
was started; 3 cancelled; 4 infrastructure (cluster, disk, store); 130 interrupted.
"""


class Commands(LazyGroup):
    """A group that imports its commands late, and turns every outcome into an exit code."""

    table = _COMMANDS

    def invoke(self, ctx: click.Context) -> Any:
        """Call a command; a closed pipe is no failure, as it is for click."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return silence_closed_pipe(0)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Call a command and exit with its code; every error is a sentence on stderr."""
        # Otherwise click would print its errors itself and exit with its own codes.
        extra["standalone_mode"] = False
        _safe_streams()
        code: Any
        try:
            code = super().main(args, *rest, **extra)
            # A closed pipe may only be noticed here, and must not be reported by the interpreter at
            # exit.
            sys.stdout.flush()
        except BrokenPipeError:
            code = silence_closed_pipe(0)
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except click.ClickException as error:
            code = _report(call_error(error), error.exit_code)
        except KfnbError as error:
            code = _report(str(error), error.exit_code, error)
        except Exception as error:
            # A traceback frightens users, and hides the sentence that a bug report needs.
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            hint = "This is a bug in kfnb; KFNB_DEBUG=1 shows the traceback."
            code = _report(f"{text.rstrip('.')}. {hint}", 4, error)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="kfnb", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run a tagged Jupyter notebook as a pipeline."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Execute the program ``kfnb``."""
    cli.main(prog_name="kfnb")


def _report(sentence: str, code: int, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("KFNB_DEBUG"):
        import traceback

        traceback.print_exception(error)
    # stderr may be closed too.
    with contextlib.suppress(OSError):
        click.echo(f"kfnb: {sentence}", err=True)
    return code


def _safe_streams() -> None:
    """Print ``?`` for characters that the terminal's encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(ValueError, OSError):
                reconfigure(errors="replace")


if __name__ == "__main__":
    main()
