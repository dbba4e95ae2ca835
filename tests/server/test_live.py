"""The socket of a page: its channels, and that an answer names its request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection

import kfnb
from tests.cli.scripted import LOADED, SUCCEEDED, TRAINING, write
from tests.live.runs import run_of
from tests.server.client import ended
from tests.waiting import PATIENCE

Open = Callable[[], Any]


class Page:
    """A page's end of a socket."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []

    async def send(self, channel: str, kind: str, re: int | None = None, **more: Any) -> None:
        envelope = {"ch": channel, "kind": kind, **({} if re is None else {"re": re})}
        await self.connection.write_message(json.dumps({**envelope, **more}))

    async def receive(self, kind: str, channel: str | None = None) -> dict[str, Any]:
        """Wait for the next message of a kind, and maybe of a channel."""
        while True:
            text = await asyncio.wait_for(self.connection.read_message(), PATIENCE)
            assert text is not None, f"closed; received {self.messages}"
            message = json.loads(text)
            self.messages.append(message)
            if message["kind"] == kind and channel in (None, message["ch"]):
                return message


@pytest.fixture
def page(jp_ws_fetch: Any) -> Open:
    async def connect() -> Page:
        return Page(await jp_ws_fetch("kfnb", "v1", "live"))

    return connect


async def test_a_page_is_greeted(page: Open) -> None:
    hello = await (await page()).receive("hello")
    assert hello["version"] == kfnb.__version__


