"""The events of a run as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from kfnb.api.run_view import RunView
from kfnb.api.use_cases.formats import number
from kfnb.api.use_cases.run_summary import brief
from kfnb.draw import visible
from kfnb.durations import describe_duration
from kfnb.engine.core.events import Event
from kfnb.runners.amounts import count


def event_lines(view: RunView, event: Event) -> Iterator[str]:
    """Describe an event in a line; nothing for events that only programs read."""
    name, data = visible(event.step or ""), event.data
    attempt = event.attempt or 0
    if event.type == "RunCreated":
        name = visible(str(data.get("name") or view.pipeline.name))
        yield f"run {event.run} of {name}: {count(len(view.pipeline.steps), 'step')}"
    elif event.type == "RunResumed":
        yield f"run {event.run} resumed"
    elif event.type == "AttemptStarted":
        step = view.state.steps.get((event.step or "", event.index))
        why = f" ({visible(step.why)})" if step and step.why and attempt == 1 else ""
        yield f"{name}: started{why}" if attempt == 1 else f"{name}: attempt {attempt} started"
    elif event.type == "StepCached":
        yield f"{name}: cached ({visible(str(data.get('why') or ''))})"
    elif event.type == "StepSucceeded":
        step = view.state.steps.get((event.step or "", event.index))
        if step is not None and step.status == "failed":
            return  # the step had already failed for another reason, so this result does not count
        took = describe_duration(data.get("duration"))
        yield f"{name}: succeeded" + (f" in {took}" if took else "")
    elif event.type == "AttemptFailed":
        if _will_be_retried(view, event):
            reason = brief(data, event.step or "")
            yield f"{name}: attempt {attempt} failed and will be retried: {reason}"
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
        yield f"{name}: was found to depend on {source} during the run ({visible(why)})"


def warning_line(event: Event) -> str:
    """Return a warning with its code and remedy."""
    data = event.data
    code = f"{data['code']}: " if data.get("code") else ""
    text = f"{str(data.get('message') or '').rstrip('.')}. {data.get('remedy') or ''}".rstrip()
    step = f"{visible(event.step)}: " if event.step else ""
    return f"{step}warning: {code}{visible(text)}"


def _will_be_retried(view: RunView, event: Event) -> bool:
    """Whether another attempt follows; otherwise ``StepFailed`` describes the failure."""
    step = view.state.steps.get((event.step or "", event.index))
    if step is None or event.data.get("class") == "cancelled":
        return False
    return step.attempts > (event.attempt or 0) or step.retry_at is not None
