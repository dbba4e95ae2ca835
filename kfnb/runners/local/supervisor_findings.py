"""What ``kfnb doctor`` says about the supervisor and what lives below it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kfnb.durations import describe_duration
from kfnb.runners.amounts import count
from kfnb.runners.target import Finding

if TYPE_CHECKING:
    from kfnb.step.supervisor.messages import ProcessList


def supervisor_findings() -> Iterator[Finding]:
    """Describe the supervisor of this environment, its templates and attempts, and the rest."""
    from kfnb.step.supervisor.client import TEMPLATES, Supervisor, SupervisorLost, is_available

    if not is_available():
        yield Finding(
            "supervisor",
            "optional",
            "Runs start their steps without a supervisor and templates, which need Linux and are "
            f"switched off by {TEMPLATES}=off.",
        )
        return
    supervisor = Supervisor.connect(start=False, role="visitor")
    if supervisor is None:
        yield Finding("supervisor", "ok", "No supervisor runs; the next run starts one.")
        return
    try:
        listed = supervisor.processes()
    except SupervisorLost:
        yield Finding("supervisor", "warning", "The supervisor does not answer.")
        return
    finally:
        supervisor.close()
    yield from _describe(listed)


def _describe(listed: ProcessList) -> Iterator[Finding]:
    since = describe_duration(max(0.0, time.time() - listed.started))
    parts = (
        count(len(listed.drivers), "run"),
        count(len(listed.attempts), "executing step"),
        count(len(listed.templates), "template"),
    )
    yield Finding(
        "supervisor",
        "ok",
        f"The supervisor (pid {listed.pid}) has been there for {since}: {', '.join(parts)}.",
    )
    for pid, description in listed.templates.items():
        yield Finding("template", "ok", f"Template for {description} (pid {pid}).")
    for key, number in listed.attempts.items():
        yield Finding("attempt", "ok", f"Step {_attempt(key)} (pid {number}).")
    for pid, key in listed.kernels.items():
        yield Finding("kernel process", "ok", f"Kernel of step {_attempt(key)} (pid {pid}).")
    named = {*map(str, listed.attempts.values()), *listed.kernels, *listed.templates}
    for pid, description in listed.below.items():
        if pid not in named:
            yield Finding("process", "ok", f"Below it: {description}.")


def _attempt(key: str) -> str:
    """Name an attempt by its folder, which is ``runs/<id>/steps/<step>/<attempt>``."""
    folder = Path(key)
    return f"{folder.parent.name}, attempt {folder.name}, of run {folder.parents[2].name}"
