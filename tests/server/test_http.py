"""The server's requests, each answered as its operation says."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kfnb
from kfnb.api.run_lookup import run_folders
from kfnb.server.processes import Answer
from tests.cli.scripted import FAILED, SUCCEEDED, made_run, write
from tests.live.runs import run_of
from tests.server.client import ask, ended
from tests.waiting import wait_until

CHAIN = (
    ("parameters", "rate = 0.5"),
    ("step:load", "rows = [1, 2]"),
    ("step:sum", "print(sum(rows) * rate)"),
)

WAITING = """import pathlib, time
while not pathlib.Path('go').exists():
    time.sleep(.05)
"""


async def test_the_status_names_the_protocol_and_the_limits(jp_fetch: Any) -> None:
    got = await ask(jp_fetch, "GET", "status")
    assert got.status == 200
    assert got.body["version"] == kfnb.__version__
    assert got.body["reads_files"]
    assert got.body["limits"]["channels"] == 32


async def test_a_request_without_the_token_is_refused(jp_fetch: Any) -> None:
    got = await ask(jp_fetch, "GET", "runs", headers={"Authorization": "token wrong"})
    assert (got.status, got.kind) == (401, "application/problem+json")
    assert "token" in got.body["detail"]


async def test_starting_a_run_needs_the_right_to_execute(
    jp_fetch: Any, jp_serverapp: Any, book: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    book(*CHAIN)
    asked = []

    def is_authorized(_: Any, __: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return action == "read"

    monkeypatch.setattr(jp_serverapp.authorizer, "is_authorized", is_authorized)
    assert (await ask(jp_fetch, "GET", "runs")).status == 200
    got = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"})
    assert got.status == 403
    assert asked == [("read", "kfnb"), ("execute", "kfnb")]
    assert not run_folders()


async def test_a_notebook_is_checked(jp_fetch: Any, book: Callable[..., Path]) -> None:
    path = book(("step:load", "rows = [1]"), ("step:fit", "fit(rowz)"), name="deep/er.ipynb")
    got = await ask(jp_fetch, "POST", "check", {"path": "deep/er.ipynb"})
    assert got.status == 200, got.body
    assert got.body["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not got.body["ok"]
    assert [node["name"] for node in got.body["graph"]["nodes"]] == ["load", "fit"]
    assert got.body["graph"]["notebook"] == "deep/er.ipynb"
    assert "KFNB-E102" in {one["code"] for one in got.body["graph"]["diagnostics"]}


@pytest.mark.parametrize(
    "path",
    [
        "../out.ipynb",
        "deep/../../out.ipynb",
        "/../out.ipynb",
        "..",
        "./nb.ipynb",
        ".hidden/nb.ipynb",
        "deep//nb.ipynb",
        "nb\0.ipynb",
        "gone.ipynb",
        "deep",
    ],
)
async def test_files_that_the_server_does_not_show_are_not_read(
    jp_fetch: Any, book: Callable[..., Path], jp_root_dir: Path, path: str
) -> None:
    book(*CHAIN, name="deep/nb.ipynb")
    book(*CHAIN, name=".hidden/nb.ipynb")
    book(*CHAIN, name="../out.ipynb")
    for operation in ("check", "runs"):
        got = await ask(jp_fetch, "POST", operation, {"path": path})
        assert (got.status, got.kind) == (404, "application/problem+json"), got.body
    assert not run_folders()


async def test_an_absolute_path_is_one_below_the_root(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    outside = book(*CHAIN, name="../out.ipynb").resolve()
    assert (await ask(jp_fetch, "POST", "check", {"path": str(outside)})).status == 404


async def test_a_file_that_is_no_notebook_is_refused_with_a_sentence(
    jp_fetch: Any, jp_root_dir: Path
) -> None:
    (jp_root_dir / "broken.ipynb").write_text("{")
    got = await ask(jp_fetch, "POST", "check", {"path": "broken.ipynb"})
    assert got.status == 422
    assert "is not a notebook" in got.body["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"path"', "not JSON"),
        ({}, "path"),
        ({"path": "nb.ipynb", "paralel": 2}, "paralel"),
        ({"path": "nb.ipynb", "parallel": 0}, "parallel"),
        ({"path": "nb.ipynb", "timeout": "soon"}, "timeout"),
        ({"path": "nb.ipynb", "sha256": "abc"}, "sha256"),
        ({"path": 3}, "path"),
    ],
)
async def test_a_request_that_does_not_fit_says_what_does_not(
    jp_fetch: Any, book: Callable[..., Path], body: Any, words: str
) -> None:
    book(*CHAIN)
    got = await ask(jp_fetch, "POST", "runs", body)
    assert (got.status, got.kind) == (400, "application/problem+json")
    assert words in got.body["detail"]


async def test_another_method_is_refused_with_those_that_exist(jp_fetch: Any) -> None:
    got = await ask(jp_fetch, "DELETE", "runs")
    assert got.status == 405
    assert got.headers["Allow"] == "GET, POST"


async def test_a_notebook_with_errors_starts_nothing(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(("step:fit", "fit(rowz)"))
    got = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"})
    assert got.status == 422
    assert [one["code"] for one in got.body["findings"]] == ["KFNB-E102"] * len(
        got.body["findings"]
    )
    assert not run_folders()


async def test_a_file_that_changed_since_the_page_read_it_starts_nothing(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(*CHAIN)
    got = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb", "sha256": "0" * 64})
    assert got.status == 409
    assert "Save it" in got.body["detail"]
    assert not run_folders()


async def test_an_unknown_parameter_starts_nothing(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(*CHAIN)
    got = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb", "parameters": {"rats": 1}})
    assert got.status == 409
    assert "rats" in got.body["detail"]
    assert not run_folders()


@pytest.mark.slow
async def test_a_run_that_the_server_starts_is_one_like_any_other(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    path = book(*CHAIN)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    got = await ask(
        jp_fetch,
        "POST",
        "runs",
        {"path": "nb.ipynb", "sha256": digest, "parameters": {"rate": 2.0}, "name": "mine"},
    )
    assert got.status == 201, got.body
    (run,) = kfnb.runs(path)
    assert got.body["id"] == run.id
    status = await asyncio.to_thread(ended, run)
    assert status == "succeeded"
    assert (run.name, run.parameters["rate"]) == ("mine", 2.0)
    assert run.logs("sum") == "6.0\n"

    got = await ask(jp_fetch, "GET", f"runs/{run.id}")
    assert (got.body["status"], got.body["notebook"]) == ("succeeded", "nb.ipynb")
    log = await ask(jp_fetch, "GET", f"runs/{run.id}/steps/sum/log")
    assert log.body["text"] == "6.0\n"
    outputs = await ask(jp_fetch, "GET", f"runs/{run.id}/steps/sum/outputs")
    assert outputs.body["cells"][0]["outputs"][0]["text"] == "6.0\n"
    notebook = await ask(jp_fetch, "GET", f"runs/{run.id}/steps/sum/notebook")
    assert json.loads(notebook.body["text"])["nbformat"] == 4

    # A run of the API uses what this one cached, and the server lists both.
    other = await asyncio.to_thread(kfnb.run, path, {"rate": 2.0})
    assert {step.status for step in other.steps.values()} == {"cached"}
    listed = await ask(jp_fetch, "GET", "runs", params={"notebook": "nb.ipynb"})
    assert [one["id"] for one in listed.body["runs"]] == [other.id, run.id]


@pytest.mark.slow
async def test_a_start_that_is_sent_twice_with_one_key_is_one_run(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(*CHAIN)
    key = {"Idempotency-Key": "a-1"}
    first, second = await asyncio.gather(
        ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"}, headers=key),
        ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"}, headers=key),
    )
    assert first.status == second.status == 201
    assert first.body["id"] == second.body["id"]
    assert len(run_folders()) == 1
    other = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb", "name": "b"}, headers=key)
    assert other.status == 409
    await asyncio.to_thread(ended, kfnb.open_run("latest"))


@pytest.mark.slow
async def test_a_start_is_known_by_its_key_after_the_server_was_restarted(
    jp_fetch: Any, jp_serverapp: Any, book: Callable[..., Path]
) -> None:
    book(*CHAIN)
    key = {"Idempotency-Key": "a-1"}
    first = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"}, headers=key)
    forget_starts(jp_serverapp)
    again = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"}, headers=key)
    assert (again.status, again.body["id"]) == (201, first.body["id"])
    forget_starts(jp_serverapp)
    other = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb", "name": "b"}, headers=key)
    assert other.status == 409
    assert len(run_folders()) == 1
    await asyncio.to_thread(ended, kfnb.open_run("latest"))


@pytest.mark.slow
async def test_a_run_whose_server_ended_before_its_start_is_started_by_the_same_request(
    jp_fetch: Any, jp_serverapp: Any, book: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    book(("parameters", "token = ''"), ("step:load", "print(token)"))
    request = {"path": "nb.ipynb", "parameters": {"token": "s3cret"}}
    key = {"Idempotency-Key": "a-1"}
    follow = state_of(jp_serverapp).follow

    async def no_start(name: str, arguments: bytes) -> Answer:
        return Answer(503, "application/problem+json", b"{}")

    with monkeypatch.context() as broken:
        broken.setattr(follow, "call", no_start)
        assert (await ask(jp_fetch, "POST", "runs", request, headers=key)).status == 503
    (folder,) = run_folders()
    assert "s3cret" not in folder.run.read_text()
    forget_starts(jp_serverapp)
    await state_of(jp_serverapp).check.stop()
    again = await ask(jp_fetch, "POST", "runs", request, headers=key)
    assert again.body["id"] == folder.id
    assert await asyncio.to_thread(ended, kfnb.open_run(folder.id)) == "succeeded"


def state_of(app: Any) -> Any:
    """Return what the extension's handlers share."""
    (extension,) = app.extension_manager.extension_apps["kfnb.server"]
    return extension.state


