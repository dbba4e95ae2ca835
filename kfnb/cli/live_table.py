"""A run as a table that is redrawn: each step's status, progress and latest output."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kfnb.api.run_view import RunView
from kfnb.api.use_cases.event_lines import warning_line
from kfnb.api.use_cases.run_summary import brief, failures, log_tail, metrics_line, summary_line
from kfnb.commands.terminal import ASCII_GLYPHS, COLOURS, GLYPHS
from kfnb.draw import shortened, visible, width_of
from kfnb.durations import describe_duration
from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.core.events import Event
from kfnb.engine.core.state import StepState

REDRAW_INTERVAL = 0.25
"""Seconds between two drawings while a step executes."""

SHORTEST_INTERVAL = 0.08
"""Seconds between two drawings at least: a step may print faster than anyone can read."""

_BAR = 8
_CELL = 30
"""Columns for the beginning of the cell that a step executes."""
_STATUS = _TOOK = 11
_COUNT = 7
_GAP = 2
_MARGIN = 3
"""Columns left free at the right: the terminal writes ``^C`` there, which must not wrap."""
_WIDE = 100
"""From here on there is room for a bar."""
_SHORTEST_REASON = 10
_RANK = {"running": 0, "failed": 1, "cancelled": 2, "pending": 3, "succeeded": 4, "cached": 5}


class LiveScreen:
    """Redraws the steps in place; warnings and notes stay above.

    Parameters
    ----------
    ascii_only
        Use only ASCII characters.
    console
        Where to draw; by default the terminal.
    """

    def __init__(self, *, ascii_only: bool = False, console: Console | None = None) -> None:
        self.pause = REDRAW_INTERVAL
        self._marks = ASCII_GLYPHS if ascii_only else GLYPHS
        self._bar = ("#", ".") if ascii_only else ("━", "╌")
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._last: dict[str, str] = {}
        self._titled = False
        self._drawn = 0.0

    def show(self, view: RunView, events: Iterable[Event]) -> None:
        """Redraw the table, with warnings above it."""
        for event in events:
            if event.type == "CellOutput" and event.step is not None:
                # Read again from the log when the table is drawn, and not for each line that is
                # printed.
                self._last.pop(event.step, None)
            elif isinstance(event.data, WarningData):
                self._print(Text(warning_line(event, event.data), style="yellow"))
        if not self._titled:
            self._titled = True
            title = Text(visible(view.state.info.name or view.pipeline.name), "bold")
            self._print(title.append(f"  {view.folder.id}", "bright_black"))
        # Only now, so that a run that fails at once leaves no empty table.
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, redirect_stderr=False)
            self._live.start()
        # A redraw of a large table takes longer than the events that cause it.
        since = time.monotonic() - self._drawn
        if since < SHORTEST_INTERVAL:
            self.pause = SHORTEST_INTERVAL - since
            return
        self._live.update(self.table(view), refresh=True)
        self._drawn = time.monotonic()
        # Durations of running steps grow without any event.
        self.pause = REDRAW_INTERVAL if view.state.counts["running"] else 1.0

    def hold(self) -> None:
        """Stop redrawing the table; the next :meth:`show` starts a new one."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self._print(Text(text))

    def close(self, view: RunView) -> None:
        """Print the final table, metrics, failures and the summary."""
        if self._live is not None:
            self._live.update(self.table(view, all_steps=True), refresh=True)
        self.hold()
        metrics = metrics_line(view)
        if metrics:
            self._print(Text(metrics, "cyan"))
        for line in failures(view):
            bad = line.lower().startswith(('step "', "  >", "the run failed", "kfnb-e"))
            self._print(Text(line, "red" if bad else ""))
        status = view.state.status
        self._print(Text(f"{self._marks[status]} {summary_line(view)}", f"bold {COLOURS[status]}"))

    def table(self, view: RunView, *, all_steps: bool = False) -> Table:
        """Make the table with as many steps as fit: those that matter most now."""
        steps = list(view.state.steps.values())
        # rich cuts a table that is higher than the terminal, and always at the end.
        room = len(steps) if all_steps else max(3, self._console.height - 4)
        shown = _chosen(steps, room)
        wide = self._console.width >= _WIDE
        table = Table(
            box=None, show_header=False, pad_edge=False, expand=False, padding=(0, _GAP, 0, 0)
        )
        # rich would shorten all columns alike, but a name is needed more than a reason.
        count = _COUNT + (_BAR + 1 if wide else 0)
        room = self._console.width - _MARGIN - _STATUS - count - _TOOK - 3 * _GAP
        name = min(max(8, room), max((width_of(visible(s.name)) for s in shown), default=8))
        reason = room - name - _GAP
        table.add_column(no_wrap=True, width=_STATUS)
        table.add_column(no_wrap=True, overflow="ellipsis", width=name)
        table.add_column(no_wrap=True, justify="right", width=count)
        table.add_column(no_wrap=True, justify="right", width=_TOOK)
        if reason >= _SHORTEST_REASON:
            table.add_column(no_wrap=True)
        for step in shown:
            mark = Text(f"{self._marks[step.status]} {step.status}", COLOURS[step.status])
            # Names come from a notebook: escape sequences in them must not reach the terminal.
            label = shortened(visible(step.name), 200)
            cells = [mark, Text(label), self._progress(step, wide), Text(_took(step))]
            if reason >= _SHORTEST_REASON:
                activity = self._activity(view, step)
                # The width of a last column is not the same in all versions of rich.
                activity.truncate(reason, overflow="ellipsis")
                cells.append(activity)
            table.add_row(*cells)
        hidden = len(steps) - len(shown)
        if hidden:
            counts = ", ".join(f"{n} {s}" for s, n in sorted(view.state.counts.items()) if n)
            table.add_row(Text(f"+ {hidden} more", "bright_black"))
            table.caption = Text(counts, "bright_black")
        return table

    def _progress(self, step: StepState, wide: bool) -> Text:
        if step.status != "running" or not step.cells_total:
            return Text("")
        done, total = min(step.cells_done, step.cells_total), step.cells_total
        text = Text()
        if wide:
            full = _BAR * done // total
            text.append(self._bar[0] * full, "blue").append(
                self._bar[1] * (_BAR - full), "bright_black"
            )
            text.append(" ")
        return text.append(f"{done}/{total}")

    def _activity(self, view: RunView, step: StepState) -> Text:
        """Describe what a step does: its cell and latest output, or the reason for its status."""
        if step.status == "running":
            text = Text()
            if step.attempts > 1:
                text.append(f"attempt {step.attempts}  ", "yellow")
            # A journal of another version may count cells of a different notebook.
            if step.cell is not None and step.cell < len(view.pipeline.cells):
                where = shortened(view.pipeline.cells[step.cell].location(), _CELL)
                text.append(f"{where}  ", "blue")
            if step.held:
                return text.append(visible(step.held), "yellow")
            return text.append(
                self._last_line(view, step) or visible(step.why or ""), "bright_black"
            )
        if step.retry_at is not None:
            left = max(0.0, step.retry_at - time.time())
            return Text(f"attempt {step.attempts} failed; retry in {left:.0f} s", "yellow")
        if step.status == "failed" and step.failure:
            return Text(brief(step.failure, step.name), "red")
        return Text(visible(step.reason or step.why or ""), "bright_black")

    def _last_line(self, view: RunView, step: StepState) -> str:
        """Return the last line that a step printed; the log is read only if it has grown."""
        if step.name not in self._last:
            lines = log_tail(view.attempt(step.name).log, 1)
            self._last[step.name] = lines[-1] if lines else ""
        return self._last[step.name]

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _chosen(steps: list[StepState], room: int) -> list[StepState]:
    """Choose the steps that fit: executing, failed, cancelled, next, and latest finished ones."""
    if len(steps) <= room:
        return steps
    ranked = sorted(
        range(len(steps)),
        key=lambda n: (_RANK.get(steps[n].status, 6), -(steps[n].finished or 0.0), n),
    )
    # Two lines are for the number of hidden steps and the caption.
    return [steps[n] for n in sorted(ranked[: room - 2])]


def _took(step: StepState) -> str:
    if step.status == "running" and step.started is not None:
        return describe_duration(max(0.0, time.time() - step.started))
    if step.status in ("succeeded", "failed"):
        return describe_duration(step.duration)
    return ""
