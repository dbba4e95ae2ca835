"""The views as a notebook's author calls them, and what they are where nothing lives."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import kfnb
from kfnb import widgets
from kfnb.errors import UsageError
from kfnb.live import bundle
from kfnb.live.feed import Feed
from kfnb.pipeline import Edge
from kfnb.runners import create_run
from kfnb.widgets import frontend, static_view
from tests.browser.hostile import CANARY, KNOWN, names
from tests.cli.scripted import FAILED, LOADED, SUCCEEDED, TRAINING, made_run, pipeline, step, write
from tests.draw.test_picture import inert

WIDGET = "application/vnd.jupyter.widget-view+json"
STATIC = {"image/svg+xml", "text/plain"}


def run_of(*events: Any) -> kfnb.Run:
    run = made_run()
    write(run, *events)
    return kfnb.open_run(run.id)


@pytest.fixture(autouse=True)
def closing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Close what a test opens: the follower is one for the whole process."""
    made = []
    real = widgets.PipelineView.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        real(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(widgets.PipelineView, "__init__", init)
    yield
    for view in made:
        view.close()


def seen_by(kind: frontend.FrontendKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "kind_of_frontend", lambda: kind)


# What is shown


def test_a_run_can_be_given_by_object_id_or_latest() -> None:
    run = run_of(*SUCCEEDED)
    for what in (run, run.id, run.id[:-2], "latest"):
        view = widgets.PipelineView(what)
        assert view.run is not None
        assert view.run.id == run.id
        assert list(view.pipeline.steps) == ["load", "train", "report"]
        assert repr(view) == f"<view of the run {run.id}>"


def test_a_run_can_be_given_by_a_unique_name() -> None:
    runs = [create_run(pipeline(), name=name) for name in ("slow", "fast", "fast")]
    assert widgets.PipelineView("slow").run.id == runs[0].id
    assert kfnb.open_run("slow").id == runs[0].id
    with pytest.raises(UsageError, match='2 runs are called "fast"') as raised:
        widgets.PipelineView("fast")
    assert all(run.id in str(raised.value) for run in runs[1:])


def test_a_pipeline_can_be_given_by_object_or_notebook(desk: Any) -> None:
    path = desk.notebook(("step:a", "x = 1"), ("step:b", "x"))
    for what in (path, str(path), kfnb.read(path)):
        view = widgets.PipelineView(what)
        assert view.run is None
        assert list(view.pipeline.steps) == ["a", "b"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda run: widgets.PipelineView("gone"), 'There is no run "gone"'),
        (lambda run: widgets.PipelineView("gone.ipynb"), "gone.ipynb"),
        (lambda run: widgets.PipelineView(run, tab="graph"), 'There is no tab "graph"'),
        (lambda run: widgets.PipelineView(run, compare=["gone"]), 'There is no run "gone"'),
        (lambda run: widgets.PipelineView(run.pipeline, compare=[run]), "run to compare"),
        (lambda run: widgets.LogView(run, "tran"), 'Did you mean "train"'),
        (lambda run: widgets.MetricsView(run.pipeline), "a run or its id, not Pipeline"),
        (lambda run: widgets.PipelineView(3), "a notebook's path or a pipeline, not int"),
        (lambda run: widgets.PipelineView(run, compare=3), "a run or its id, not int"),
        (lambda run: widgets.PipelineView(run, compare="gone"), 'There is no run "gone"'),
        (lambda run: widgets.PipelineView(run, tab=3), 'There is no tab "3"'),
        (lambda run: widgets.PipelineView(run, step=["a"]), "no step"),
    ],
)
def test_a_wrong_call_is_reported_in_a_sentence(call: Any, said: str) -> None:
    with pytest.raises(kfnb.KfnbError, match=re.escape(said)) as raised:
        call(run_of(*SUCCEEDED))
    # IPython shows the sentence, and no traceback.
    assert raised.value._render_traceback_() == [f"kfnb: {raised.value}"]


def test_each_single_view_opens_its_tab() -> None:
    run, other = run_of(*SUCCEEDED), run_of(*FAILED)
    alone = {
        "dag": widgets.DagView(run),
        "table": widgets.StepTable(run),
        "metrics": widgets.MetricsView(run, other.id),
        "logs": widgets.LogView(run, "train"),
    }
    for tab, view in alone.items():
        assert view._ui["tab"] == tab
        assert view._ui["only"]
    assert alone["logs"]._ui["selected"] == "train"
    assert alone["metrics"]._ui["compare"] == [run.id, other.id]
    assert widgets.PipelineView(run, compare=[run, other])._ui["compare"] == [run.id, other.id]
    assert widgets.PipelineView(run, compare=other)._ui["compare"] == [run.id, other.id]
    assert not widgets.PipelineView(run, tab="outputs")._ui["only"]


