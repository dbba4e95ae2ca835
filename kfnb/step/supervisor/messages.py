"""The messages between the supervisor and its clients, and their form as bytes.

A message is a frame: four bytes of length, then JSON. Both sides have the same version of kfnb, as
the supervisor's address depends on it, so there is one form and no negotiation.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LARGEST = 16 << 20
"""Bytes of a frame; an environment may take some of them."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a client; a driver keeps the supervisor from leaving."""

    role: Literal["driver", "visitor"]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to :class:`Hello`."""

    pid: int


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Execute ``command`` as the attempt ``key`` (its folder).

    :class:`Started` and :class:`Ended` follow.

    Two descriptors come with it: the file for what the process prints, and the attempt's lock. A
    third one, if there is one, is the pipe with the masked parameters.
    ``template`` is the JSON of a :class:`~kfnb.step.templates.spec.TemplateSpec` from which the
    process may be forked with ``arguments``, empty if it may not.
    """

    key: str
    command: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    template: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt has a process now."""

    key: str
    pid: int


@dataclass(frozen=True, slots=True)
class PrepareTemplate:
    """Start a template that will be asked for soon."""

    template: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Report the end of an attempt that another driver started to this one."""

    request: int
    key: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """The answer to :class:`Adopt`: whether the attempt executes."""

    request: int
    executes: bool


@dataclass(frozen=True, slots=True)
class SignalAttempt:
    """Send a signal to an attempt's process, or to its whole process group."""

    key: str
    number: int
    group: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt has ended, with everything it started.

    ``status`` is the exit code, a signal as a negative number. ``left`` describes processes that it
    left running and that were ended.
    """

    key: str
    status: int
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartKernel:
    """Fork a kernel for the attempt whose step process sends this, with the order's descriptors.

    ``template`` and ``order`` are the JSON of a TemplateSpec and a ForkOrder.
    """

    request: int
    template: str
    order: str


@dataclass(frozen=True, slots=True)
class KernelStarted:
    """The answer to :class:`StartKernel`: the pid, 0 if no kernel was forked."""

    request: int
    pid: int = 0
    listener_is_read: bool = False


@dataclass(frozen=True, slots=True)
class KernelEnded:
    """A forked kernel has ended: its exit code (a signal negative), bytes, seconds."""

    pid: int
    status: int
    peak_memory: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class ListenTo:
    """Write the files that a kernel opens to ``report``; the listener comes with it."""

    report: str


@dataclass(frozen=True, slots=True)
class Limit:
    """The first cell begins: kill the attempt if it exceeds a limit and does not end by itself.

    ``seconds`` from now on, and bytes of ``memory`` of its kernel; None: no limit.
    """

    seconds: float | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class EndLeftovers:
    """End what the kernel of this attempt left running; sent by its step process."""

    request: int


@dataclass(frozen=True, slots=True)
class LeftoversEnded:
    """The answer to :class:`EndLeftovers`: descriptions of the processes that were ended."""

    request: int
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListProcesses:
    """Ask what lives below the supervisor."""

    request: int


@dataclass(frozen=True, slots=True)
class ProcessList:
    """The answer to :class:`ListProcesses`.

    ``attempts`` has pids by attempt, ``kernels`` and ``templates`` descriptions by pid (as text),
    ``below`` descriptions of all processes.
    """

    request: int
    pid: int
    started: float
    drivers: tuple[int, ...] = ()
    attempts: Mapping[str, int] = field(default_factory=dict)
    kernels: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    below: Mapping[str, str] = field(default_factory=dict)


_MESSAGES: tuple[type[Any], ...] = (
    Hello,
    Welcome,
    StartAttempt,
    Started,
    PrepareTemplate,
    StartKernel,
    KernelStarted,
    KernelEnded,
    ListenTo,
    Limit,
    Adopt,
    Adopted,
    SignalAttempt,
    Ended,
    EndLeftovers,
    LeftoversEnded,
    ListProcesses,
    ProcessList,
)
_BY_NAME = {message.__name__: message for message in _MESSAGES}


def encode(message: object, *, descriptors: int) -> bytes:
    """Return the frame of a message that is sent with this number of descriptors."""
    # dataclasses.asdict() would copy every variable of an environment by itself.
    fields = dataclasses.fields(message)  # type: ignore[arg-type]
    body = {part.name: getattr(message, part.name) for part in fields}
    data = json.dumps([type(message).__name__, descriptors, body]).encode()
    return len(data).to_bytes(4, "big") + data


def decode(data: bytes) -> tuple[Any, int]:
    """Return the message of a frame (without its length), and its number of descriptors.

    Raises
    ------
    ValueError
        If it is no message.
    """
    try:
        name, descriptors, body = json.loads(data)
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in body.items()}
        return _BY_NAME[name](**plain), int(descriptors)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is no message of kfnb's supervisor: {error}.") from error
