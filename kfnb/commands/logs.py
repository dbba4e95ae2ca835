"""Print the logs of steps, or follow them."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.engine.core.event_types import CellOutput
    from kfnb.engine.core.events import Event

_BLOCK = 1 << 20
_RETRY_INTERVAL = 0.1
"""Seconds until a text that has not arrived yet is looked for again."""
_LONGEST_WAIT = 10.0
"""Seconds to wait for a text that an event announced."""
_ANNOUNCING = {"CellOutput", "StepCached", "StepSucceeded", "StepFailed", "AttemptFailed"}


def log_options() -> list[click.Parameter]:
    """Make the options of ``logs``."""
    return [
        click.Option(
            ["-f", "--follow"], is_flag=True, help="Follow the log until the run has ended."
        ),
        click.Option(
            ["--attempt"],
            type=click.IntRange(min=1),
            metavar="N",
            help="The log of this attempt [default: the last].",
        ),
        click.Option(
            ["--raw"], is_flag=True, help="Do not remove sequences that act on the terminal."
        ),
    ]


def print_logs(
    view: RunView,
    step: str | None,
    attempt: int | None,
    *,
    raw: bool = False,
    most: int | None = None,
) -> int:
    """Print the log of a step, or of every step under its name.

    Parameters
    ----------
    raw
        Print also what acts on a terminal.
    most
        Bytes printed of each log: of a longer one, its end.

    Returns
    -------
    int
        The number of logs printed.
    """
    from kfnb.commands.control_filter import writer
    from kfnb.draw import visible

    write = writer(raw=raw)
    shown = 0
    for name in [step] if step is not None else view.pipeline.steps:
        path = view.attempt(name, attempt).log
        if path.is_file() and path.stat().st_size:
            if step is None:
                click.echo(f"{chr(10) if shown else ''}==> {visible(name)} <==")
            _copy(path, most, write)
            shown += 1
    return shown


def follow_logs(view: RunView, step: str | None, *, raw: bool = False) -> int:
    """Print the log of a step (or of every step) as it grows; return the exit code.

    ``raw`` as in :func:`print_logs`.

    Raises
    ------
    InfrastructureError
        If the run's driver is gone, or the run's folder was deleted.
    """
    from kfnb.api.run_view import lost
    from kfnb.commands.terminal import INTERRUPTED
    from kfnb.watch import Watch

    printer = _Printer(view, step, raw=raw)
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
                    _print_rest(view, printer)
                    return 0
                # A text may arrive a moment after the event that announces it.
                watch.wait(_RETRY_INTERVAL if printer.waits else 1.0)
    except KeyboardInterrupt:
        return INTERRUPTED


def _print_rest(view: RunView, printer: _Printer) -> None:
    """Print texts that are still being copied here from a driver on another machine."""
    from kfnb.runners import is_driven

    deadline = time.monotonic() + _LONGEST_WAIT
    while printer.waits and is_driven(view.folder) and time.monotonic() < deadline:
        time.sleep(_RETRY_INTERVAL)
        printer.show(())
    printer.show((), complete=True)


class _Printer:
    """Prints outputs in the order of their events; with several steps, each line has a name.

    An event may arrive before the text that it announces. Later output then waits for that text.
    """

    def __init__(self, view: RunView, step: str | None, *, raw: bool) -> None:
        from kfnb.commands.control_filter import writer
        from kfnb.runners.target import target_of

        self._view = view
        self._step = step
        self._queue: deque[Event] = deque()
        self._waiting_since: float | None = None
        self._local = not target_of(view.about).is_remote
        self._attempts: dict[str, int] = {}
        self._partial_lines: dict[str, str] = {}
        self._out = writer(raw=raw)

    @property
    def waits(self) -> bool:
        """Whether the text of an event has not arrived yet."""
        return bool(self._queue)

    def show(self, events: Iterable[Event], *, complete: bool = False) -> None:
        """Print the texts of events in order; ``complete`` if no more text will arrive."""
        for event in events:
            name = event.step
            if name is not None and self._step in (None, name) and event.type in _ANNOUNCING:
                self._queue.append(event)
        # A text that is lost must not hold back all later output for ever.
        while self._queue and self._show(self._queue[0], complete=complete or self._is_late()):
            self._queue.popleft()
            self._waiting_since = None
        if self._queue and self._waiting_since is None:
            self._waiting_since = time.monotonic()
        sys.stdout.flush()

    def _is_late(self) -> bool:
        """Whether the next text has been waited for long enough."""
        return (
            self._waiting_since is not None
            and time.monotonic() - self._waiting_since > _LONGEST_WAIT
        )

    def _show(self, event: Event, *, complete: bool) -> bool:
        """Print the text of one event; return False if it has not arrived yet."""
        from kfnb.engine.core.event_types import CellOutput

        name, data = str(event.step), event.data
        if isinstance(data, CellOutput) and data.length:
            text = _slice(self._view, name, event.attempt or 1, data, part=complete)
            if text is None:
                return False
            self._attempt(name, event.attempt or 1)
            self._print(name, text)
        elif event.type == "StepCached":
            # Attempt 0 stands for a result that an earlier run computed.
            path = self._view.attempt(name, 0).log
            if path.is_file():
                self._print(name, path.read_text("utf-8", "replace"))
            elif not complete and not self._local:
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
        # With several steps, a line is printed when it is complete, so that lines do not mix.
        *lines, rest = (self._partial_lines.get(name, "") + text).split("\n")
        self._partial_lines[name] = rest
        self._write(name, lines)

    def _flush(self, name: str) -> None:
        rest = self._partial_lines.pop(name, "")
        if rest:
            self._write(name, [rest])

    def _write(self, name: str, lines: list[str]) -> None:
        from kfnb.draw import visible

        prefix = visible(name)
        self._out("".join(f"{prefix} | {line}\n" for line in lines))


def _slice(view: RunView, name: str, attempt: int, data: CellOutput, *, part: bool) -> str | None:
    """Read an output's text; None if it is incomplete, unless a ``part`` is enough."""
    length = data.length or 0
    try:
        with view.attempt(name, attempt).log.open("rb") as file:
            file.seek(data.offset or 0)
            text = file.read(length)
    except OSError:
        text = b""
    return text.decode("utf-8", "replace") if part or len(text) == length else None


def _copy(path: Path, most: int | None, write: Callable[[str], object]) -> None:
    """Print a log in pieces, as it may be large."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        with path.open("rb") as file:
            left = file.seek(0, 2) - (most or 0)
            file.seek(left if most and left > 0 else 0)
            if file.tell():
                left += len(file.readline())
                write(f"[the first {left} bytes are not shown; the whole log is {path}]\n")
            while data := file.read(_BLOCK):
                write(decoder.decode(data))
    except FileNotFoundError:
        return
    sys.stdout.flush()
