"""``kfnb logs``: what steps printed, afterwards or as it comes."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfnb.cli.arguments import RunName, StepName

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.events import Event

_BLOCK = 1 << 20
_AGAIN = 0.1
"""Seconds until a text that is not here yet is looked for again."""
_PATIENCE = 10.0
"""Seconds that a text has to come of which there is told."""
_TOLD = {"CellOutput", "StepCached", "StepSucceeded", "StepFailed", "AttemptFailed"}


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
    from kfnb.api.launch import no_step
    from kfnb.api.run_lookup import find_run
    from kfnb.api.run_view import RunView
    from kfnb.api.sync import refreshed
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
    from kfnb.api.run_view import lost
    from kfnb.cli.common import INTERRUPTED
    from kfnb.watch import Watch

    printer = _Printer(view, step)
    try:
        with Watch([view.folder.path]) as watch:
            while True:
                events, course = view.look()
                printer.show(events)
                if course == "lost":
                    raise lost(view)
                ended = step is not None and view.state.steps[step, ""].status not in (
                    "pending",
                    "running",
                )
                if course == "ended" or ended:
                    _see_out(view, printer)
                    return 0
                # The text of what is told may come a moment after it.
                watch.wait(_AGAIN if printer.waits else 1.0)
    except KeyboardInterrupt:
        return INTERRUPTED


def _see_out(view: RunView, printer: _Printer) -> None:
    """Print what is still on its way here, from a run whose driver is elsewhere."""
    from kfnb.runners import is_driven

    until = time.monotonic() + _PATIENCE
    while printer.waits and is_driven(view.folder) and time.monotonic() < until:
        time.sleep(_AGAIN)
        printer.show(())
    printer.show((), all_there=True)


class _Printer:
    """Prints outputs in the order in which they came; several steps' lines are named.

    The journal may tell of an output before its text is here: what a step prints waits for that.
    """

    def __init__(self, view: RunView, step: str | None) -> None:
        from kfnb.cli.colours import writer
        from kfnb.runners.target import target_of

        self._view = view
        self._step = step
        self._due: deque[Event] = deque()
        self._since: float | None = None
        self._local = not target_of(view.about).is_remote
        self._attempts: dict[str, int] = {}
        self._rest: dict[str, str] = {}
        self._out = writer()

    @property
    def waits(self) -> bool:
        """Whether there is something to print whose text is not here yet."""
        return bool(self._due)

    def show(self, events: Iterable[Event], *, all_there: bool = False) -> None:
        """Print what events tell of, in their order; ``all_there``: nothing more will come."""
        for event in events:
            name = event.step
            if name is not None and self._step in (None, name) and event.type in _TOLD:
                self._due.append(event)
        while self._due and self._show(self._due[0], all_there=all_there or self._is_late()):
            self._due.popleft()
            self._since = None
        if self._due and self._since is None:
            self._since = time.monotonic()
        sys.stdout.flush()

    def _is_late(self) -> bool:
        """Whether what is due has had its time to come."""
        return self._since is not None and time.monotonic() - self._since > _PATIENCE

    def _show(self, event: Event, *, all_there: bool) -> bool:
        """Print what one event tells of; False if that is not here yet."""
        name = str(event.step)
        if event.type == "CellOutput" and event.data.get("length"):
            text = _slice(self._view, name, event.attempt or 1, event.data, part=all_there)
            if text is None:
                return False
            self._attempt(name, event.attempt or 1)
            self._print(name, text)
        elif event.type == "StepCached":
            path = self._view.attempt(name, 0).log
            if path.is_file():
                self._print(name, path.read_text("utf-8", "replace"))
            elif not all_there and not self._local:
                return False
            self._flush(name)
        elif event.type != "CellOutput":
            self._flush(name)
        return True

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


def _slice(
    view: RunView, name: str, attempt: int, data: Mapping[str, Any], *, part: bool
) -> str | None:
    """Read an output's text; None if it is not whole yet, or what there is of it (``part``)."""
    length = int(data["length"])
    try:
        with view.attempt(name, attempt).log.open("rb") as file:
            file.seek(int(data.get("offset") or 0))
            text = file.read(length)
    except OSError:
        text = b""
    return text.decode("utf-8", "replace") if part or len(text) == length else None


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
