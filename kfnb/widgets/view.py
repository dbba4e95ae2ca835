"""The views of a run or a pipeline that a notebook shows."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kfnb.api.run_handle import Run
from kfnb.api.run_lookup import find_run
from kfnb.errors import UsageError
from kfnb.live import bundle, protocol, snapshot
from kfnb.live.follower import FOLLOWER
from kfnb.live.view_session import Live
from kfnb.pipeline import Pipeline
from kfnb.widgets import frontend, static_view
from kfnb.widgets.cells import at_cell_end
from kfnb.widgets.errors import in_a_sentence

if TYPE_CHECKING:
    from kfnb.widgets.model import Model

RunLike = Run | str
What = Run | Pipeline | str | os.PathLike[str]


class PipelineView:
    """A pipeline, or a run of it that is followed while it goes on.

    Shown as a cell's result it is a live view: graph, steps, metrics, logs, outputs, comparison.
    Where nothing can live (a saved notebook, HTML, no Jupyter) it is a picture and a text.

    Parameters
    ----------
    what
        A :class:`kfnb.Run`, a run's id (or the beginning of one, or ``"latest"``), the path of a
        notebook, or a :class:`kfnb.Pipeline`.
    compare
        Another run, or several, whose metrics are drawn beside this one's.
    tab
        What is shown first: ``dag``, ``table``, ``metrics``, ``logs``, ``outputs``, ``compare``.
    only
        Show this one alone.
    step
        The step that is chosen at first.

    Raises
    ------
    UsageError
        If there is no such run, notebook, step or tab.

    Examples
    --------
    >>> import kfnb
    >>> from kfnb.widgets import PipelineView
    >>> run = kfnb.run("train.ipynb")
    >>> PipelineView(run).run.status
    'succeeded'
    >>> PipelineView("train.ipynb")
    <view of the pipeline 'train'>
    """

    @in_a_sentence
    def __init__(
        self,
        what: What,
        *,
        compare: RunLike | Sequence[RunLike] = (),
        tab: str | None = None,
        only: str | None = None,
        step: str | None = None,
    ) -> None:
        self._run, self._read = _resolved(what)
        others = [_opened(one) for one in _several(compare)]
        if others and self._run is None:
            raise UsageError("Runs are compared with a run: give one instead of a notebook.")
        runs = {run.id: run for run in (self._run, *others) if run is not None}
        self._folders = [find_run(run) for run in runs]
        self._place = uuid4().hex
        self._shown = False
        self._in_place = False
        self._model: Model | None = None
        self._only = only
        self._ui = _ui(tab=tab, only=only)
        self._ui["selected"] = None if step is None else _id(self.pipeline, step)
        self._ui["compare"] = list(runs) if others else []

    @property
    def run(self) -> Run | None:
        """The run that is shown; None where a pipeline is shown that was not run."""
        return self._run

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that is drawn."""
        return self._read or self._live.pipeline

    @property
    @in_a_sentence
    def widget(self) -> Any:
        """The widget, to be put into a box of ipywidgets.

        Raises
        ------
        UsageError
            If the live views were not built when kfnb was installed.
        """
        why = bundle.missing()
        if why is not None:
            raise UsageError(why)
        return self._living()

    def close(self) -> None:
        """Follow no more, and leave the picture in the page."""
        live = self.__dict__.pop("_live", None)  # shown again, it lives again
        if live is not None:
            live.close()
        if self._model is not None:
            self._model.close()
            self._model = None

    def __repr__(self) -> str:
        if self._run is not None:
            return f"<view of the run {self._run.id}>"
        return f"<view of the pipeline {self.pipeline.name!r}>"

    def _ipython_display_(self) -> None:
        """Show it, so that the picture in the output can be brought up to date at the end."""
        kind, over = frontend.front(), self._live.over
        self._put(self._bundle(kind))
        self._shown = True
        if over:
            return
        if kind == "program":
            at_cell_end(self._refreshed)
        elif self._live.over:  # it ended while it was drawn
            self._put(self._forms(), update=True)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Give the view in all forms that the front end may choose from."""
        return self._bundle(frontend.front())

    def _bundle(self, kind: frontend.Front) -> dict[str, Any]:
        alive = bundle.missing() is None and kind in ("jupyter", "other")
        model = self._living() if alive else None
        self._in_place = model is not None and kind == "jupyter"
        return self._forms()

    def _put(self, forms: dict[str, Any], *, update: bool = False) -> None:
        from IPython.display import display

        display(forms, raw=True, display_id=self._place, update=update)

    def _forms(self) -> dict[str, Any]:
        model = self._model
        with FOLLOWER.lock:
            return static_view.bundle(
                self.pipeline,
                self._live.own,
                place=self._place if model is not None and self._in_place else None,
                model=model.model_id if model is not None and not self._in_place else None,
                why_still=bundle.missing(),
                metrics_of=self._live.feeds if self._only == "metrics" else (),
            )

    @cached_property
    def _live(self) -> Live:
        root = frontend.server_root()
        return Live(
            FOLLOWER,
            self._read,
            self._folders,
            link=partial(frontend.linked, root=root),
            ended=self._final,
        )

    def _living(self) -> Model:
        if self._model is None:
            from kfnb.widgets.model import Model

            self._model = Model(
                self._live.traits, place=self._place, ui=self._ui, heard=self._live.asked
            )
            self._live.page = self._model
        return self._model

    def _refreshed(self) -> bool:
        """Bring the picture up to date, as a program hears it; whether it is the last one."""
        with FOLLOWER.lock:
            for feed in self._live.feeds:
                feed.look(time.time())
            over = self._live.over
        self._put(self._forms(), update=True)
        return over

    def _final(self) -> None:
        """Put what has become of the runs into the notebook, in the follower's thread."""
        if self._shown and self._model is not None:
            self._put(self._forms(), update=True)


