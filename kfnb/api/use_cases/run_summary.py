"""The summary of a run in sentences, the same in a pipe, in a terminal and in ``status``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from kfnb.api.run_view import RunView
from kfnb.api.step_handle import StepFailure
from kfnb.api.step_lookup import step_label
from kfnb.api.use_cases.formats import number
from kfnb.api.use_cases.rerun_command import rerun_command
from kfnb.draw import shortened, visible
from kfnb.durations import describe_duration
from kfnb.engine.core.event_types import FailureData
from kfnb.engine.core.state import StepState
from kfnb.locations import location
from kfnb.runners import is_driven

LOG_LINES = 12
_AROUND = 2
_TAIL = 1 << 14


def sentence(failure: FailureData) -> str:
    """Return why an attempt failed, with the line unless the summary has it."""
    error = StepFailure.of(failure)
    raised = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
    text = error.summary.strip().rstrip(".") or raised or error.kind
    # A message of Python often names the line itself.
    if error.line is not None and f"line {error.line}" not in text:
        text += f" (line {error.line})"
    if error.code and error.code not in text:
        text = f"{error.code}: {text}"
    return visible(shortened(text, 2000))


def brief(failure: FailureData | None, step: str) -> str:
    """Return why an attempt failed, for a line that begins with the step's name."""
    subject = f'step "{visible(step)}" '
    text = sentence(failure or FailureData(kind="user"))
    if text.lower().startswith(subject.lower()):
        # The line begins with the name, so the sentence need not repeat it.
        text = text[len(subject) :].removeprefix("failed: ")
    return text


def summary_line(view: RunView) -> str:
    """Return the run's id, status, duration, and how many steps have which status."""
    state = view.state
    counts = ", ".join(
        f"{state.counts[s]} {s}"
        for s in ("succeeded", "cached", "failed", "skipped", "cancelled", "pending", "running")
        if state.counts[s]
    )
    start = state.created or state.started
    end = state.finished
    if end is None:
        # A run without a driver does not go on, so its time ends with its last event.
        end = time.time() if is_driven(view.folder) else state.updated
    took = ""
    if start is not None and end is not None:
        took = f" in {describe_duration(max(0.0, end - start - state.paused))}"
    return f"run {view.folder.id} {state.status}{took}: {counts or 'no steps'}"


def metrics_line(view: RunView) -> str | None:
    """Return the run's metrics on one line; None if there are none."""
    metrics = view.state.metrics
    if not metrics:
        return None
    return "metrics: " + ", ".join(f"{visible(k)} = {number(v)}" for k, v in metrics.items())


def failures(view: RunView) -> Iterator[str]:
    """Describe each failed step, and list commands that help."""
    failed = [s for s in view.state.steps.values() if s.status == "failed"]
    for step in failed:
        yield ""
        yield from failure(view, step)
    error = view.state.error
    # If a step failed, its own reason is more exact than the run's.
    if error and not failed:
        yield ""
        yield f"the run failed: {sentence(error)}"
    if failed:
        yield ""
        yield from commands(view, failed[0].name)


def failure(view: RunView, step: StepState) -> Iterator[str]:
    """Describe a failed step: reason, place, source, end of the log, remedy."""
    record = step.failure or FailureData(kind="user")
    reason = sentence(record)
    label = visible(step_label(step.name, step.index))
    named = reason.lower().startswith("step ") or f'step "{label}"' in reason
    yield reason if named else f'step "{label}" failed: {reason}'
    yield from source(view, record.cell, record.line)
    log = log_tail(view.attempt(step.name, index=step.index).log, LOG_LINES)
    if log:
        yield "  last lines of its log:"
        yield from (f"    {line}".rstrip() for line in log)
    if record.remedy:
        yield f"  {visible(record.remedy)}"


def source(view: RunView, cell: int | None, line: int | None) -> Iterator[str]:
    """Show a line of the notebook, marked, with the lines around it; or where its cell is."""
    cells = view.pipeline.cells
    if cell is None or not 0 <= cell < len(cells):
        return
    lines = cells[cell].source.splitlines()
    if line is None or not 1 <= line <= len(lines):
        yield f"  in {cells[cell].location()}"
        return
    count = cells[cell].execution_count
    if count is not None:
        yield f"  in {location(execution_count=count, line=line)}:"
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    digits = len(str(last))
    for n in range(first, last + 1):
        mark = ">" if n == line else " "
        shown = visible(lines[n - 1].expandtabs(4))
        yield f"  {mark} {n:>{digits}} | {shortened(shown, 160)}".rstrip()


def commands(view: RunView, step: str) -> Iterator[str]:
    """List commands that help after a step has failed."""
    import shlex

    run, name = view.folder.id, shlex.quote(step)
    listed = [
        (f"kfnb resume {run}", "retry with the old code, without your edits"),
        (f"kfnb logs {run} {name}", "its whole log"),
        (f"kfnb notebook {run} {name}", "its executed notebook"),
    ]
    if view.pipeline.path is not None:
        purpose = "run again with your edits; unchanged steps come from the cache"
        listed.insert(0, (rerun_command(view), purpose))
    yield "next:"
    for command, purpose in listed:
        yield f"  {visible(command)}  # {purpose}"


def log_tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log, without colours and overwritten text."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            # A log may have many megabytes, and only its end is shown.
            file.seek(max(0, size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [clean_line(line) for line in text.rstrip().split("\n")[-lines:] if line or text.strip()]


def clean_line(line: str) -> str:
    """Return a printed line as a terminal shows it in the end: progress bars overwrite it."""
    import re

    line = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", line.rstrip("\r"))
    return shortened(visible(line.rpartition("\r")[2].expandtabs(4)), 200)