# Where nothing lives


def test_without_a_kernel_a_view_is_a_picture_and_text() -> None:
    assert frontend.kind_of_frontend() == "none"
    forms = widgets.PipelineView(run_of(*FAILED))._repr_mimebundle_()
    assert set(forms) == STATIC
    root = inert(forms["image/svg+xml"])
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "failed · line 2" in texts
    assert any(text.startswith("run 2") and text.endswith(": failed") for text in texts)
    assert "train: failed, line 2" in forms["text/plain"]
    assert "report: skipped" in forms["text/plain"]


def test_the_picture_of_metrics_is_a_chart_of_all_runs() -> None:
    one, other = run_of(*SUCCEEDED), run_of(*FAILED)
    forms = widgets.MetricsView(one, other)._repr_mimebundle_()
    svg = forms["image/svg+xml"]
    inert(svg)
    for run in (one, other):
        assert f"run {run.id}: {run.status}" in svg
        assert f"<title>{run.id}: loss</title>" in svg or run is other  # one point: no line
    assert "report" not in svg
    assert f"loss ({one.id}): 0.25" in forms["text/plain"]
    assert f"loss ({other.id}): 0.5" in forms["text/plain"]
    # The whole view keeps the graph.
    whole = widgets.PipelineView(one, compare=[other], tab="metrics")
    assert "report" in whole._repr_mimebundle_()["image/svg+xml"]


def test_the_picture_of_a_running_run_has_a_time() -> None:
    forms = widgets.PipelineView(run_of(*LOADED, *TRAINING))._repr_mimebundle_()
    assert re.search(r"running.*\(as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)", forms["text/plain"])
    assert "0 of 1 cells" in forms["text/plain"]
    assert "driver lost since" in forms["text/plain"]
    forms = widgets.PipelineView(run_of(*SUCCEEDED))._repr_mimebundle_()
    assert "as of" not in forms["text/plain"]


