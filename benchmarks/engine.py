"""Measure the engine: ``python -m benchmarks.engine [STEPS]`` prints a table.

A driver without processes executes the engine's commands, and every attempt succeeds at once. The
cost of a decision is that of one command: its share of ``decide``, and ``apply`` of the resulting
events. Memory is the peak of Python's allocations for plan, state and indices.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

from kfnb.engine.core.commands import Prepare, Record, Start
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import inputs_to_plain
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import Engine
from kfnb.engine.core.settings import Settings
from kfnb.pipeline import Edge, Options, Pipeline, Step


def step(n: int, reads: list[int]) -> Step:
    return Step(
        name=f"step {n}",
        id=f"step-{n}",
        order=n,
        cells=(n,),
        notes=(),
        inputs={f"v{m}": f"step {m}" for m in reads},
        outputs=(f"v{n}",),
        parameters=(),
        after=(),
        changes=(),
        options=Options(),
        prelude=(),
        body=(),
    )


def pipeline(steps: list[Step]) -> Pipeline:
    return Pipeline(
        name="benchmark",
        description="",
        kernel="python3",
        language="python",
        cells=(),
        parameters=(),
        steps={s.name: s for s in steps},
        edges=tuple(Edge(p, s.name, (v,)) for s in steps for v, p in s.inputs.items()),
        diagnostics=(),
    )


def chain(count: int) -> Pipeline:
    return pipeline([step(n, [n - 1] if n else []) for n in range(count)])


def wide(count: int) -> Pipeline:
    """Make one first step, and all others in parallel after it."""
    return pipeline([step(n, [0] if n else []) for n in range(count)])


def layered(count: int, width: int = 100) -> Pipeline:
    """Make layers of 100 steps, each of which reads from three steps of the previous layer."""

    def reads(n: int) -> list[int]:
        above, column = n // width - 1, n % width
        inputs = sorted({(column * 7 + k) % width for k in range(3)})
        return [above * width + at for at in inputs] if above >= 0 else []

    return pipeline([step(n, reads(n)) for n in range(count)])


class Replay:
    """Executes commands without cost, and measures the engine's time."""

    def __init__(self, planned: Pipeline, *, aliases: bool) -> None:
        self.engine = Engine(Plan.of(planned))
        self.planned = planned
        self.aliases = aliases
        self.seq = 0
        self.spent = 0.0
        self.decisions = 0
        self.emit("RunCreated", data={"settings": Settings(parallel=8).to_plain()})

    def emit(
        self, kind: str, name: str | None = None, attempt: int | None = None, **more: Any
    ) -> None:
        self.seq += 1
        data = more.pop("data", {})
        event = Event(self.seq, float(self.seq), "r", kind, name, "", attempt, data)
        before = time.process_time()
        self.engine.apply(event)
        self.spent += time.process_time() - before

    def result(self, name: str) -> dict[str, Any]:
        """Give every planned name; with aliases, one more that was not planned."""
        names = list(self.planned.steps[name].outputs)
        if self.aliases:
            names += self.planned.steps[name].inputs
        outputs = {n: {"bundle": name, "changed": n in names[:1]} for n in names}
        return {"outputs": outputs, "aliases": [names] if self.aliases else []}

    def run(self) -> None:
        running: list[tuple[str, int]] = []
        while not self.engine.state.ended:
            before = time.process_time()
            commands = self.engine.decide(float(self.seq))
            self.spent += time.process_time() - before
            for command in commands:
                self.decisions += 1
                if isinstance(command, Prepare):
                    self.emit(
                        "StepReady", command.step, data={"inputs": inputs_to_plain(command.inputs)}
                    )
                elif isinstance(command, Start):
                    self.emit("AttemptStarted", command.step, command.attempt)
                    running.append((command.step, command.attempt))
                elif isinstance(command, Record):
                    self.emit(command.type, command.step, data=command.data)
            if running and not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
                name, attempt = running.pop(0)
                self.emit("StepSucceeded", name, attempt, data=self.result(name))


def measure(planned: Pipeline, *, aliases: bool = False) -> tuple[float, float]:
    """Return microseconds per decision, and megabytes of a second run that traces memory."""
    gc.collect()
    replay = Replay(planned, aliases=aliases)
    replay.run()
    assert replay.engine.state.status == "succeeded"
    each = replay.spent / replay.decisions * 1e6
    del replay
    gc.collect()
    tracemalloc.start()
    Replay(planned, aliases=aliases).run()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return each, peak


def figures(count: int = 10_000) -> Iterator[tuple[str, float, str, str]]:
    """Yield the rows of the table: who, how much, unit and note."""
    for make in (chain, wide, layered):
        for size in (count // 4, count):
            each, peak = measure(make(size))
            yield "kfnb", each, "µs CPU a decision", f"{make.__name__}, {size} steps"
        yield "kfnb", peak, "MB", f"{make.__name__}, {size} steps"
    for make in (chain, layered):
        each, peak = measure(make(count), aliases=True)
        note = f"{make.__name__}, {count} steps, aliases everywhere"
        yield "kfnb", each, "µs CPU a decision", note
        yield "kfnb", peak, "MB", note


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.engine", description=__doc__)
    parser.add_argument("steps", nargs="?", type=int, default=10_000)
    print("| pipeline | figure | |\n|---|---|---|")
    for _, value, unit, note in figures(parser.parse_args().steps):
        print(f"| {note} | {value:.1f} | {unit} |", flush=True)


if __name__ == "__main__":
    main()
