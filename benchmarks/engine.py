"""Measure the engine: ``python -m benchmarks.engine [STEPS]`` prints a table.

A driver without processes executes the engine's commands, and every attempt succeeds at once. The
cost of a decision is that of one command: its share of ``decide``, and making and applying the
resulting events. The figure is the best of three runs in CPU time, which other programs on the
machine disturb least. Memory is the peak of Python's allocations for plan, state and indices.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Iterator

from kfnb.engine.core.commands import Prepare, Record, Start
from kfnb.engine.core.event_types import (
    AttemptStarted,
    Body,
    OutputData,
    RunCreated,
    StepReady,
    StepSucceeded,
)
from kfnb.engine.core.events import Event
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import Engine
from kfnb.engine.core.settings import Settings
from kfnb.engine.driver import collect_garbage_rarely
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
    """One first step, then all beside each other."""
    return pipeline([step(n, [0] if n else []) for n in range(count)])


def layered(count: int, width: int = 100) -> Pipeline:
    """Layers of 100 steps; each reads from three of the layer before."""

    def reads(n: int) -> list[int]:
        above, column = n // width - 1, n % width
        inputs = sorted({(column * 7 + k) % width for k in range(3)})
        return [above * width + at for at in inputs] if above >= 0 else []

    return pipeline([step(n, reads(n)) for n in range(count)])


class Replay:
    """Executes commands at little cost, which is counted with the engine's."""

    def __init__(self, planned: Pipeline, *, aliases: bool) -> None:
        self.engine = Engine(Plan.of(planned))
        self.planned = planned
        self.aliases = aliases
        self.seq = 0
        self.spent = 0.0
        self.decisions = 0
        self.emit(RunCreated(settings=Settings(parallel=8)))

    def emit(self, data: Body, name: str | None = None, attempt: int | None = None) -> None:
        self.seq += 1
        event = Event(self.seq, float(self.seq), "r", data, name, attempt=attempt)
        self.engine.apply(event)

    def result(self, name: str) -> StepSucceeded:
        """Give every planned name; with aliases, one more that was not planned."""
        names = list(self.planned.steps[name].outputs)
        if self.aliases:
            names += self.planned.steps[name].inputs
        outputs = {n: OutputData(bundle=name, changed=n in names[:1]) for n in names}
        return StepSucceeded(outputs=outputs, aliases=(tuple(names),) if self.aliases else ())

    def run(self) -> None:
        running: list[tuple[str, int]] = []
        before = time.process_time()
        while not self.engine.state.ended:
            commands = self.engine.decide(float(self.seq))
            for command in commands:
                self.decisions += 1
                if isinstance(command, Prepare):
                    self.emit(StepReady(inputs=dict(command.inputs)), command.step)
                elif isinstance(command, Start):
                    self.emit(AttemptStarted(), command.step, command.attempt)
                    running.append((command.step, command.attempt))
                elif isinstance(command, Record):
                    self.emit(command.data, command.step)
            if running and not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
                name, attempt = running.pop(0)
                self.emit(self.result(name), name, attempt)
        self.spent = time.process_time() - before


def measure(planned: Pipeline, *, aliases: bool = False) -> tuple[float, float]:
    """Return microseconds per decision, and megabytes of another run: tracing memory costs time."""
    each = float("inf")
    for _ in range(3):
        gc.collect()
        replay = Replay(planned, aliases=aliases)
        replay.run()
        assert replay.engine.state.status == "succeeded"
        each = min(each, replay.spent / replay.decisions * 1e6)
        del replay
    gc.collect()
    tracemalloc.start()
    Replay(planned, aliases=aliases).run()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return each, peak


def figures(count: int = 10_000) -> Iterator[tuple[str, float, str, str]]:
    """Yield the rows of the table: who, how much, unit and note."""
    collect_garbage_rarely()
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
