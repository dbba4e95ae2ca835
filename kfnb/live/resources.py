"""What a step used while it executed: CPU and memory over time, and the requests for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kfnb.api.run_view import RunView
from kfnb.engine.core.event_types import ResourceSampled
from kfnb.engine.journal.file_journal import read_journal
from kfnb.live import protocol

MAX_SAMPLES = 400
"""Most samples that a page is sent; of a longer attempt every n-th."""
_ROOM = 1.2
"""How much more than the most that was used is suggested."""
_MIB = 1 << 20


def resources(view: RunView, step: str, index: str) -> protocol.ResourcesMessage:
    """Read the samples of the newest attempt of a step from the journal of its run.

    Raises
    ------
    InfrastructureError
        If the journal cannot be read.
    """
    attempt = view.state.steps[step, index].attempts
    samples: list[protocol.Sample] = [
        [event.time, event.data.cpu_seconds, event.data.memory]
        for event in read_journal(view.folder.journal)
        if isinstance(event.data, ResourceSampled)
        and (event.step, event.index, event.attempt) == (step, index, attempt)
    ]
    every = math.ceil(len(samples) / MAX_SAMPLES) or 1
    return {
        "kind": "resources",
        "step": step,
        "index": index,
        "attempt": attempt,
        "samples": samples[::every],
        "cpu": suggested_cpu(samples),
        "memory": suggested_memory(samples),
    }


def suggested_memory(samples: Sequence[protocol.Sample]) -> str | None:
    """Return a request for memory as a tag has it, with some room; None without samples.

    >>> suggested_memory([[0.0, 0.0, 400e6], [1.0, 0.5, 900e6]])
    '1088Mi'
    """
    most = max((memory for _, _, memory in samples if memory is not None), default=None)
    if most is None:
        return None
    return f"{64 * math.ceil(_ROOM * most / _MIB / 64)}Mi"


def suggested_cpu(samples: Sequence[protocol.Sample]) -> str | None:
    """Return a request for CPU as a tag has it: the cores used on average; None without samples.

    >>> suggested_cpu([[0.0, 0.0, None], [10.0, 15.0, None]])
    '1.8'
    """
    known = [(when, cpu) for when, cpu, _ in samples if when is not None and cpu is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    cores = (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
    return f"{max(0.1, math.ceil(10 * _ROOM * cores - 1e-9) / 10):g}"
