"""A driver without processes: carries out what the engine asks, with a clock that tests set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

import kfnb.engine
from kfnb.engine.core.commands import Command, EndKernel, Prepare, Record, Start, Stop, Wake
from kfnb.engine.core.event_decoding import convert_body
from kfnb.engine.core.event_types import Body
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Source
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import Engine, replay
from kfnb.engine.core.settings import Settings
from kfnb.pipeline import Edge, FileUse, Options, Pipeline, Step


def step(
    name: str,
    reads: str = "",
    writes: str = "",
    *,
    after: str = "",
    options: Options | None = None,
    files_read: str = "",
    files_written: str = "",
) -> Step:
    """A step that reads and writes names, given as words; producers are filled in by `pipeline`."""

    def uses(paths: str, mode: Any) -> tuple[FileUse, ...]:
        return tuple(FileUse(path, path, mode, 0, 1) for path in paths.split())

    return Step(
        name=name,
        id=name,
        order=0,
        cells=(),
        notes=(),
        inputs=dict.fromkeys(reads.split(), ""),
        outputs=tuple(writes.split()),
        parameters=(),
        after=tuple(after.split()),
        changes=(),
        options=options or Options(),
        prelude=(),
        body=(),
        reads=uses(files_read, "read"),
        writes=uses(files_written, "write"),
    )


def pipeline(*steps: Step, on_exit: str | None = None, defaults: Options | None = None) -> Pipeline:
    """The steps in this order; each name that is read comes from the last one that wrote it."""
    made: dict[str, Step] = {}
    last: dict[str, str] = {}
    edges: list[Edge] = []
    for order, given in enumerate(steps):
        inputs = {name: last.get(name, "") for name in given.inputs}
        fields = {f: getattr(given, f) for f in given.__slots__}
        made[given.name] = Step(**{**fields, "inputs": inputs, "order": order})
        edges += [Edge(p, given.name, (name,)) for name, p in inputs.items() if p]
        edges += [Edge(a, given.name, explicit=True) for a in given.after]
        last.update(dict.fromkeys(given.outputs, given.name))
    return Pipeline(
        name="test",
        description="",
        kernel="python3",
        language="python",
        cells=(),
        parameters=(),
        steps=made,
        edges=tuple(edges),
        diagnostics=(),
        defaults=defaults or Options(),
        on_exit=on_exit,
    )


def chain(count: int) -> Pipeline:
    """s0 → s1 → …"""
    return pipeline(*(step(f"s{n}", f"v{n - 1}" if n else "", f"v{n}") for n in range(count)))


def result(outputs: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """Data of StepSucceeded; a name with ``=`` behind it was published unchanged."""
    made = {
        name.rstrip("="): {"bundle": "b", "hash": "h", "changed": not name.endswith("=")}
        for name in outputs
    }
    return {"manifest": "m", "outputs": made, "duration": 1.0, **more}


def sources(steps: Mapping[str, str | None]) -> dict[str, Source | None]:
    """Names to the plain steps, in their first round, that they come from."""
    return {name: None if step is None else Source(step) for name, step in steps.items()}


def event_of(kind: str, data: Mapping[str, Any] | None = None, **envelope: Any) -> Event:
    """An event of this type with its data given as JSON values; number 1 of run r by default."""
    body: Body = convert_body(kind, dict(data or {}))
    return Event(**{"seq": 1, "time": 0.0, "run": "r", "data": body, **envelope})


def plain(value: Any) -> Any:
    """The JSON values of a struct, or of structs in a mapping."""
    return msgspec.to_builtins(value)


class Driver:
    """Journals into a list; attempts run until a test ends them."""

    def __init__(self, planned: Pipeline, **settings: Any) -> None:
        self.plan = Plan.of(planned)
        self.planned = planned
        self.engine = Engine(self.plan)
        self.events: list[Event] = []
        self.now = 1000.0
        self.running: dict[str, int] = {}
        self.stops: list[Stop] = []
        self.prepared: list[Prepare] = []
        self.cached: dict[str, Mapping[str, Any]] = {}
        self.wake: float | None = None
        self.emit("RunCreated", data={"settings": Settings(**settings).to_plain()})
        self.emit("DriverStarted", data={"pid": 1})

    def emit(
        self,
        type: str,  # noqa: A002 (the event's own word)
        step: str | None = None,
        data: Mapping[str, Any] | None = None,
        attempt: int | None = None,
        round: int | None = None,  # noqa: A002 (as above)
        index: str = "",
    ) -> None:
        """Journal one event of the step's current round, checked against the schema, and fold it."""
        mine = self.engine.state.steps.get((step or "", index))
        if round is None:
            round = mine.round if mine is not None else 0  # noqa: A001
        event = event_of(
            type,
            data,
            seq=len(self.events) + 1,
            time=self.now,
            step=step,
            index=index,
            round=round,
            attempt=attempt,
        )
        validate(event)
        event = Event.from_line(event.to_line())
        self.events.append(event)
        self.engine.apply(event)

    def turn(self) -> list[Command]:
        """Do everything that the engine asks until it asks no more; give what was asked."""
        asked: list[Command] = []
        for _ in range(1000):
            commands = self.engine.decide(self.now)
            asked += commands
            self.stops = [c for c in commands if isinstance(c, Stop)]
            self.wake = next((c.at for c in commands if isinstance(c, Wake)), None)
            for command in commands:
                if self.engine.wants(command):
                    self.carry_out(command)
            if not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
                return asked
        raise AssertionError("the engine never stops asking")

    def carry_out(self, command: Command) -> None:
        if isinstance(command, Record):
            self.emit(command.type, command.step, plain(command.data))
        elif isinstance(command, Prepare):
            self.prepared.append(command)
            hit = self.cached.get(command.step) if command.cache else None
            data = {**(hit or {}), "inputs": plain(command.inputs), "why": "first run"}
            self.emit("StepReady" if hit is None else "StepCached", command.step, data)
        elif isinstance(command, EndKernel):
            data = {"reason": "no later step needs it"}
            self.emit("KernelEnded", command.step, data, command.attempt, index=command.index)
        elif isinstance(command, Start):
            data = {"kernel": list(command.kernel)} if command.kernel else {}
            self.emit("AttemptStarted", command.step, data, command.attempt)
            self.running[command.step] = command.attempt

    def succeed(self, name: str, outputs: Iterable[str] | None = None, **more: Any) -> None:
        """End the step's attempt well; it publishes what was planned, or ``outputs``."""
        if outputs is None:
            outputs = self.planned.steps[name].outputs
        attempt = self.running.pop(name)
        self.emit("StepSucceeded", name, result(outputs, **more), attempt)
        self.turn()

    def fail(self, name: str, kind: str = "user", **more: Any) -> None:
        attempt = self.running.pop(name)
        self.emit("AttemptFailed", name, {"class": kind, **more}, attempt)
        self.turn()

    def obey(self) -> None:
        """End every attempt that is to be stopped, until none is."""
        self.turn()
        while self.stops:
            for stop in list(self.stops):
                kind = "timeout" if stop.reason == "timeout" else "cancelled"
                self.running.pop(stop.step, None)
                self.emit("AttemptFailed", stop.step, {"class": kind}, stop.attempt)
            self.turn()

    def wait(self) -> None:
        """Let time pass until the engine wants to be woken."""
        assert self.wake is not None
        self.now = self.wake
        self.turn()

    def resume(self) -> None:
        self.emit("DriverStarted", data={"pid": 2})
        self.emit("RunResumed")
        self.turn()

    @property
    def status(self) -> str:
        return self.engine.state.status

    def statuses(self) -> dict[str, str]:
        return {s.name: s.status for s in self.engine.state.steps.values()}

    def types(self, name: str | None = None) -> list[str]:
        return [e.type for e in self.events if e.step == name]

    def data(self, kind: str) -> list[Mapping[str, Any]]:
        return [e.to_plain()["data"] for e in self.events if e.type == kind]

    def replayed(self) -> Engine:
        return replay(self.plan, self.events)


@cache
def schema() -> jsonschema.Draft202012Validator:
    path = Path(kfnb.engine.__file__).with_name("events.schema.json")
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def validate(event: Event) -> None:
    schema().validate(event.to_plain())
