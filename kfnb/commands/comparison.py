"""The comparison of runs as a table of text, for where no page shows it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from kfnb.api.run_handle import Run
from kfnb.api.step_handle import StepRun
from kfnb.api.use_cases.code_differences import code_differences
from kfnb.api.use_cases.formats import number
from kfnb.draw import shortened, visible, width_of
from kfnb.durations import describe_duration

_WIDEST = 28


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the text for each run, and the values that are compared."""

    name: str
    shown: Sequence[str]
    compared: Sequence[str] = ()

    @property
    def differs(self) -> bool:
        """Whether the values that are compared differ."""
        return len(set(self.compared)) > 1


def print_comparison(runs: Sequence[Run]) -> None:
    """Print runs as a table, and the code of the first two side by side where it differs."""
    import shutil

    click.echo(table(runs))
    lines = list(code_lines(runs[0], runs[1], width=shutil.get_terminal_size((100, 24)).columns))
    if lines:
        click.echo("\n".join(["", *lines]))


def code_lines(left: Run, right: Run, *, width: int) -> Iterator[str]:
    """Yield the code of two runs side by side, where it differs; ``*`` marks lines that differ."""
    each = max(20, (width - 5) // 2)
    for difference in code_differences(left.pipeline, right.pipeline):
        title = f'code of step "{visible(difference.step)}"' if difference.step else "other code"
        yield f"{title}:"
        for line in difference.lines:
            if line.kind == "gap":
                yield "  …"
                continue
            left_text, right_text = (
                shortened(visible((side or "").expandtabs(4)), each)
                for side in (line.left, line.right)
            )
            mark = "*" if line.kind == "changed" else " "
            yield f"{mark} {_padded(left_text, each)} | {right_text}".rstrip()


def table(runs: Sequence[Run]) -> str:
    """Return a line for each parameter, metric and step; ``*`` marks those that differ."""
    facts = list(_rows(runs))
    # The sort is stable: what differs comes first, otherwise the order stays.
    rows = [Row("", [run.id for run in runs]), *sorted(facts, key=lambda row: not row.differs)]
    first = max(width_of(row.name) for row in rows)
    widths = [max(width_of(row.shown[n]) for row in rows) for n in range(len(runs))]
    lines = []
    for row in rows:
        mark = "*" if row.differs else " "
        cells = (_padded(value, width) for value, width in zip(row.shown, widths, strict=True))
        lines.append(f"{mark} {_padded(row.name, first)}  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def _rows(runs: Sequence[Run]) -> Iterator[Row]:
    names = [run.name if run.name != run.pipeline.name else "" for run in runs]
    if any(names):
        yield Row("name", [_cell(name) for name in names])
    statuses = [run.status for run in runs]
    yield Row("status", statuses, statuses)
    yield Row(
        "started", [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(r.created)) for r in runs]
    )
    yield Row("took", [describe_duration(run.duration) for run in runs])
    parameters = [run.parameters for run in runs]
    for name in _names(parameters):
        values = [repr(given[name]) if name in given else "" for given in parameters]
        yield Row(f"parameter {_cell(name)}", [_cell(value) for value in values], values)
    metrics = [run.metrics for run in runs]
    for name in _names(metrics):
        values = [number(given[name]) if name in given else "" for given in metrics]
        yield Row(f"metric {_cell(name)}", values, values)
    for name in _names([run.steps for run in runs]):
        steps = [run.steps.get(name) for run in runs]
        # Durations always differ, and a cached step has succeeded too.
        ends = [step.status.replace("cached", "succeeded") if step else "" for step in steps]
        took = [_ended(step) for step in steps]
        yield Row(f"step {_cell(name)}", took, ends)


def _ended(step: StepRun | None) -> str:
    if step is None or step.status == "cached":  # its duration is that of another run
        return step.status if step else ""
    return f"{step.status} {describe_duration(step.duration)}".rstrip()


def _names(tables: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table))


def _cell(text: str) -> str:
    return shortened(visible(text), _WIDEST)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))
