"""A run's journal as what changed since the last look; one for all views of the run.

No threads here and no clock: :mod:`kfnb.live.follower` calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kfnb.api.run_lookup import facts
from kfnb.api.run_view import RunView
from kfnb.engine.core.events import Event
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.live import protocol, snapshot
from kfnb.runners import driver_state

ALIVE_FOR = 2.0
"""Seconds for which a driver that was heard of, or looked for, counts as alive."""


@dataclass(frozen=True, slots=True)
class News:
    """What changed in a run.

    Parameters
    ----------
    state
        None where nothing changed that is shown of the run and its steps.
    points
        New points, or all of them (``reset``) where an attempt was repeated.
    graph
        The run showed a dependency: the graph is another now.
    """

    state: protocol.StateMessage | None
    points: list[protocol.Series]
    reset: bool = False
    graph: bool = False

    def joined(self, later: News) -> News:
        """Give this and what came after it as one."""
        state = later.state or self.state
        if self.state is not None and later.state is not None:
            steps = {**self.state["steps"], **later.state["steps"]}
            state = {**self.state, **later.state, "steps": steps}
        return News(
            state,
            later.points if later.reset else [*self.points, *later.points],
            self.reset or later.reset,
            self.graph or later.graph,
        )


class Feed:
    """Reads the journal of one run.

    Parameters
    ----------
    folder
        The run's folder.
    link
        See :data:`kfnb.live.snapshot.Link`.

    Attributes
    ----------
    driver
        ``alive``, ``ended`` or ``lost since …``, as last known.
    over
        Nothing will come any more, unless the run is resumed.
    trouble
        Why the run cannot be read any more: its folder was deleted, the journal is damaged.
    """

    def __init__(self, folder: RunFolder, *, link: snapshot.Link = snapshot.no_link) -> None:
        self.view = RunView(folder)
        self.driver = "alive"
        self.over = False
        self.trouble: str | None = None
        self._link = link
        self._size = -1
        self._looked = float("-inf")
        self._told: dict[str, protocol.StepState] = {}
        self._facts: tuple[Any, ...] = ()
        self._whose = self.view.folder.id, snapshot.title(self.view)
        self._logged: dict[str, tuple[int, int]] = {}
        self._edges = 0

    @cached_property
    def info(self) -> protocol.RunInfo:
        """Which run it is."""
        return snapshot.run_info(self.view, facts(self.view.folder))

    def graph(self) -> protocol.Graph:
        """Tell the graph as it is known now."""
        return snapshot.graph(self.view.pipeline, self.view.state.edges.values())

    def state(self, at: float) -> protocol.State:
        """Tell all that is known now."""
        told = snapshot.state(self.view, driver=self.driver, at=at, link=self._link)
        return {**told, "error": self.trouble or told["error"]}

    def whole(self, at: float) -> protocol.StateMessage:
        """Tell all that is known now, as a message; metrics have their own."""
        told = self.state(at)
        return {
            "kind": "state",
            "seq": told["seq"],
            "at": told["at"],
            "status": told["status"],
            "driver": told["driver"],
            "error": told["error"],
            "paused": told["paused"],
            "steps": told["steps"],
            "edges": self._found(),
            "warnings": told["warnings"],
        }

    def reopen(self) -> None:
        """Look again: somebody resumes the run."""
        self.over = False
        self._looked = float("-inf")

    def look(self, now: float) -> News | None:
        """Read what is new; None where there is nothing.

        Parameters
        ----------
        now
            Seconds since the epoch.
        """
        if self.trouble is not None:
            return None
        try:
            events = self._read(now)
        except KfnbError as error:
            self.trouble, self.over = str(error), True
            events = []
        return self._news(events, now)

    def _read(self, now: float) -> list[Event]:
        size = self._journal_size()
        first, quiet = self._size == -1, size == self._size
        if quiet and now - self._looked < ALIVE_FOR:
            return []
        self._size = size
        self._looked = now
        events, course = self.view.look()
        if first and course == "going":  # whether it still goes shows when all is read
            more, course = self.view.look()
            events += more
        self.over = course == "ended"
        if course == "lost":
            self.driver = driver_state(self.view.folder)
        else:
            self.driver = "ended" if self.over else "alive"
        return events

    def _journal_size(self) -> int:
        try:
            return os.stat(self.view.folder.journal).st_size  # noqa: PTH116 (often)
        except OSError:
            return -2  # reading it tells why

    def _news(self, events: Sequence[Event], now: float) -> News | None:
        run = self.view.state
        touched = {event.step for event in events if event.step is not None}
        if any(event.step is None for event in events) or not self._told:
            touched |= self.view.pipeline.steps.keys()
        known = snapshot.ids(self.view.pipeline)
        changed: dict[str, protocol.StepState] = {}
        for name in self.view.pipeline.steps:
            if name in touched:
                told = snapshot.step_state(self.view, name, link=self._link)
                if told != self._told.get(known[name]):
                    changed[known[name]] = self._told[known[name]] = told
        found = len(run.edges) != self._edges
        self._edges = len(run.edges)
        error = self.trouble or snapshot.run_error(run)
        general = (run.status, self.driver, error, len(run.warnings))
        state: protocol.StateMessage | None = None
        if changed or found or general != self._facts:
            state = {
                "kind": "state",
                "seq": run.seq,
                "at": now,
                "status": run.status,
                "driver": self.driver,
                "error": error,
                "paused": run.paused,
                "steps": changed,
            }
            if found:
                state["edges"] = self._found()
                state["dot"] = self.graph()["dot"]
            if not self._facts or len(run.warnings) != self._facts[3]:
                state["warnings"] = snapshot.warnings(run)
            self._facts = general
        new, reset = self._metrics(touched & self.view.pipeline.steps.keys())
        if state is None and not events:
            return None
        return News(state, new, reset, found)

    def _found(self) -> list[protocol.GraphEdge]:
        told = snapshot.edges(self.view.pipeline, self.view.state.edges.values())
        return [edge for edge in told if edge["found"]]

    def _metrics(self, touched: Iterable[str]) -> tuple[list[protocol.Series], bool]:
        """Tell the points that are new; all of them where an attempt took some back."""
        new: list[protocol.Series] = []
        reset = False
        for name in touched:
            step = self.view.state.steps[name, ""]
            attempts, count = self._logged.get(name, (0, 0))
            if count and (attempts != step.attempts or len(step.metrics) < count):
                reset = True
            self._logged[name] = step.attempts, len(step.metrics)
            fresh = step.metrics[count:]
            new += snapshot.points(self._whose, name, fresh) if fresh else []
        return (snapshot.series(self.view), True) if reset else (new, False)
