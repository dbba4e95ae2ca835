"""The events of a run as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from kfnb.api.run_view import RunView
from kfnb.api.step_lookup import step_label
from kfnb.api.use_cases.formats import number
from kfnb.api.use_cases.run_summary import brief
from kfnb.draw import visible
from kfnb.durations import describe_duration
from kfnb.engine.core import event_types as types
from kfnb.engine.core.events import Event
from kfnb.engine.core.state import OPEN, Metric, StepState
from kfnb.runners.amounts import count


def event_lines(view: RunView, event: Event) -> Iterator[str]:
    """Describe an event in a line; nothing for events that only programs read."""
    name, data = visible(step_label(event.step or "", event.index)), event.data
    step = view.state.steps.get((event.step or "", event.index))
    match data:
        case types.RunCreated():
            name = visible(data.name or view.pipeline.name)
            yield f"run {event.run} of {name}: {count(len(view.pipeline.steps), 'step')}"
        case types.RunResumed():
            yield f"run {event.run} resumed"
        case types.StepInvalidated():
            yield f"{name}: begins anew: {visible(data.because)}"
            others = [step_label(n, i) for n, i, _ in data.voids if (n, i) != data.target]
            if others:
                those = "with it" if data.group else "with it, what used its result"
                yield f"{name}: {those}: {visible(', '.join(others))}"
            if data.remedy:
                yield f"{name}: to avoid this: {visible(data.remedy)}"
        case types.GroupFormed():
            members = ", ".join(step_label(n, i) for n, i in data.members)
            yield f"{visible(members)}: execute in one kernel, because {visible(data.why)}"
        case types.AttemptStarted() if event.attempt == 1:
            yield f"{name}: started" + (f" ({visible(step.why)})" if step and step.why else "")
        case types.AttemptStarted():
            yield f"{name}: attempt {event.attempt} started"
        case types.StepCached():
            yield f"{name}: cached ({visible(data.why or '')})"
        case types.StepSucceeded():
            if step is not None and step.status == "failed":
                return  # the step had already failed, so this result does not count
            yield from _metric_lines(step, name)
            took = describe_duration(data.duration)
            yield f"{name}: succeeded" + (f" in {took}" if took else "")
        case types.AttemptFailed():
            reason = brief(data, event.step or "")
            if step is not None and _will_be_retried(step, event.attempt or 0, data):
                yield f"{name}: attempt {event.attempt} failed and will be retried: {reason}"
            elif step is not None and _is_provisional(view, step):
                yield (
                    f"{name}: failed: {reason}; steps before it still execute, and if one of them "
                    "leaves something that it missed, it is executed again"
                )
        case types.StepFailed():
            yield from _metric_lines(step, name)
            yield f"{name}: failed: {brief(data, event.step or '')}"
        case types.StepSkipped():
            yield f"{name}: skipped ({visible(data.reason)})"
        case types.StepCancelled():
            yield f"{name}: cancelled"
        case types.Warning():
            yield warning_line(event, data)
        case types.EdgeAdded():
            why = visible(", ".join([*data.names, *data.files]))
            when = "in an earlier run" if data.learned else "during the run"
            yield f"{name}: was found to depend on {visible(data.source)} {when} ({why})"


def warning_line(event: Event, data: types.Warning) -> str:
    """Return the warning of an event with its step, code and remedy."""
    code = f"{data.code}: " if data.code else ""
    text = f"{data.message.rstrip('.')}. {data.remedy or ''}".rstrip()
    begin = f"{visible(step_label(event.step, event.index))}: " if event.step else ""
    return f"{begin}warning: {code}{visible(text)}"


def _metric_lines(step: StepState | None, name: str) -> Iterator[str]:
    """Describe each metric of a step that ended in one line: a training loop logs thousands."""
    by_name: dict[str, list[Metric]] = {}
    for metric in step.metrics if step is not None else ():
        by_name.setdefault(metric.name, []).append(metric)
    for metric_name, logged in by_name.items():
        last = logged[-1]
        notes = [f"step {last.step}"] if last.step is not None else []
        notes += [f"the last of {len(logged)} values"] if len(logged) > 1 else []
        detail = f" ({', '.join(notes)})" if notes else ""
        yield f"{name}: {visible(metric_name)} = {number(last.value)}{detail}"


def _is_provisional(view: RunView, step: StepState) -> bool:
    """Whether the step has failed, but may be executed again because of a step before it."""
    if not step.permanent or step.status != "pending":
        return False
    order = view.pipeline.steps[step.name].order
    return any(
        view.pipeline.steps[other.name].order < order and other.status in OPEN
        for other in view.state.steps.values()
    )


def _will_be_retried(step: StepState, attempt: int, failure: types.AttemptFailed) -> bool:
    """Whether another attempt follows; otherwise ``StepFailed`` describes the failure."""
    if failure.kind == "cancelled":
        return False
    # All new events are applied before the first is described, so the next attempt may have begun.
    return step.attempts > attempt or step.retry_at is not None