async def test_a_page_without_the_token_gets_no_socket(jp_ws_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("kfnb", "v1", "live", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


async def test_a_page_of_another_origin_gets_no_socket(
    jp_ws_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page logs in by a cookie, which a browser also sends for pages of others.
    provider = jp_serverapp.identity_provider
    monkeypatch.setattr(provider, "is_token_authenticated", lambda _handler: False)
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("kfnb", "v1", "live", headers={"Origin": "https://other.example"})
    assert refused.value.code == 403
    await jp_ws_fetch("kfnb", "v1", "live")


async def test_a_run_is_followed(page: Open) -> None:
    run = run_of(*LOADED)
    one = await page()
    await one.send(f"run:{run.id}", "open-run", re=7)
    snapshot = await one.receive("snapshot", f"run:{run.id}")
    assert (snapshot["re"], snapshot["run"]["id"]) == (7, run.id)
    assert snapshot["state"]["steps"]["load"]["status"] == "succeeded"
    await one.receive("metrics")
    write(run, *TRAINING)
    while True:
        state = await one.receive("state")
        assert "re" not in state
        if "train" in state["steps"]:
            break
    await one.send(f"run:{run.id}", "outputs", re=8, step="load", index="", attempt=None)
    assert (await one.receive("outputs"))["re"] == 8
    await one.send(f"run:{run.id}", "compare", re="c", runs=["odd"])
    notice = await one.receive("notice")
    assert (notice["re"], notice["level"]) == ("c", "error")


async def test_a_run_that_does_not_exist_is_a_notice(page: Open) -> None:
    one = await page()
    for name in ("20260101-000000-gone-0000", "../secrets", ""):
        await one.send(f"run:{name}", "open-run", re=1)
        assert "There is no run" in (await one.receive("notice"))["text"]


async def test_the_list_of_runs_is_sent_again_when_it_changes(page: Open) -> None:
    run = run_of(*SUCCEEDED)
    one = await page()
    await one.send("runs", "watch-runs", re=1)
    first = await one.receive("runs")
    assert ([listed["id"] for listed in first["runs"]], first["re"]) == ([run.id], 1)
    other = run_of(*LOADED)
    while True:
        again = await one.receive("runs")
        if {listed["id"] for listed in again["runs"]} == {run.id, other.id}:
            break
    assert "re" not in again


async def test_an_edit_gives_the_outline_and_then_the_graph(
    page: Open, book: Callable[..., Path]
) -> None:
    path = book(("step:load", "rows = [1]"), ("step:fit", "print(rows)"))
    cells = {cell["id"]: cell for cell in json.loads(path.read_text())["cells"]}
    one = await page()
    await one.send("book:nb.ipynb", "open-book", re=1)
    opened = await one.receive("book")
    assert (opened["re"], len(opened["book"]["sha256"])) == (1, 64)
    await one.send("book:nb.ipynb", "edit", rev=1, order=list(cells), cells=cells)
    outline = await one.receive("outline")
    assert [step["name"] for step in outline["outline"]["steps"]] == ["load", "fit"]
    graph = await one.receive("graph")
    assert [(edge["source"], edge["target"]) for edge in graph["graph"]["edges"]] == [
        ("load", "fit")
    ]
    # Only the cell that changed is sent.
    cells["c0"]["metadata"]["tags"] = ["step:read"]
    await one.send("book:nb.ipynb", "edit", rev=2, order=["c0", "c1"], cells={"c0": cells["c0"]})
    graph = await one.receive("graph")
    assert graph["rev"] == 2
    assert [node["name"] for node in graph["graph"]["nodes"]] == ["read", "fit"]


async def test_steps_are_suggested_for_the_notebook_as_it_is_edited(
    page: Open, book: Callable[..., Path]
) -> None:
    path = book(("", "x = 1"))
    opened = await page()
    channel = f"book:{path.name}"
    sources = ("import math", "## Load", "rows = list(range(9))", "## Sum", "print(sum(rows))")
    cells = {
        f"c{n}": {
            "cell_type": "markdown" if source.startswith("#") else "code",
            "id": f"c{n}",
            "metadata": {},
            "source": source,
        }
        for n, source in enumerate(sources)
    }
    await opened.send(channel, "open-book")
    language = {"language_info": {"name": "python"}}
    await opened.send(channel, "edit", rev=4, order=list(cells), cells=cells, metadata=language)
    await opened.send(channel, "suggest", re=9)
    answer = await opened.receive("proposal", channel)
    assert (answer["re"], answer["rev"]) == (9, 4)
    proposal = answer["proposal"]
    assert proposal["setup"] == ["c0"]
    assert [(s["name"], s["cells"]) for s in proposal["steps"]] == [
        ("load", ["c2"]),
        ("sum", ["c4"]),
    ]


async def test_of_many_edits_the_newest_is_read(page: Open, book: Callable[..., Path]) -> None:
    path = book(("step:load", "rows = [1]"))
    (cell,) = json.loads(path.read_text())["cells"]
    one = await page()
    for rev in range(1, 101):
        changed = {**cell, "metadata": {"tags": [f"step:s{rev}"]}}
        await one.send("book:nb.ipynb", "edit", rev=rev, order=["c0"], cells={"c0": changed})
    while (graph := await one.receive("graph"))["rev"] != 100:
        pass
    assert graph["graph"]["nodes"][0]["name"] == "s100"
    assert sum(message["kind"] == "graph" for message in one.messages) < 50


async def test_a_cell_that_was_never_sent_is_a_notice(
    page: Open, book: Callable[..., Path]
) -> None:
    book(("step:load", "rows = [1]"))
    one = await page()
    await one.send("book:nb.ipynb", "edit", re=4, rev=1, order=["c0"], cells={})
    notice = await one.receive("notice")
    assert (notice["re"], "c0" in notice["text"]) == (4, True)


async def test_a_book_outside_of_the_root_is_a_problem(
    page: Open, book: Callable[..., Path]
) -> None:
    book(("step:load", "rows = [1]"), name="../out.ipynb")
    one = await page()
    await one.send("book:../out.ipynb", "open-book")
    assert (await one.receive("problem"))["problem"]["status"] == 404


async def test_a_page_has_a_limited_number_of_channels(page: Open) -> None:
    one = await page()
    for number in range(33):
        await one.send(f"book:{number}.ipynb", "open-book", re=number)
    while (notice := await one.receive("notice"))["re"] != 32:
        pass
    assert "32" in notice["text"]
    await one.send("book:0.ipynb", "close")
    await one.send("book:33.ipynb", "open-book", re=33)
    while (await one.receive("problem", "book:33.ipynb"))["re"] != 33:
        pass


@pytest.mark.parametrize("text", ["{", "[]", '{"ch": 3}', '{"kind": "hello"}', '"' + "[" * 10_000])
async def test_a_message_that_does_not_fit_is_a_notice(page: Open, text: str) -> None:
    one = await page()
    await one.connection.write_message(text)
    assert "does not fit" in (await one.receive("notice"))["text"]


async def test_pages_learn_that_the_process_that_follows_runs_has_died(
    page: Open, jp_serverapp: Any
) -> None:
    run = run_of(*LOADED)
    one = await page()
    await one.send(f"run:{run.id}", "open-run")
    await one.receive("snapshot")
    (app,) = jp_serverapp.extension_manager.extension_apps["kfnb.server"]
    os.kill(app.state.follow._process._process.pid, signal.SIGKILL)
    assert "died" in (await one.receive("gone", f"run:{run.id}"))["why"]
    await one.send(f"run:{run.id}", "open-run")
    await one.receive("snapshot")


@pytest.mark.slow
async def test_run_again_starts_a_new_run(page: Open, book: Callable[..., Path]) -> None:
    path = book(("step:load", "rows = [1]"))
    first = await asyncio.to_thread(kfnb.run, path)
    one = await page()
    await one.send(f"run:{first.id}", "open-run")
    await one.receive("snapshot")
    await one.send(f"run:{first.id}", "command", re=5, name="run-again")
    started = await one.receive("started")
    assert started["re"] == 5
    again = kfnb.open_run(started["run"])
    assert await asyncio.to_thread(ended, again) == "succeeded"
    assert again.steps["load"].status == "cached"