def forget_starts(app: Any) -> None:
    """Forget what only the server's own process knows of earlier starts."""
    state_of(app)._starts.clear()


@pytest.mark.slow
async def test_a_run_is_planned_before_it_starts(jp_fetch: Any, book: Callable[..., Path]) -> None:
    path = book(*CHAIN)
    request = {"path": "nb.ipynb"}
    new = await ask(jp_fetch, "POST", "runs/plan", request)
    assert new.body["summary"] == "2 steps run"
    assert not run_folders()
    await ask(jp_fetch, "POST", "runs", request)
    await asyncio.to_thread(ended, kfnb.open_run("latest"))
    same = await ask(jp_fetch, "POST", "runs/plan", request)
    assert same.body["summary"] == "0 steps run, 2 from the cache"
    changed = await ask(jp_fetch, "POST", "runs/plan", {**request, "parameters": {"rate": 2}})
    assert [one["action"] for one in changed.body["steps"]] == ["cached", "execute"]
    assert changed.body["summary"] == "1 step runs, 1 from the cache"
    forced = await ask(jp_fetch, "POST", "runs/plan", {**request, "from": "load"})
    assert forced.body["summary"] == "2 steps run"
    only = await ask(jp_fetch, "POST", "runs/plan", {**request, "only": "sum"})
    assert [one["action"] for one in only.body["steps"]] == ["cached", "execute"]
    wrong = await ask(jp_fetch, "POST", "runs/plan", {**request, "parameters": {"rat": 2}})
    assert (wrong.status, "rate" in wrong.body["detail"]) == (409, True)
    path.write_text(path.read_text().replace("sum(rows)", "sum(rowz)"))
    broken = await ask(jp_fetch, "POST", "runs/plan", request)
    assert (broken.status, broken.body["findings"][0]["code"]) == (422, "KFNB-E102")
    assert len(run_folders()) == 1


