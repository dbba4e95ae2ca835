"""The views of runs and pipelines in a notebook."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kfnb.api.run_handle import Run
from kfnb.api.run_lookup import find_run
from kfnb.errors import UsageError
from kfnb.live import bundle, protocol
from kfnb.live.follower import FOLLOWER
from kfnb.live.view_session import ViewSession
from kfnb.pipeline import Pipeline
from kfnb.widgets import frontend, static_view
from kfnb.widgets.cell_events import at_cell_end
from kfnb.widgets.errors import without_traceback

if TYPE_CHECKING:
    from kfnb.widgets.model import Model

# A cell that a program executes waits so long at its end for the newest state.
_REFRESH_SECONDS = 10.0

RunLike = Run | str
What = Run | Pipeline | str | os.PathLike[str]


class PipelineView:
    """A live view of a pipeline or a run: graph, steps, metrics, logs, outputs, comparison.

    A cell that ends with it shows it. In a saved notebook, in HTML and outside of Jupyter it is a
    picture and text.

    Parameters
    ----------
    what
        A :class:`kfnb.Run`, a run's id (or the beginning of one, or ``"latest"``), the path of a
        notebook, or a :class:`kfnb.Pipeline`.
    compare
        One or several other runs whose metrics are drawn beside this one's.
    tab
        The tab that is open first: ``dag``, ``table``, ``metrics``, ``logs``, ``outputs``,
        ``runs`` or ``compare``.
    only
        The only tab that is shown.
    step
        The step that is selected first.

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

    @without_traceback
    def __init__(
        self,
        what: What,
        *,
        compare: RunLike | Sequence[RunLike] = (),
        tab: str | None = None,
        only: str | None = None,
        step: str | None = None,
    ) -> None:
        self._run, self._read = _run_or_pipeline(what)
        others = [_as_run(one) for one in _as_sequence(compare)]
        if others and self._run is None:
            raise UsageError("Give a run to compare, not a notebook.")
        runs = {run.id: run for run in (self._run, *others) if run is not None}
        self._folders = [find_run(run) for run in runs]
        # A page may show several views of one run.
        self._slot = uuid4().hex
        self._shown = False
        self._in_slot = False
        self._model: Model | None = None
        self._only = only
        self._ui = _ui(tab=tab, only=only)
        self._ui["selected"] = None if step is None else _known_step(self.pipeline, step)
        self._ui["compare"] = list(runs) if others else []

    @property
    def run(self) -> Run | None:
        """The run that is shown; None if the view shows only a pipeline."""
        session: ViewSession | None = self.__dict__.get("_session")
        feed = session.main_feed if session is not None else None
        # "Run again" on the page shows another run than the one that was given.
        if self._run is not None and feed is not None and feed.view.folder.id != self._run.id:
            self._run = Run(feed.view.folder)
            self._folders = [feed.view.folder]
        return self._run

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that is drawn."""
        return self._read or self._session.pipeline

    @property
    @without_traceback
    def widget(self) -> Any:
        """The widget itself, for layouts made with ipywidgets.

        Raises
        ------
        UsageError
            If the live views were not built when kfnb was installed.
        """
        why = bundle.build_problem()
        if why is not None:
            raise UsageError(why)
        return self._widget_model()

    def close(self) -> None:
        """Stop following the run. The page keeps the picture."""
        session = self.__dict__.pop("_session", None)  # made again if the view is shown again
        if session is not None:
            session.close()
        if self._model is not None:
            self._model.close()
            self._model = None

    def __repr__(self) -> str:
        if self._run is not None:
            return f"<view of the run {self._run.id}>"
        return f"<view of the pipeline {self.pipeline.name!r}>"

    def _ipython_display_(self) -> None:
        """Show the view with a display id, so that its picture can be updated at the end."""
        # This is asked before drawing: a run that ends meanwhile needs a new picture.
        kind, ended = frontend.kind_of_frontend(), self._session.ended
        self._display(self._bundle_for(kind))
        self._shown = True
        if ended:
            return
        if kind == "program":
            at_cell_end(self._update_picture)
        elif self._session.ended:  # the run ended while the view was drawn
            self._display(self._mime_bundle(), update=True)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the view in every MIME type that the front end may choose."""
        return self._bundle_for(frontend.kind_of_frontend())

    def _bundle_for(self, kind: frontend.FrontendKind) -> dict[str, Any]:
        live = bundle.build_problem() is None and kind in ("jupyter", "other")
        model = self._widget_model() if live else None
        self._in_slot = model is not None and kind == "jupyter"
        return self._mime_bundle()

    def _display(self, forms: dict[str, Any], *, update: bool = False) -> None:
        from IPython.display import display

        display(forms, raw=True, display_id=self._slot, update=update)

    def _mime_bundle(self) -> dict[str, Any]:
        model = self._model
        return static_view.bundle(
            self.pipeline,
            self._session.main_feed,
            slot=self._slot if model is not None and self._in_slot else None,
            model=model.model_id if model is not None and not self._in_slot else None,
            why_static=bundle.build_problem(),
            metrics_of=self._session.feeds if self._only == "metrics" else (),
        )

    @cached_property
    def _session(self) -> ViewSession:
        root = frontend.server_root()
        return ViewSession(
            FOLLOWER,
            self._read,
            self._folders,
            link=partial(frontend.linked, root=root),
            on_end=self._save_final_picture,
        )

    def _widget_model(self) -> Model:
        if self._model is None:
            from kfnb.widgets.model import Model

            self._model = Model(
                self._session.traits,
                slot=self._slot,
                ui=self._ui,
                on_message=self._session.handle_message,
            )
            self._session.page = self._model
        return self._model

    def _update_picture(self) -> bool:
        """Update the picture; return whether it is final."""
        FOLLOWER.refresh(self._session.feeds, timeout=_REFRESH_SECONDS)
        ended = self._session.ended
        self._display(self._mime_bundle(), update=True)
        return ended

    def _save_final_picture(self) -> None:
        """Replace the picture in the notebook by that of the ended runs."""
        if self._shown and self._model is not None:
            self._display(self._mime_bundle(), update=True)


class DagView(PipelineView):
    """Only the graph of a pipeline or run."""

    @without_traceback
    def __init__(self, what: What) -> None:
        super().__init__(what, only="dag")


class StepTable(PipelineView):
    """Only the table of steps: status, progress, attempts, duration, and why."""

    @without_traceback
    def __init__(self, what: What) -> None:
        super().__init__(what, only="table")


class MetricsView(PipelineView):
    """Only the metrics, of one or several runs in the same charts."""

    @without_traceback
    def __init__(self, run: RunLike, *more: RunLike) -> None:
        super().__init__(_as_run(run), compare=more, only="metrics")


class LogView(PipelineView):
    """Only the log of a step."""

    @without_traceback
    def __init__(self, run: RunLike, step: str | None = None) -> None:
        super().__init__(_as_run(run), only="logs", step=step)


def _run_or_pipeline(what: What) -> tuple[Run | None, Pipeline | None]:
    """Return the run to show, or else the pipeline."""
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
    return _as_run(path), None


def _as_sequence(runs: RunLike | Sequence[RunLike]) -> Sequence[RunLike]:
    return runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]


def _as_run(run: RunLike) -> Run:
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


def _known_step(pipeline: Pipeline, step: str) -> str:
    from kfnb.api.step_lookup import no_such_step

    if str(step) not in pipeline.steps:
        raise UsageError(no_such_step(pipeline.steps, str(step)))
    return str(step)
