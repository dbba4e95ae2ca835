"""A run as plain lines (pipes, logs of CI) or as JSON (machines)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from kfnb.api.run_view import RunView
from kfnb.cli.common import number
from kfnb.cli.run_summary import brief, end_of, failures, metrics_line
from kfnb.draw import visible
from kfnb.durations import describe_duration
from kfnb.engine.core.events import Event


class JsonScreen:
    """Prints each event of the journal as one line; nothing else goes to stdout."""

    pause = 3600.0

    def show(self, view: RunView, events: Iterable[Event]) -> None:  # noqa: ARG002 (Screen's)
        """Print the events."""
        lines = [event.to_line() + "\n" for event in events]
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()

    def hold(self) -> None:
        """Do nothing: there is no terminal."""

    def note(self, text: str) -> None:
        """Tell it on stderr."""
        click.echo(text, err=True)

    def close(self, view: RunView) -> None:
        """Do nothing: the last event has said it."""


class PlainScreen:
    """Prints one line for each event of interest; the wording is stable."""

    pause = 3600.0

    def show(self, view: RunView, events: Iterable[Event]) -> None:
        """Print lines for the events."""
        lines = [line for event in events for line in event_lines(view, event)]
        if lines:
            click.echo("\n".join(lines))

    def hold(self) -> None:
        """Do nothing: a pipe is asked nothing."""

    def note(self, text: str) -> None:
        """Tell it as a line."""
        click.echo(text)

    def close(self, view: RunView) -> None:
        """Print metrics, failures and the end."""
        closing = [*failures(view), end_of(view)]
        metrics = metrics_line(view)
        click.echo("\n".join([*([metrics] if metrics else []), *closing]))


def event_lines(view: RunView, event: Event) -> Iterator[str]:
    """Say an event in a line; nothing for those that only machines want."""
    name, data = visible(event.step or ""), event.data
    attempt = event.attempt or 0
    if event.type == "RunCreated":
        count = len(view.pipeline.steps)
        of = visible(str(data.get("name") or view.pipeline.name))
        yield f"run {event.run} of {of}: {count} step{'' if count == 1 else 's'}"
    elif event.type == "RunResumed":
        yield f"run {event.run} goes on"
    elif event.type == "AttemptStarted":
        step = view.state.steps.get((event.step or "", event.index))
        why = f" ({visible(step.why)})" if step and step.why and attempt == 1 else ""
        yield f"{name}: started{why}" if attempt == 1 else f"{name}: attempt {attempt} started"
    elif event.type == "StepCached":
        yield f"{name}: cached ({visible(str(data.get('why') or ''))})"
    elif event.type == "StepSucceeded":
        step = view.state.steps.get((event.step or "", event.index))
        if step is not None and step.status == "failed":
            return  # it had failed by then for another reason: what it published does not count
        took = describe_duration(data.get("duration"))
        yield f"{name}: succeeded" + (f" in {took}" if took else "")
    elif event.type == "AttemptFailed":
        if _tried_again(view, event):
            said = brief(data, event.step or "")
            yield f"{name}: attempt {attempt} failed, it is tried again: {said}"
    elif event.type == "StepFailed":
        yield f"{name}: failed: {brief(data, event.step or '')}"
    elif event.type == "StepSkipped":
        yield f"{name}: skipped ({visible(str(data.get('reason') or ''))})"
    elif event.type == "StepCancelled":
        yield f"{name}: cancelled"
    elif event.type == "MetricLogged":
        at = f" (step {data['step']})" if data.get("step") is not None else ""
        yield f"{name}: {visible(str(data.get('name')))} = {number(data.get('value'))}{at}"
    elif event.type == "Warning":
        yield warning_line(event)
    elif event.type == "EdgeAdded":
        why = ", ".join([*data.get("names", ()), *data.get("files", ())])
        source = visible(str(data.get("source")))
        yield f"{name}: depends on {source}, as the run showed ({visible(why)})"


def warning_line(event: Event) -> str:
    """Say a warning with its code and remedy."""
    data = event.data
    code = f"{data['code']}: " if data.get("code") else ""
    said = f"{str(data.get('message') or '').rstrip('.')}. {data.get('remedy') or ''}".rstrip()
    where = f"{visible(event.step)}: " if event.step else ""
    return f"{where}warning: {code}{visible(said)}"


def _tried_again(view: RunView, event: Event) -> bool:
    """Whether another attempt follows, so that this line is all that is said of the failure."""
    step = view.state.steps.get((event.step or "", event.index))
    if step is None or event.data.get("class") == "cancelled":
        return False
    return step.attempts > (event.attempt or 0) or step.retry_at is not None
