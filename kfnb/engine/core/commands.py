"""What the engine asks of a driver, and the event that each command leads to.

**Durability.** Nothing outside the journal may happen because of an event that a power cut could
still take back. ``AttemptStarted``, what a ``Record`` says, and the results of attempts are durable
before anything follows from them, and make everything before them durable. ``StepReady``,
``StepCached`` and the progress of attempts are written without waiting: whoever loses them loses a
lookup or a line of a log, because a start comes after an ``AttemptStarted`` that is durable.

The driver's turn, repeated whenever events came in or a wake time has passed::

    while True:
        commands = engine.decide(now)
        for command in commands:
            if engine.wants(command):  # an event of this very batch may have overtaken it
                ...carry out as below, `engine.apply(journal.append(...))` for each event
        if not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
            break

``Stop`` and ``Wake`` say what holds now, not what is new: they are repeated until the attempt has
ended or the time has passed.

=============  =================================================================================
``Record``     Journal the event (data, step, index, round) as it stands. Nothing else.
``Prepare``    Delete the step's published manifest of this run, if there is one: it belongs to an
               execution that no longer counts. Compute the cache key with the given inputs and look
               it up if ``cache``. Then journal ``StepCached`` (``inputs`` as given; files and
               executed notebook restored before) or ``StepReady`` (``inputs`` as given). If the
               step can never start as asked: ``StepFailed`` (class ``configuration``).
``Start``      Journal ``AttemptStarted`` (step, index, attempt), then start the runner. If that
               cannot be done: ``AttemptFailed`` (class ``infrastructure`` or ``configuration``).
``Stop``       Ask the runner to end the attempt; once is enough, the runner kills an attempt that
               does not end by itself. When it has ended: ``StepSucceeded`` if a manifest of it
               exists, else ``AttemptFailed`` with class ``timeout`` (reason ``timeout``) or
               ``cancelled`` (the other reasons), or the class in the attempt's own record.
``EndKernel``  Have the kernel of a group end, and journal ``KernelEnded``.
``Wake``       Call ``decide`` again at this time (seconds since the epoch), or earlier.
=============  =================================================================================

Without being asked, a driver journals ``DriverStarted`` when it begins, ``RunResumed`` when a
person asked for that, ``StopRequested``, what attempts report (``CellStarted`` … ``StepSucceeded``,
``AttemptFailed``), and ``AttemptFailed`` (class ``infrastructure``) for each of ``engine.active()``
of which nothing is left after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kfnb.engine.core.event_types import Body
from kfnb.engine.core.identity import Attempt, Source

StopReason = Literal["timeout", "cancel", "superseded"]


@dataclass(frozen=True, slots=True)
class Prepare:
    """Find out whether a step must execute, with these inputs.

    ``inputs`` maps each name to the execution that published the version to use, None where none
    did (the name is absent). ``cache`` False: make a key, but do not look it up. ``again`` is why
    the step begins anew, empty if it does not. ``grouped``: it is not looked up, because a step
    executes with which it shares a kernel.
    """

    step: str
    index: str
    inputs: Mapping[str, Source | None]
    cache: bool = True
    round: int = 0
    again: str = ""
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Execute a step that is ready. ``timeout`` is in seconds.

    ``kernel`` is the attempt whose kernel executes it, None for a kernel of its own. ``grouped``:
    the kernel is to wait for the next step of the group afterwards.
    """

    step: str
    index: str
    attempt: int
    inputs: Mapping[str, Source | None]
    timeout: float | None = None
    round: int = 0
    kernel: Attempt | None = None
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class EndKernel:
    """End the kernel that an attempt has started: no step of its group executes any more."""

    step: str
    index: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End an attempt that executes."""

    step: str
    index: str
    attempt: int
    reason: StopReason
    round: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Journal an event that is the engine's own decision."""

    data: Body
    step: str | None = None
    index: str = ""
    round: int = 0

    @property
    def type(self) -> str:
        """The name of the event's type."""
        return self.data.type


@dataclass(frozen=True, slots=True)
class Wake:
    """Nothing is due before ``at`` (seconds since the epoch) unless an event comes."""

    at: float


Command = Prepare | Start | Stop | EndKernel | Record | Wake
