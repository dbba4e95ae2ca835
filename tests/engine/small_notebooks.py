"""Small notebooks executed twice: linearly, and as steps that load, change and publish copies.

The steps do what the engine's plan knows of, and things that it does not: hidden changes,
hidden aliases, files that no source shows. What a step sees in the one and in the other world
is compared by `test_same_as_the_notebook`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfnb.pipeline import Pipeline
from tests.engine.pretend_driver import Driver, pipeline, result, step

Verb = Literal["new", "change", "hidden change", "alias", "maybe"]
Content = tuple[Any, ...]


@dataclass(frozen=True)
class Act:
    """``alias``: ``name = other``; ``maybe``: planned to change ``name`` but does not."""

    verb: Verb
    name: str
    other: str = ""


@dataclass(frozen=True)
class Cell:
    """One step: what it looks at, then what it does, then the files it touches."""

    reads: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    files_read: tuple[str, ...] = ()
    files_written: tuple[str, ...] = ()
    files_first: bool = True

    @property
    def inputs(self) -> set[str]:
        names = set(self.reads)
        for act in self.acts:
            if act.verb in ("change", "hidden change", "maybe"):
                names.add(act.name)
            elif act.verb == "alias":
                names.add(act.other)
        return names

    @property
    def outputs(self) -> set[str]:
        return {act.name for act in self.acts if act.verb != "hidden change"}


@dataclass
class Box:
    """A mutable object."""

    content: Content


Space = dict[str, Box]


def planned(cells: tuple[Cell, ...]) -> Pipeline:
    return pipeline(
        *(
            step(f"s{n}", " ".join(sorted(cell.inputs)), " ".join(sorted(cell.outputs)))
            for n, cell in enumerate(cells)
        )
    )


def execute(n: int, cell: Cell, space: Space) -> dict[str, Content | None]:
    """Do what the cell does; give what it saw."""
    seen = {name: space[name].content if name in space else None for name in sorted(cell.inputs)}
    for at, act in enumerate(cell.acts):
        if act.verb == "new":
            space[act.name] = Box((n, at, *seen.items()))
        elif act.verb == "alias" and act.other in space:
            space[act.name] = space[act.other]
        elif act.verb in ("change", "hidden change") and act.name in space:
            box = space[act.name]
            box.content = (*box.content, (n, at))
    return seen


def file_content(n: int, seen: Mapping[str, Any]) -> str:
    return repr((n, sorted(seen.items())))


def linear(cells: tuple[Cell, ...]) -> list[dict[str, Any]]:
    """What each cell sees when the notebook is executed from top to bottom."""
    return _top_to_bottom(cells)[0]


def disk_after(cells: tuple[Cell, ...]) -> dict[str, str]:
    """The files after the notebook was executed from top to bottom."""
    return _top_to_bottom(cells)[1]


def _top_to_bottom(cells: tuple[Cell, ...]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    space: Space = {}
    disk: dict[str, str] = {}
    found = []
    for n, cell in enumerate(cells):
        seen: dict[str, Any] = execute(n, cell, space)
        seen |= {f"file {p}": disk.get(p) for p in cell.files_read}
        disk.update({p: file_content(n, seen) for p in cell.files_written})
        found.append(seen)
    return found, disk


@dataclass
class Bundle:
    names: frozenset[str]
    box: Box


@dataclass
class Attempt:
    """An execution between loading and publishing."""

    space: Space
    loaded: dict[str, Content]
    touched: dict[str, str | None] | None = None
    wrote: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


class Steps:
    """Executes cells as steps: loads what it is told, publishes what changed or is shared."""

    def __init__(self, cells: tuple[Cell, ...], **settings: Any) -> None:
        self.cells = cells
        self.driver = Driver(planned(cells), **settings)
        self.store: dict[str, dict[str, Bundle]] = {}
        self.disk: dict[str, str] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.attempts: dict[str, Attempt] = {}
        self.executions: Counter[str] = Counter()
        self._later = [set().union(*(c.inputs for c in cells[n + 1 :])) for n in range(len(cells))]

    def turn(self) -> None:
        self.driver.turn()
        for name in self.driver.running:
            if name not in self.attempts:
                self._begin(name)

    def finish(self, name: str) -> None:
        """Let an attempt execute to its end."""
        n = int(name[1:])
        cell, attempt = self.cells[n], self.attempts.pop(name)
        space = attempt.space
        seen: dict[str, Any] = execute(n, cell, space)
        if attempt.touched is None:
            self._touch_files(n, attempt, seen)
        seen |= {f"file {p}": c for p, c in (attempt.touched or {}).items()}
        changed = {k for k, v in attempt.loaded.items() if space[k].content != v}
        changed |= {a.name for a in cell.acts if a.verb in ("new", "alias") and a.name in space}
        wanted = {k for k in changed | cell.outputs if k in self._later[n] | cell.outputs}
        boxes = {id(space[k]) for k in wanted if k in space}
        members = {k for k in space if id(space[k]) in boxes and k in self._later[n] | cell.outputs}
        published: dict[str, Bundle] = {}
        outputs: dict[str, dict[str, Any]] = {}
        aliases = []
        for box in boxes:
            names = frozenset(k for k in members if id(space[k]) == box)
            bundle = Bundle(names, Box(space[min(names)].content))
            published.update(dict.fromkeys(names, bundle))
            outputs.update(
                {k: {"bundle": str(sorted(names)), "changed": k in changed} for k in names}
            )
            if len(names) > 1:
                aliases.append(sorted(names))
        outputs.update({k: {"absent": True} for k in cell.outputs if k not in space})
        unexpected = dict.fromkeys(changed - cell.outputs, "hidden")
        self.store[name] = published
        self.seen[name] = seen
        number = self.driver.running.pop(name)
        data = {
            **result(),
            "outputs": outputs,
            "aliases": aliases,
            "unexpected": unexpected,
            "files_read": dict(attempt.touched or {}),
            "files_written": attempt.wrote,
        }
        self.driver.emit("StepSucceeded", name, data, number)
        self.turn()

    def obey(self) -> None:
        """End what the engine wants stopped."""
        while self.driver.stops:
            for stop in list(self.driver.stops):
                self._undo_files(self.attempts.pop(stop.step))
                self.driver.running.pop(stop.step, None)
                self.driver.emit("AttemptFailed", stop.step, {"class": "cancelled"}, stop.attempt)
            self.turn()

    def _undo_files(self, attempt: Attempt) -> None:
        """What an attempt wrote and never reported is beyond what an engine can know."""
        for path, content in attempt.wrote.items():
            if self.disk.get(path) == content:
                self.disk.pop(path)
                if attempt.before.get(path) is not None:
                    self.disk[path] = attempt.before[path]

    def _begin(self, name: str) -> None:
        n = int(name[1:])
        self.executions[name] += 1
        self.restore_before(n)
        space: Space = {}
        copies: dict[int, Box] = {}
        bound = self.driver.engine.state.steps[name, ""].inputs
        for given, producer in bound.items():
            bundle = self.store[producer.step].get(given) if producer is not None else None
            if bundle is None:
                continue
            space[given] = copies.setdefault(id(bundle), Box(bundle.box.content))
        attempt = Attempt(space, {k: box.content for k, box in space.items()})
        self.attempts[name] = attempt
        if self.cells[n].files_first:
            before = {k: b.content for k, b in space.items()}
            seen = {k: before.get(k) for k in sorted(self.cells[n].inputs)}
            self._touch_files(n, attempt, seen)

    def restore_before(self, n: int) -> None:
        """Have the files of the steps before as those left them; the store has copies."""
        for name in (f"s{m}" for m in range(n)):
            state = self.driver.engine.state.steps[name, ""]
            if state.status == "succeeded" and state.result is not None:
                written = state.result.files_written
                self.disk.update({path: str(content) for path, content in written.items()})

    def _touch_files(self, n: int, attempt: Attempt, seen: dict[str, Any]) -> None:
        cell = self.cells[n]
        attempt.touched = {p: self.disk.get(p) for p in cell.files_read}
        seen = {**seen, **{f"file {p}": c for p, c in attempt.touched.items()}}
        attempt.wrote = {p: file_content(n, seen) for p in cell.files_written}
        attempt.before = dict(self.disk)
        self.disk.update(attempt.wrote)
