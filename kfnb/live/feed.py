"""The changes in one run's journal since the last poll, shared by all views of that run.

A feed has no thread and no clock. :mod:`kfnb.live.follower` polls it; other threads only read the
snapshots that each poll publishes, so that no thread waits for the disk.
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

DRIVER_CHECK_SECONDS = 2.0
"""How often a quiet run's driver is checked."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a run.

    Parameters
    ----------
    state
        None if nothing changed that views show of the run and its steps.
    points
        New points, or with ``reset`` all of them, because an attempt was repeated.
    graph
        Whether the run added a dependency, so that the graph has to be drawn again.
    """

    state: protocol.StateMessage | None
    points: list[protocol.Series]
    reset: bool = False
    graph: bool = False

    def merged_with(self, later: Changes) -> Changes:
        """Combine these changes with later ones."""
        state = later.state or self.state
        if self.state is not None and later.state is not None:
            steps = {**self.state["steps"], **later.state["steps"]}
            state = {**self.state, **later.state, "steps": steps}
        return Changes(
            state,
            later.points if later.reset else [*self.points, *later.points],
            self.reset or later.reset,
            self.graph or later.graph,
        )


class Feed:
    """Reads the journal of one run.

    :meth:`poll` must not be called by two threads at once; everything else may be called anywhere.

    Parameters
    ----------
    folder
        The run's folder.
    link
        See :data:`kfnb.live.snapshot.Link`.

    Attributes
    ----------
    driver
        ``alive``, ``ended`` or ``lost since …``, as last checked.
    ended
        Whether nothing more will come unless the run is resumed.
    read_error
        Why the run cannot be read any more: its folder was deleted, or its journal is damaged.
    graph
        The graph with the dependencies that the run has added so far.
    """

    def __init__(self, folder: RunFolder, *, link: snapshot.Link = snapshot.no_link) -> None:
        self.view = RunView(folder)
        self.driver = "alive"
        self.ended = False
        self.read_error: str | None = None
        self.graph = snapshot.graph(self.view.pipeline)
        self._link = link
        self._journal_bytes = -1
        self._checked_at = float("-inf")
        self._last_summary: tuple[Any, ...] = ()
        self._run_label = self.view.folder.id, snapshot.title(self.view)
        self._point_counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._edge_count = 0
        self._published = snapshot.state(self.view, driver=self.driver, at=0.0, link=link)

    @cached_property
    def info(self) -> protocol.RunInfo:
        """Which run this is."""
        return snapshot.run_info(self.view, facts(self.view.folder))

    def state(self, at: float) -> protocol.State:
        """Return the state of the run and all its steps at the last poll."""
        return {**self._published, "at": at}

    def state_message(self, at: float) -> protocol.StateMessage:
        """Return the state at the last poll as a message; metrics are sent separately."""
        state = self._published
        return {
            "kind": "state",
            "seq": state["seq"],
            "at": at,
            "status": state["status"],
            "driver": state["driver"],
            "error": state["error"],
            "paused": state["paused"],
            "finished": state["finished"],
            "steps": state["steps"],
            "edges": self._added_edges(),
            "warnings": state["warnings"],
        }

    def expect_resume(self) -> None:
        """Poll an ended run again, because somebody may have resumed it."""
        self.ended = False
        self._checked_at = float("-inf")

    def poll(self, now: float) -> Changes | None:
        """Read what is new; None if there is nothing.

        Parameters
        ----------
        now
            Seconds since the epoch.
        """
        if self.read_error is not None:
            return None
        try:
            events = self._read(now)
        except KfnbError as error:
            self.read_error, self.ended = str(error), True
            events = []
        return self._changes(events, now)

    def _read(self, now: float) -> list[Event]:
        size = self._journal_size()
        first, quiet = self._journal_bytes == -1, size == self._journal_bytes
        # A journal that did not grow needs no read; whether the driver lives is checked less often.
        if quiet and now - self._checked_at < DRIVER_CHECK_SECONDS:
            return []
        self._journal_bytes = size
        self._checked_at = now
        events, course = self.view.look()
        if first and course == "going":  # only a read without news says whether the driver lives
            more, course = self.view.look()
            events += more
        self.ended = course == "ended"
        if course == "lost":
            self.driver = driver_state(self.view.folder)
        else:
            self.driver = "ended" if self.ended else "alive"
        return events

    def _journal_size(self) -> int:
        try:
            return os.stat(self.view.folder.journal).st_size  # noqa: PTH116 (called often)
        except OSError:
            return -2  # reading it will say why

    def _changes(self, events: Sequence[Event], now: float) -> Changes | None:
        run, pipeline = self.view.state, self.view.pipeline
        touched = {(event.step, event.index) for event in events if event.step is not None}
        if any(event.step is None for event in events) or not self._last_summary:
            # An event of the whole run, such as a stop or a resume, may change any step.
            touched |= run.steps.keys()

        before = self._published["steps"] if self._last_summary else {}
        changed: dict[str, protocol.StepState] = {}
        for key in run.steps:
            if key in touched:
                step = snapshot.step_state(self.view, *key, link=self._link)
                step_id = protocol.step_id(*key)
                if step != before.get(step_id):
                    changed[step_id] = step
        new_edges = len(run.edges) != self._edge_count
        if new_edges:
            self._edge_count = len(run.edges)
            self.graph = snapshot.graph(pipeline, run.edges.values())
        error = self.read_error or snapshot.run_error(run)
        summary = (run.status, self.driver, error, len(run.warnings))
        state: protocol.StateMessage | None = None
        if changed or new_edges or summary != self._last_summary:
            state = {
                "kind": "state",
                "seq": run.seq,
                "at": now,
                "status": run.status,
                "driver": self.driver,
                "error": error,
                "paused": run.paused,
                "finished": run.finished,
                "steps": changed,
            }
            if new_edges:
                state["edges"] = self._added_edges()
                state["dot"] = self.graph["dot"]
            if not self._last_summary or len(run.warnings) != self._last_summary[3]:
                state["warnings"] = snapshot.warnings(run)
            self._last_summary = summary
        self._publish(now, error, changed)
        points, reset = self._new_points(touched & run.steps.keys())
        if state is None and not events:
            return None
        return Changes(state, points, reset, new_edges)

    def _publish(
        self, now: float, error: str | None, changed: dict[str, protocol.StepState]
    ) -> None:
        run = self.view.state
        self._published = {
            "seq": run.seq,
            "at": now,
            "status": run.status,
            "driver": self.driver,
            "error": error,
            "paused": run.paused,
            "finished": run.finished,
            "steps": {**self._published["steps"], **changed},
            "metrics": [],
            "warnings": snapshot.warnings(run),
        }

    def _added_edges(self) -> list[protocol.GraphEdge]:
        return [edge for edge in self.graph["edges"] if edge["found"]]

    def _new_points(self, touched: Iterable[tuple[str, str]]) -> tuple[list[protocol.Series], bool]:
        """Return the new points; all of them, and True, if a repeated attempt dropped some."""
        new: list[protocol.Series] = []
        reset = False
        for key in touched:
            step = self.view.state.steps[key]
            attempts, count = self._point_counts.get(key, (0, 0))
            # A new attempt logs its points anew, so those of the last attempt are dropped.
            if count and (attempts != step.attempts or len(step.metrics) < count):
                reset = True
            self._point_counts[key] = step.attempts, len(step.metrics)
            # A page has the earlier points; sending all of them each time would cost more with
            # every step.
            fresh = step.metrics[count:]
            new += snapshot.points(self._run_label, *key, fresh) if fresh else []
        return (snapshot.series(self.view), True) if reset else (new, False)
