"""``kfnb logs``: what steps printed, afterwards or as it comes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfnb.cli.arguments import RunName, StepName

if TYPE_CHECKING:
    from kfnb.api.view import RunView
    from kfnb.engine.events import Event

_BLOCK = 1 << 20


@click.command(
    epilog="""\b
Examples:
  kfnb logs latest              # all steps, one after the other
  kfnb logs latest train        # one step, just as it printed
  kfnb logs latest -f           # as it comes, until the run has ended"""
)
@click.argument("run", type=RunName())
@click.argument("step", type=StepName(), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="Of this attempt [default: last]."
)
def logs(run: str, step: str | None, follow: bool, attempt: int | None) -> int:
    """Print what STEP (or every step) of RUN printed."""
    from kfnb.api.elsewhere import refreshed
    from kfnb.api.find import find_run
    from kfnb.api.launch import no_step
    from kfnb.api.view import RunView
    from kfnb.errors import UsageError

    view = RunView(refreshed(find_run(run)))
    if step is not None and step not in view.pipeline.steps:
        raise UsageError(no_step(view.pipeline, step))
    if follow:
        return _follow(view, step)
    view.update()
    print_logs(view, step, attempt)
    return 0


def print_logs(
    view: RunView, step: str | None, attempt: int | None, *, most: int | None = None
) -> int:
    """Print what a step (or every step, each under its name) printed.

    Parameters
    ----------
    most
        Bytes of each log; of a longer one the end is printed.

    Returns
    -------
    int
        How many logs there were to print.
    """
    from kfnb.cli.colours import writer
    from kfnb.draw import visible

    write = writer()
    shown = 0
    for name in [step] if step is not None else view.pipeline.steps:
        path = view.attempt(name, attempt).log
        if path.is_file() and path.stat().st_size:
            if step is None:
                click.echo(f"{chr(10) if shown else ''}==> {visible(name)} <==")
            _copy(path, most, write)
            shown += 1
    return shown


def _follow(view: RunView, step: str | None) -> int:
    from kfnb.api.view import gone
    from kfnb.cli.common import INTERRUPTED
    from kfnb.errors import InfrastructureError
    from kfnb.watch import Watch

    printer = _Printer(view, step)
    try:
        with Watch([view.folder.path]) as watch:
            while True:
                events, course = view.look()
                printer.show(events)
                if course == "lost":
                    raise InfrastructureError(gone(view))
                ended = step is not None and view.state.steps[step, ""].status not in (
                    "pending",
                    "running",
                )
                if course == "ended" or ended:
                    return 0
                watch.wait(1.0)
    except KeyboardInterrupt:
        return INTERRUPTED


class _Printer:
    """Prints outputs in the order in which they came; several steps' lines are named."""

    def __init__(self, view: RunView, step: str | None) -> None:
        from kfnb.cli.colours import writer

        self._view = view
        self._step = step
        self._attempts: dict[str, int] = {}
        self._rest: dict[str, str] = {}
        self._out = writer()

    def show(self, events: Iterable[Event]) -> None:
        for event in events:
            name = event.step
            if name is None or self._step not in (None, name):
                continue
            if event.type == "CellOutput" and event.data.get("length"):
                self._attempt(name, event.attempt or 1)
                self._print(name, _slice(self._view, name, event.attempt or 1, event.data))
            elif event.type == "StepCached":
                path = self._view.attempt(name, 0).log
                if path.is_file():
                    self._print(name, path.read_text("utf-8", "replace"))
                self._flush(name)
            elif event.type in ("StepSucceeded", "StepFailed", "AttemptFailed"):
                self._flush(name)
        sys.stdout.flush()

    def _attempt(self, name: str, attempt: int) -> None:
        if attempt > self._attempts.setdefault(name, attempt):
            self._flush(name)
            self._attempts[name] = attempt
            self._print(name, f"==> attempt {attempt} <==\n")

    def _print(self, name: str, text: str) -> None:
        if self._step is not None:
            self._out(text)
            return
        *lines, rest = (self._rest.get(name, "") + text).split("\n")
        self._rest[name] = rest
        self._write(name, lines)

    def _flush(self, name: str) -> None:
        rest = self._rest.pop(name, "")
        if rest:
            self._write(name, [rest])

    def _write(self, name: str, lines: list[str]) -> None:
        from kfnb.draw import visible

        before = visible(name)
        self._out("".join(f"{before} | {line}\n" for line in lines))


def _slice(view: RunView, name: str, attempt: int, data: Mapping[str, Any]) -> str:
    try:
        with view.attempt(name, attempt).log.open("rb") as file:
            file.seek(int(data.get("offset") or 0))
            return file.read(int(data["length"])).decode("utf-8", "replace")
    except OSError:
        return ""


def _copy(path: Path, most: int | None, write: Callable[[str], object]) -> None:
    """Print a log as it is, a piece at a time: it may be large."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        with path.open("rb") as file:
            left = file.seek(0, 2) - (most or 0)
            file.seek(left if most and left > 0 else 0)
            if file.tell():
                left += len(file.readline())
                write(f"[the first {left} bytes are left out: all is in {path}]\n")
            while data := file.read(_BLOCK):
                write(decoder.decode(data))
    except FileNotFoundError:
        return
    sys.stdout.flush()
