"""``kfnb``: the command line. Each command is imported when it is called."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from kfnb import __version__
from kfnb.cli.common import INTERRUPTED, call_error, reader_left
from kfnb.errors import KfnbError

_COMMANDS = {
    "run": ("kfnb.cli.running", "Run a notebook as a pipeline."),
    "check": ("kfnb.cli.reading", "Say what is wrong with a notebook, before anything runs."),
    "show": ("kfnb.cli.reading", "Draw the steps of a notebook and why each edge is there."),
    "runs": ("kfnb.cli.history", "List runs, newest first."),
    "status": ("kfnb.cli.history", "Say how a run is going, or how it went."),
    "logs": ("kfnb.cli.logs", "Print what steps printed."),
    "stop": ("kfnb.cli.running", "Stop a run; what is done stays done."),
    "resume": ("kfnb.cli.running", "Go on with a run that failed, was stopped or lost its driver."),
    "clean": ("kfnb.cli.cleaning", "Remove old runs and the values that nothing refers to."),
    "doctor": ("kfnb.cli.doctor", "Say whether a target has what runs need, and what helps."),
    "notebook": ("kfnb.cli.history", "Print the path of a step's executed notebook."),
    "completion": ("kfnb.cli.completion", "Print the script that completes words in your shell."),
}
_EPILOG = """\b
Examples:
  kfnb check train.ipynb
  kfnb show train.ipynb
  kfnb run train.ipynb -p lr=0.1
  kfnb logs latest -f

\b
Exit codes: 0 done; 1 a step failed; 2 the notebook or the call is wrong, nothing was
started; 3 cancelled; 4 infrastructure (disk, store); 130 interrupted.
"""


class Commands(click.Group):
    """A group that imports its commands late, and turns every end into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """List the commands in the order of a first use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Call a command; click would make a closed pipe an exit code of a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return reader_left(0)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Call a command and exit with its code; every error is a sentence on stderr."""
        extra["standalone_mode"] = False
        _safe_streams()
        code: Any
        try:
            code = super().main(args, *rest, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            code = reader_left(0)
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except click.ClickException as error:
            code = _tell(call_error(error), error.exit_code)
        except KfnbError as error:
            code = _tell(str(error), error.exit_code, error)
        except Exception as error:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            hint = "This is a defect of kfnb; KFNB_DEBUG=1 shows the traceback."
            code = _tell(f"{said.rstrip('.')}. {hint}", 4, error)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="kfnb", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run a tagged Jupyter notebook as a pipeline."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Be the program ``kfnb``."""
    cli.main(prog_name="kfnb")


def _tell(sentence: str, code: int, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("KFNB_DEBUG"):
        import traceback

        traceback.print_exception(error)
    with contextlib.suppress(OSError):
        click.echo(f"kfnb: {sentence}", err=True)
    return code


def _safe_streams() -> None:
    """Let a character that the terminal's encoding lacks be a ``?``, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(ValueError, OSError):
                reconfigure(errors="replace")


if __name__ == "__main__":
    main()