class DagView(PipelineView):
    """The graph alone: a pipeline, or a run while it goes on."""

    @in_a_sentence
    def __init__(self, what: What) -> None:
        super().__init__(what, only="dag")


class StepTable(PipelineView):
    """The steps alone, as a table: status, progress, attempts, duration, and why."""

    @in_a_sentence
    def __init__(self, what: What) -> None:
        super().__init__(what, only="table")


class MetricsView(PipelineView):
    """The metrics alone, of one or several runs in one chart."""

    @in_a_sentence
    def __init__(self, run: RunLike, *more: RunLike) -> None:
        super().__init__(_opened(run), compare=more, only="metrics")


class LogView(PipelineView):
    """What a step prints, alone."""

    @in_a_sentence
    def __init__(self, run: RunLike, step: str | None = None) -> None:
        super().__init__(_opened(run), only="logs", step=step)


def _resolved(what: What) -> tuple[Run | None, Pipeline | None]:
    """Give the run that is meant, or the pipeline that was not run."""
    if isinstance(what, Pipeline):
        return None, what
    if isinstance(what, Run):
        return what, None
    if not isinstance(what, (str, os.PathLike)):
        raise UsageError(
            f"Give a run, its id, a notebook's path or a pipeline, not {type(what).__name__}."
        )
    path = os.fspath(what)
    if path.endswith(".ipynb"):
        from kfnb.api.launch import read

        return None, read(path)
    return _opened(path), None


def _several(runs: RunLike | Sequence[RunLike]) -> Sequence[RunLike]:
    return runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]


def _opened(run: RunLike) -> Run:
    if isinstance(run, Run):
        return run
    if isinstance(run, str):
        return Run(find_run(run))
    raise UsageError(f"Give a run or its id, not {type(run).__name__}.")


def _ui(*, tab: str | None, only: str | None) -> protocol.Ui:
    chosen = only or tab or "dag"
    for known in protocol.TABS:
        if known == chosen:
            return {
                "tab": known,
                "only": only is not None,
                "selected": None,
                "compare": [],
                "height": None,
                "ansi": True,
            }
    listed = ", ".join(f'"{name}"' for name in protocol.TABS)
    raise UsageError(f'There is no tab "{chosen}". There are: {listed}.')


def _id(pipeline: Pipeline, step: str) -> str:
    from kfnb.api.step_lookup import no_such_step

    found = snapshot.ids(pipeline).get(str(step))
    if found is None:
        raise UsageError(no_such_step(pipeline, str(step)))
    return found