@pytest.mark.slow
async def test_a_run_is_stopped_and_resumed(jp_fetch: Any, book: Callable[..., Path]) -> None:
    path = book(("step:wait", WAITING))
    started = await ask(jp_fetch, "POST", "runs", {"path": "nb.ipynb"})
    run = kfnb.open_run(started.body["id"])
    await asyncio.to_thread(wait_until, lambda: run.steps["wait"].status == "running")
    assert (await ask(jp_fetch, "DELETE", f"runs/{run.id}")).status == 409
    assert (await ask(jp_fetch, "POST", f"runs/{run.id}/stop")).status == 202
    assert await asyncio.to_thread(ended, run) == "cancelled"
    assert (await ask(jp_fetch, "POST", f"runs/{run.id}/stop")).status == 409
    (path.parent / "go").touch()
    got = await ask(jp_fetch, "POST", f"runs/{run.id}/resume")
    assert got.status == 202, got.body
    # The new driver takes a moment to note that the run goes on.
    await asyncio.to_thread(wait_until, lambda: run.status == "succeeded")


async def test_runs_are_listed_page_by_page_and_by_status(jp_fetch: Any) -> None:
    first, failed, last = run_of(*SUCCEEDED), run_of(*FAILED), run_of(*SUCCEEDED)
    ids = [folder.id for folder in run_folders()]
    assert set(ids) == {first.id, failed.id, last.id}
    page = await ask(jp_fetch, "GET", "runs", params={"limit": "2"})
    assert [one["id"] for one in page.body["runs"]] == ids[:2]
    rest = await ask(jp_fetch, "GET", "runs", params={"cursor": page.body["cursor"]})
    assert [one["id"] for one in rest.body["runs"]] == ids[2:]
    assert rest.body["cursor"] is None
    only = await ask(jp_fetch, "GET", "runs", params={"status": "failed"})
    assert [one["id"] for one in only.body["runs"]] == [failed.id]
    assert (await ask(jp_fetch, "GET", "runs", params={"status": "odd"})).status == 400
    assert (await ask(jp_fetch, "GET", "runs", params={"limit": "0"})).status == 400


