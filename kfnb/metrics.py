"""Log a number while a step runs: ``kfnb.log_metric``.

A step has a file, named by the environment variable ``KFNB_METRICS``, to which each call appends
one line, so that threads, forked workers and subprocesses can log as well. Anywhere else, a call
only checks its arguments.
"""

from __future__ import annotations

import json
import logging
import math
import numbers
import operator
import os
import time
from dataclasses import dataclass
from typing import Any, SupportsFloat, SupportsIndex

CHANNEL = "KFNB_METRICS"

_log = logging.getLogger("kfnb.metrics")


@dataclass(frozen=True, slots=True)
class Metric:
    """One logged number; ``time`` is in unix seconds."""

    name: str
    value: float
    step: int | None = None
    time: float = 0.0


def log_metric(name: str, value: SupportsFloat, step: int | None = None) -> None:
    """Log ``value`` under ``name``, optionally at ``step``, such as an epoch.

    In a notebook or script that no pipeline runs, nothing is recorded.

    Parameters
    ----------
    name
        What is measured, such as ``"loss"``.
    value
        A real number: Python's, numpy's, or an array or tensor with one element.
        NaN and infinities are allowed.
    step
        An epoch, batch or iteration.

    Raises
    ------
    TypeError
        If an argument has another type.
    ValueError
        If the name is empty, or the value has several elements.

    Examples
    --------
    >>> log_metric("accuracy", 0.93)
    >>> log_metric("loss", 1, step=3)
    >>> log_metric("accuracy", "high")
    Traceback (most recent call last):
        ...
    TypeError: the metric "accuracy" must be a real number, not str
    """
    # Also outside of a step, so that a mistake shows before the notebook runs as a pipeline.
    metric = checked(name, value, step)
    channel = os.environ.get(CHANNEL)
    if not channel:
        _log.debug("metric %s = %r (step %s)", metric.name, metric.value, metric.step)
        return
    line = encode(metric).encode() + b"\n"
    fd = os.open(channel, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # One write of a short line, so that lines of several processes do not mix.
        os.write(fd, line)
    finally:
        os.close(fd)


def checked(name: object, value: object, step: object = None) -> Metric:
    """Return the arguments as a metric with the present time; raises as :func:`log_metric`."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric must be a string, not {type(name).__name__}")
    if not name.strip():
        raise ValueError("the name of a metric must not be empty")
    return Metric(name=name, value=_real(name, value), step=_step(name, step), time=time.time())


def encode(metric: Metric) -> str:
    """Write a metric as one line of JSON; NaN and infinities as text."""
    return json.dumps([metric.time, metric.name, plain(metric.value), metric.step])


def plain(value: float) -> float | str:
    """Return the number as JSON can hold it: NaN and infinities as text."""
    return value if math.isfinite(value) else str(value)


def decode(line: str | bytes) -> Metric | None:
    """Read a line of the channel; None if it is not a metric (an incomplete line, for example)."""
    try:
        when, name, value, step = json.loads(line)
        return Metric(str(name), float(value), step, float(when))
    except (ValueError, TypeError):
        return None


def _real(name: str, value: object) -> float:
    """Return ``value`` as a float; a boolean counts as 0 or 1."""
    number: Any = value
    # Arrays and tensors are recognised by their methods, because importing their libraries is slow.
    if not isinstance(value, numbers.Real):
        size = getattr(value, "size", None)
        size = size() if callable(size) else size  # torch: a method; here a shape, never an int
        if isinstance(size, tuple):
            size = math.prod(size)
        item = getattr(value, "item", None)
        if not callable(item) or not isinstance(size, int):
            number = _by_float(name, value)
        elif size != 1:
            raise ValueError(f'the metric "{name}" must be one number, not {size} of them')
        else:
            number = item()
    if isinstance(number, complex) or not isinstance(number, numbers.Real):
        raise TypeError(f'the metric "{name}" must be a real number, not {_kind(value)}')
    return float(number)


def _by_float(name: str, value: object) -> float:
    """Convert what is a number by protocol only (Decimal, tensorflow scalars)."""
    convert = getattr(type(value), "__float__", None)
    if convert is None or isinstance(value, (str, bytes)):
        raise TypeError(f'the metric "{name}" must be a real number, not {_kind(value)}')
    return float(convert(value))


def _step(name: str, step: object) -> int | None:
    if step is None:
        return None
    if isinstance(step, SupportsIndex):
        return operator.index(step)
    if isinstance(step, numbers.Real) and float(step).is_integer():
        return int(float(step))
    raise TypeError(f'the step of the metric "{name}" must be a whole number, not {_kind(step)}')


def _kind(value: object) -> str:
    return type(value).__name__
