"""What happened, in sentences: the same words in a pipe, in a terminal and in ``status``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kfnb.api.run_handle import StepFailure
from kfnb.api.run_view import RunView
from kfnb.cli.common import number
from kfnb.cli.rerun_command import run_again
from kfnb.draw import shortened, visible
from kfnb.durations import describe_duration
from kfnb.engine.core.state import StepState
from kfnb.runners import is_driven

LOG_LINES = 12
_AROUND = 2
_TAIL = 1 << 14


def sentence(failure: Mapping[str, Any]) -> str:
    """Say why an attempt failed, with cell and line where the summary does not say them."""
    error = StepFailure.of(failure)
    raised = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
    said = error.summary.strip().rstrip(".") or raised or error.kind
    if error.cell is not None and f"cell {error.cell}" not in said:
        line = f", line {error.line}" if error.line is not None else ""
        said += f" (cell {error.cell}{line})"
    if error.code and error.code not in said:
        said = f"{error.code}: {said}"
    return visible(shortened(said, 2000))


def brief(failure: Mapping[str, Any], step: str) -> str:
    """Say why an attempt failed where the step's name stands already."""
    begin = f'step "{visible(step)}" '
    said = sentence(failure)
    if said.lower().startswith(begin.lower()):
        said = said[len(begin) :].removeprefix("failed: ")
    return said


def end_of(view: RunView) -> str:
    """Say how a run ended, or that it has not."""
    state = view.state
    counts = ", ".join(
        f"{state.counts[s]} {s}"
        for s in ("succeeded", "cached", "failed", "skipped", "cancelled", "pending", "running")
        if state.counts[s]
    )
    begun = state.created or state.started
    end = state.finished
    if end is None:
        end = time.time() if is_driven(view.folder) else state.updated
    took = ""
    if begun is not None and end is not None:
        took = f" in {describe_duration(max(0.0, end - begun - state.paused))}"
    return f"run {view.folder.id} {state.status}{took}: {counts or 'no steps'}"


def metrics_line(view: RunView) -> str | None:
    """Give the run's metrics on one line."""
    found = view.state.metrics
    if not found:
        return None
    return "metrics: " + ", ".join(f"{visible(k)} = {number(v)}" for k, v in found.items())


def failures(view: RunView) -> Iterator[str]:
    """Tell of each failed step what a person needs to go on."""
    failed = [s for s in view.state.steps.values() if s.status == "failed"]
    for step in failed:
        yield ""
        yield from failure(view, step)
    error = view.state.error
    if error and not failed:
        yield ""
        yield f"the run failed: {sentence(error)}"
    if failed:
        yield ""
        yield from commands(view, failed[0].name)


def failure(view: RunView, step: StepState) -> Iterator[str]:
    """Tell of one failed step: why, where, its source there, the end of its log, the remedy."""
    record = step.failure or {}
    said = sentence(record)
    named = said.lower().startswith("step ") or f'step "{visible(step.name)}"' in said
    yield said if named else f'step "{visible(step.name)}" failed: {said}'
    yield from source(view, record.get("cell"), record.get("line"))
    log = log_tail(view.attempt(step.name).log, LOG_LINES)
    if log:
        yield "  the end of its log:"
        yield from (f"    {line}".rstrip() for line in log)
    if record.get("remedy"):
        yield f"  {visible(str(record['remedy']))}"


def source(view: RunView, cell: int | None, line: int | None) -> Iterator[str]:
    """Show a line of the notebook with those around it, and point to it."""
    cells = view.pipeline.cells
    if cell is None or line is None or not 0 <= cell < len(cells):
        return
    lines = cells[cell].source.splitlines()
    if not 1 <= line <= len(lines):
        return
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    digits = len(str(last))
    for n in range(first, last + 1):
        mark = ">" if n == line else " "
        shown = visible(lines[n - 1].expandtabs(4))
        yield f"  {mark} {n:>{digits}} | {shortened(shown, 160)}".rstrip()


def commands(view: RunView, step: str) -> Iterator[str]:
    """List what a person types next."""
    import shlex

    run, name = view.folder.id, shlex.quote(step)
    listed = [
        (f"kfnb logs {run} {name}", "all that it printed"),
        (f"kfnb notebook {run} {name}", "the notebook as it executed"),
        (f"kfnb resume {run}", "try again as it was"),
    ]
    if view.pipeline.path is not None:
        why = "after a change of the notebook; what is done comes from the cache"
        listed.append((run_again(view), why))
    yield "next:"
    for command, why in listed:
        yield f"  {visible(command)}  # {why}"


def log_tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log, colours and rewritten lines taken out."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [clean_line(line) for line in text.rstrip().split("\n")[-lines:] if line or text.strip()]


def clean_line(line: str) -> str:
    """Return a printed line as it looks in the end: progress bars overwrite themselves."""
    import re

    line = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", line.rstrip("\r"))
    return shortened(visible(line.rpartition("\r")[2].expandtabs(4)), 200)