async def test_a_run_is_renamed_and_deleted(jp_fetch: Any) -> None:
    run = run_of(*SUCCEEDED)
    got = await ask(jp_fetch, "PATCH", f"runs/{run.id}", {"name": "the good one"})
    assert (got.status, got.body["name"]) == (200, "the good one")
    assert kfnb.open_run("the good one").id == run.id
    gone = await ask(jp_fetch, "DELETE", f"runs/{run.id}")
    assert (gone.status, gone.body) == (204, None)
    assert not run_folders()
    assert (await ask(jp_fetch, "GET", f"runs/{run.id}")).status == 404


async def test_runs_are_compared(jp_fetch: Any) -> None:
    one, other = run_of(*SUCCEEDED), run_of(*FAILED)
    got = await ask(jp_fetch, "GET", "compare", params={"runs": f"{one.id},{other.id}"})
    assert [run["id"] for run in got.body["runs"]] == [one.id, other.id]
    assert (await ask(jp_fetch, "GET", "compare", params={"runs": one.id})).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "runs/latest",
        "runs/..%2F..%2Fhome",
        "runs/20260101-000000-gone-0000",
        "runs/20260101-000000-gone-0000/steps/fit/log",
    ],
)
async def test_a_run_that_does_not_exist_is_not_there(jp_fetch: Any, path: str) -> None:
    got = await ask(jp_fetch, "GET", path)
    assert (got.status, got.kind) == (404, "application/problem+json")


async def test_a_step_that_does_not_exist_is_not_there(jp_fetch: Any) -> None:
    run = run_of(*SUCCEEDED)
    for what in ("log", "outputs", "notebook"):
        got = await ask(jp_fetch, "GET", f"runs/{run.id}/steps/trian/{what}")
        assert (got.status, "train" in got.body["detail"]) == (404, True), got.body


async def test_schemas_and_targets_are_listed(jp_fetch: Any) -> None:
    for name in ("cell", "notebook", "events"):
        got = await ask(jp_fetch, "GET", f"schemas/{name}")
        assert "$schema" in got.body
    assert (await ask(jp_fetch, "GET", "schemas/odd")).status == 404
    targets = (await ask(jp_fetch, "GET", "targets")).body["targets"]
    assert [one["name"] for one in targets] == ["local", "kubernetes"]
    assert "image" in {one["name"] for one in targets[1]["options"]}
    assert (await ask(jp_fetch, "GET", "targets/local/workspaces")).body == {"workspaces": []}
    assert (await ask(jp_fetch, "GET", "targets/odd/workspaces")).status == 404


async def test_the_notebook_of_a_run_elsewhere_has_no_path_here(jp_fetch: Any) -> None:
    run = made_run(path=Path("/somewhere/else.ipynb"))
    write(run, *SUCCEEDED)
    assert (await ask(jp_fetch, "GET", f"runs/{run.id}")).body["notebook"] is None
