"""Runs that version 0.1 left (``old_runs``, without values): everything still reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import kfnb
from kfnb.api import json_output
from kfnb.engine.cache.cache_key import Key
from kfnb.engine.cache.cache_lookup import Prepared
from kfnb.engine.core.commands import Prepare
from kfnb.engine.core.event_types import BODIES, RunResumed
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Source
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import replay
from kfnb.engine.dispatch.manifests import load_run, read_manifest
from kfnb.engine.journal.file_journal import read_journal
from kfnb.home import RunFolder
from kfnb.json_values import from_plain
from kfnb.step.order import StepOrder
from kfnb.store import manifest_key, open_store
from kfnb.store.cache import CacheIndex

OLD = Path(__file__).with_name("old_runs")
SUCCEEDED, CACHED, FAILED, RETRIED, CANCELLED = sorted(p.name for p in (OLD / "runs").iterdir())
STATUSES = {
    SUCCEEDED: ("succeeded", {"load": "succeeded", "train": "succeeded", "report": "succeeded"}),
    CACHED: ("succeeded", {"load": "cached", "train": "cached", "report": "cached"}),
    FAILED: ("failed", {"load": "cached", "train": "cached", "report": "failed"}),
    RETRIED: ("succeeded", {"flaky": "succeeded", "after": "succeeded"}),
    CANCELLED: ("cancelled", {"slow": "cancelled", "after": "cancelled"}),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    shutil.copytree(OLD, folder)
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


@pytest.mark.parametrize("run", STATUSES)
def test_their_status_is_shown(run: str) -> None:
    status, steps = STATUSES[run]
    opened = kfnb.open_run(run)
    assert opened.status == status
    assert {name: step.status for name, step in opened.steps.items()} == steps
    assert json.loads(json.dumps(json_output.status(opened)))["status"] == status


def test_their_metrics_attempts_and_errors_are_shown() -> None:
    assert kfnb.open_run(SUCCEEDED).metrics == {"total": pytest.approx(0.6)}
    assert kfnb.open_run(CACHED).metrics == {"total": pytest.approx(0.6)}
    assert kfnb.open_run(RETRIED).steps["flaky"].attempts == 2
    error = kfnb.open_run(FAILED).steps["report"].error
    assert error is not None
    assert error.ename == "ZeroDivisionError"


@pytest.mark.parametrize("run", STATUSES)
def test_their_events_have_the_types_of_today(home: Path, run: str) -> None:
    for event in read_journal(RunFolder(home / "runs" / run).journal):
        assert type(event.data) is BODIES[event.type]
        assert (event.index, event.round) == ("", 0)


def test_a_resume_continues_with_what_is_missing(home: Path) -> None:
    run = RunFolder(home / "runs" / FAILED)
    pipeline, _ = load_run(run)
    events = read_journal(run.journal)
    engine = replay(Plan.of(pipeline), events)
    last = events[-1]
    engine.apply(Event(last.seq + 1, last.time + 1, last.run, RunResumed()))
    asked = [c for c in engine.decide(last.time + 2) if isinstance(c, Prepare)]
    assert [(c.step, c.round) for c in asked] == [("report", 0)]


def test_what_their_steps_were_given_names_the_first_round(home: Path) -> None:
    run = RunFolder(home / "runs" / SUCCEEDED)
    state = replay(Plan.of(load_run(run)[0]), read_journal(run.journal)).state
    assert state.steps["train", ""].inputs == {"rows": Source("load")}


def test_what_they_published_is_read(home: Path) -> None:
    store = open_store(home / "store")
    manifest = read_manifest(store, manifest_key(SUCCEEDED, "train"))
    assert manifest is not None
    assert (manifest.step, manifest.index, manifest.round) == ("train", "", 0)
    assert set(manifest.outputs) == {"total", "text"}
    assert "raw.csv" in manifest.files_read


def test_their_cache_entries_are_reused(home: Path) -> None:
    store = open_store(home / "store")
    text = (home / "runs" / SUCCEEDED / "steps" / "train" / "key.json").read_bytes()
    prepared: Prepared = from_plain(Prepared, json.loads(text))
    assert prepared.key.base == prepared.base, "the key is computed as it was"
    (entry,) = CacheIndex(store).entries(prepared.base)
    assert Key.from_plain(entry.key) == prepared.key
    assert read_manifest(store, entry.manifest_key) is not None


def test_their_orders_are_read(home: Path) -> None:
    folder = RunFolder(home / "runs" / SUCCEEDED).attempt("train", 1)
    order = StepOrder.from_json(folder.order.read_bytes())
    assert (order.step, order.index, order.round) == ("train", "", 0)