def test_a_program_gets_no_widget(built: object, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_by("program", monkeypatch)
    view = widgets.PipelineView(run_of(*SUCCEEDED))
    assert set(view._repr_mimebundle_()) == STATIC
    assert view._model is None


def test_jupyterlab_gets_a_slot_and_no_widget_view(
    built: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by("jupyter", monkeypatch)
    view = widgets.PipelineView(run_of(*SUCCEEDED))
    forms = view._repr_mimebundle_()
    assert set(forms) == {*STATIC, "text/html"}
    assert view.widget.slot
    assert f'data-kfnb-slot="{view.widget.slot}"' in forms["text/html"]
    assert forms["image/svg+xml"] in forms["text/html"]


def test_other_front_ends_get_a_widget_view(built: object, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_by("other", monkeypatch)
    view = widgets.PipelineView(run_of(*SUCCEEDED))
    forms = view._repr_mimebundle_()
    assert set(forms) == {*STATIC, WIDGET}
    assert forms[WIDGET]["model_id"] == view.widget.model_id


def test_the_picture_says_that_live_views_were_not_built(
    not_built: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by("jupyter", monkeypatch)
    view = widgets.PipelineView(run_of(*SUCCEEDED))
    forms = view._repr_mimebundle_()
    assert set(forms) == STATIC
    for form in forms.values():
        assert "The live views were not built: node was not found." in form
    with pytest.raises(UsageError, match="node was not found"):
        _ = view.widget


def test_an_installation_without_a_build_says_what_to_do(not_built: Path) -> None:
    (not_built / "missing.txt").unlink()
    assert "Install node" in str(bundle.build_problem())
    assert bundle.engine_hash() == ""


# The widget


def test_the_widget_holds_no_engine_and_little_else(
    built: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by("jupyter", monkeypatch)
    widget = widgets.PipelineView(run_of(*FAILED)).widget
    state = widget.get_state()
    assert state["engine"] == bundle.engine_hash()
    assert len(state["engine"]) == 16
    assert state["_esm"] == bundle.loader()
    assert state["_css"] == ""
    assert state["state"]["status"] == "failed"
    assert state["run"]["parameters"] == {"rate": 0.1}
    assert len(json.dumps(state)) < 10_000


def test_a_later_page_gets_the_current_state(
    built: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by("jupyter", monkeypatch)
    run = run_of(*LOADED)
    view = widgets.PipelineView(run)
    assert view.widget.get_state("state")["state"]["status"] == "running"
    write(view._session.feeds[0].view.folder, *FAILED[len(LOADED) :])
    view._session.feeds[0].poll(1e12)
    told = view.widget.get_state()
    assert told["state"]["status"] == "failed"
    assert set(view.widget.get_state("engine")) == {"engine"}
    assert set(view.widget.get_state(["ui", "run"])) == {"ui", "run"}


def test_metrics_are_not_saved_with_the_widget(
    built: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by("jupyter", monkeypatch)
    points = [
        ("MetricLogged", "train", {"name": "loss", "value": n / 7, "step": n}, 1)
        for n in range(1000)
    ]
    run, other = run_of(*LOADED, *TRAINING, *points), run_of(*LOADED, *TRAINING, *points)
    for view in (widgets.PipelineView(run), widgets.MetricsView(run, other)):
        assert len(json.dumps(view.widget.get_state())) < 8_000


def test_a_closed_view_can_be_shown_again(built: object, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_by("jupyter", monkeypatch)
    view = widgets.PipelineView(run_of(*SUCCEEDED))
    first = view.widget
    view.close()
    view.close()
    assert first.comm is None
    assert view.widget is not first


# Hostile names


class Found(HTMLParser):
    """The elements and attributes that a page would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("seed", range(10))
def test_hostile_names_are_inert(seed: int) -> None:
    steps = list(dict.fromkeys([*KNOWN[seed::3], *names(5, seed)]))
    made = replace(
        pipeline(),
        name=steps[0],
        steps={name: step(name, n, (n,)) for n, name in enumerate(steps)},
        edges=tuple(Edge(a, b, (a, b), (b,)) for a, b in pairwise(steps)),
    )
    forms = static_view.bundle(made, None, slot=steps[1], why_static=steps[2])
    inert(str(forms["image/svg+xml"]))
    found = Found(str(forms["text/html"]))
    assert found.tags <= {"div", "svg", "g", "rect", "path", "circle", "text", "title"}
    assert not {name for name in found.attributes if name.startswith("on") or "href" in name}
    assert "\x1b" not in str(forms["text/plain"])


def test_hostile_texts_of_a_run_are_inert() -> None:
    bad = f'<script>window.{CANARY}=1</script>"><img src=x onerror=alert(1)>\x1b[31m'
    failure = {"class": "user", "summary": bad, "ename": bad, "evalue": bad, "cell": 2}
    run = made_run()
    write(
        run,
        *LOADED,
        *TRAINING,
        ("MetricLogged", "train", {"name": bad, "value": 1, "step": 0}, 1),
        ("AttemptFailed", "train", failure, 1),
        ("StepFailed", "train", failure),
        ("StepSkipped", "report", {"reason": bad}),
        ("RunFinished", None, {"status": "failed", "error": failure}),
    )
    feed = Feed(run)
    feed.poll(0.0)
    forms = static_view.bundle(feed.view.pipeline, feed, slot="p")
    inert(str(forms["image/svg+xml"]))
    assert Found(str(forms["text/html"])).tags <= {
        *("div", "svg", "g", "rect", "path", "circle", "text", "title")
    }
    assert "\x1b" not in str(forms["text/plain"])
    ElementTree.fromstring(str(forms["image/svg+xml"]))


# Loading


def test_importing_the_views_loads_nothing_until_one_is_used() -> None:
    code = (
        "import sys, kfnb.widgets; first = set(sys.modules)\n"
        "kfnb.widgets.PipelineView; second = set(sys.modules)\n"
        "print([sorted(m & {'IPython', 'ipywidgets', 'anywidget', 'kfnb.api', 'traitlets'})"
        " for m in (first, second)])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[[], ['kfnb.api']]"


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = widgets.Nothing
    assert set(widgets.__all__) <= set(dir(widgets))


@pytest.mark.parametrize("name", ["frontend"])
def test_examples(name: str) -> None:
    import importlib

    failed, tried = doctest.testmod(importlib.import_module(f"kfnb.widgets.{name}"))
    assert tried
    assert not failed
