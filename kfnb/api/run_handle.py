"""A run in Python: status, steps, values, metrics, logs; waiting, stopping, resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kfnb.api.run_lookup import facts, find_current, run_folders, runs_of
from kfnb.api.run_settings import changed_settings
from kfnb.api.run_view import RunView, lost
from kfnb.api.step_handle import StepRun, StepsByName
from kfnb.api.step_lookup import no_such_step, step_label
from kfnb.engine.core.state import RunState
from kfnb.errors import UsageError
from kfnb.home import RunFolder
from kfnb.masked_parameters import shown
from kfnb.pipeline import Pipeline
from kfnb.runners import request_stop
from kfnb.watch import Watch

# Seconds between two looks at the driver: one that was killed changes no file.
_CHECK = 1.0


class Run:
    """A run of a pipeline; see :func:`kfnb.run` and :func:`kfnb.open_run`.

    Each access reads the run's journal again, so a ``Run`` stays current while the run
    executes.

    Examples
    --------
    >>> import kfnb
    >>> run = kfnb.run("train.ipynb", wait=False)
    >>> run.wait()
    'succeeded'
    >>> {name: step.status for name, step in run.steps.items()}["report"]
    'succeeded'
    >>> run.steps["train"].outputs.describe("model")["type"]
    'list'
    >>> print(run.logs("report"), end="")
    [0.1, 0.2, 0.3]
    >>> kfnb.open_run("latest").id == kfnb.runs("train.ipynb")[0].id == run.id
    True
    """

    def __init__(self, folder: RunFolder, *, driver: int | None = None) -> None:
        self._folder = folder
        self._facts = facts(folder)
        self._driver = driver

    # run.json is enough for the id, the name and the notebook, so the journal is opened when
    # needed.
    @cached_property
    def _view(self) -> RunView:
        return RunView(self._folder, driver=self._driver)

    @property
    def id(self) -> str:
        """The run's id: sortable by time, unique on this machine."""
        return self._folder.id

    @property
    def name(self) -> str:
        """The run's name; by default the pipeline's."""
        return str(self._facts.get("name") or self.id)

    @property
    def path(self) -> Path | None:
        """The notebook that was run."""
        path = self._facts.get("notebook")
        return Path(path) if path else None

    @property
    def target(self) -> str:
        """Where the run executes: ``local`` or ``kubernetes``."""
        return str(self._facts.get("target") or "local")

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All parameters with the values of this run, defaults included; ``***`` for a secret."""
        defaults = {p.name: p.default for p in self._view.pipeline.parameters}
        values = {**defaults, **(self._facts.get("parameters") or {})}
        return shown(values, self._facts.get("masked") or ())

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline as it was when the run started."""
        return self._view.pipeline

    @property
    def status(self) -> str:
        """``pending``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        self._view.update()
        return self._view.state.status

    @property
    def driver(self) -> str:
        """``alive``, ``ended``, or ``lost since …``; :meth:`resume` continues a lost run."""
        return self._view.driver()

    @property
    def created(self) -> float:
        """When the run was created, seconds since the epoch."""
        return float(self._facts.get("created") or self._view.state.created or 0.0)

    @property
    def duration(self) -> float | None:
        """Seconds from creation to the end or until now, without pauses; None if it never started.

        A pause is the time between an end and a resume.
        """
        state = self._state()
        if state.started is None:
            return None
        end = state.finished if state.finished is not None else time.time()
        return max(0.0, end - self.created - state.paused)

    @cached_property
    def steps(self) -> Mapping[str, StepRun]:
        """The steps by name, in the notebook's order; an unknown name raises NoSuchStepError."""
        steps = StepsByName({name: StepRun(self._view, name) for name in self.pipeline.steps})
        return MappingProxyType(steps)

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {k: _number(v) for k, v in self._state().metrics.items()}

    def metric_history(self, name: str) -> list[tuple[float, int | None, float]]:
        """Return every value of a metric, oldest first.

        Returns
        -------
        list of (time, step, value)
            ``time`` in seconds since the epoch, ``step`` as given to ``log_metric``.
        """
        history = self._state().metric_history(name)
        return [(when, step, _number(value)) for when, step, value in history]

    def notebook(self, step: str | None = None, index: str = "") -> Path:
        """Return the path of a step's executed notebook (of its last attempt).

        Parameters
        ----------
        step
            The step's name; may be left out when there is only one.
        index
            The instance of a mapped step.

        Raises
        ------
        UsageError
            If there is no such step or instance, or it has not been executed yet.
        """
        name = self._step_name(step)
        self._check_index(name, index)
        path = self._view.attempt(name, index=index).executed
        if not path.is_file():
            state, label = self._view.state.steps[name, index].status, step_label(name, index)
            raise UsageError(f'Step "{label}" has no executed notebook: it is {state}.')
        return path

    def logs(self, step: str | None = None, index: str = "") -> str:
        """Return what a step printed in its last attempt, or all steps one after the other.

        Parameters
        ----------
        step
            The step's name; without it, all steps with their instances.
        index
            The instance of a mapped step.

        Raises
        ------
        UsageError
            If there is no such step or instance.
        """
        if step is None:
            keys = [(name, i) for name, one in self.steps.items() for i in ("", *one.instances)]
            return "".join(self.logs(name, i) for name, i in keys)
        name = self._step_name(step)
        self._check_index(name, index)
        path = self._view.attempt(name, index=index).log
        try:
            return path.read_text("utf-8", "replace")
        except OSError:
            return ""

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the run has ended or ``timeout`` seconds have passed; return its status.

        Raises
        ------
        InfrastructureError
            If the run's driver has died, so that the run does not continue.
        UsageError
            If the driver refused the run because the call was wrong; nothing was started.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with Watch([self._folder.path]) as watch:
            while True:
                _, course = self._view.look()
                if course == "ended":
                    return self._view.state.status
                if course == "lost":
                    raise lost(self._view)
                left = _CHECK if deadline is None else min(_CHECK, deadline - time.monotonic())
                if left <= 0:
                    return self._view.state.status
                watch.wait(left)

    def stop(self) -> None:
        """Ask the run to stop; :meth:`wait` returns when it has. Finished results are kept."""
        if not self._state().ended:
            request_stop(self._folder, by="kfnb.Run.stop")

    def resume(
        self,
        *,
        wait: bool = False,
        parameters: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Run:
        """Continue a run that failed, was stopped, or lost its driver; finished steps are kept.

        Parameters
        ----------
        wait
            Wait until it has ended.
        parameters
            Values of masked parameters, if the process that started the run has ended: they are
            not stored.
        settings
            New values of ``parallel``, ``retries``, ``timeout``, ``on_failure``,
            ``on_mutation`` or ``overwrite_files``.

        Raises
        ------
        UsageError
            If the run is still executing, or has succeeded.
        """
        self._view.update()
        self._view.resume(changed_settings(**settings), masked=parameters)
        if wait:
            self.wait()
        return self

    def __repr__(self) -> str:
        state = self._state()
        done = state.counts["succeeded"] + state.counts["cached"]
        return f"<run {self.id}: {state.status}, {done} of {sum(state.counts.values())} steps done>"

    def _state(self) -> RunState:
        self._view.update()
        return self._view.state

    def _check_index(self, name: str, index: str) -> None:
        self._view.update()
        if (name, index) not in self._view.state.steps:
            known = ", ".join(self._view.state.instances(name)) or "none"
            raise UsageError(f'Step "{name}" has no instance "{index}". Its instances: {known}.')

    def _step_name(self, step: str | None) -> str:
        names = list(self.steps)
        if step in self.steps:
            return str(step)
        if step is None and len(names) == 1:
            return names[0]
        if step is not None:
            raise UsageError(no_such_step(names, step, owner="run"))
        listed = ", ".join(f'"{n}"' for n in names)
        raise UsageError(f"Give the name of a step. It has: {listed}.")


def open_run(id: str | os.PathLike[str]) -> Run:  # noqa: A002 (the public name)
    """Open a run.

    Parameters
    ----------
    id
        A run's id, the unique beginning of one, its name, ``"latest"``, or a notebook's path (its
        latest run).

    Raises
    ------
    UsageError
        If there is no such run, or several fit.
    """
    return Run(find_current(id))


def runs(notebook: str | os.PathLike[str] | None = None) -> list[Run]:
    """Return the runs on this machine, newest first.

    Parameters
    ----------
    notebook
        Only runs of the notebook at this path.
    """
    return [Run(f) for f in (run_folders() if notebook is None else runs_of(notebook))]


def _number(value: Any) -> float:
    """Read a metric's value; NaN and infinities are text in JSON."""
    if value is None:
        return float("nan")
    return value if isinstance(value, (int, float)) else float(value)
