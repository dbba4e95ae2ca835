"""A notebook that costs too much is given up, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.client import ask

HUGE = "".join(f"x{n} = {n}\n" for n in range(200_000))
FAIR = (("step:load", "rows = [1]"),)


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"read_cpu_seconds": 1, "max_message_bytes": 1000}


async def test_a_notebook_that_takes_too_long_is_given_up(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(("step:big", HUGE), name="huge.ipynb")
    book(*FAIR)
    hostile = asyncio.ensure_future(ask(jp_fetch, "POST", "check", {"path": "huge.ipynb"}))
    fair = await ask(jp_fetch, "POST", "check", {"path": "nb.ipynb"})
    assert fair.status == 200
    assert not hostile.done(), "the other notebook was read first"
    got = await hostile
    assert (got.status, got.kind) == (422, "application/problem+json")
    assert "more than 1 seconds" in got.body["detail"]
    # The next reading has a new process.
    assert (await ask(jp_fetch, "POST", "check", {"path": "nb.ipynb"})).status == 200


async def test_a_request_that_is_too_large_is_refused(
    jp_fetch: Any, book: Callable[..., Path]
) -> None:
    book(*FAIR)
    body = {"path": "nb.ipynb", "parameters": {"text": "x" * 2000}}
    assert (await ask(jp_fetch, "POST", "runs", body)).status == 413


class TestSmall:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"max_notebook_bytes": 1000}

    async def test_a_notebook_that_is_too_large_is_not_read(
        self, jp_fetch: Any, book: Callable[..., Path]
    ) -> None:
        book(("step:big", "x = 1\n" * 1000))
        got = await ask(jp_fetch, "POST", "check", {"path": "nb.ipynb"})
        assert got.status == 413
        assert "1,000" in got.body["detail"]


class TestMemory:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"read_memory_bytes": 1_000_000_000}

    @pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only on Linux")
    async def test_the_process_that_reads_notebooks_has_limited_memory(
        self, jp_fetch: Any, jp_serverapp: Any, book: Callable[..., Path]
    ) -> None:
        book(*FAIR)
        await ask(jp_fetch, "POST", "check", {"path": "nb.ipynb"})
        (app,) = jp_serverapp.extension_manager.extension_apps["kfnb.server"]
        (process,) = app.state.check._idle
        limits = psutil.Process(process._process.pid).rlimit(psutil.RLIMIT_AS)
        assert limits[0] == 1_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux schedules processes")
async def test_the_event_loop_goes_before_the_processes_that_read(
    jp_fetch: Any, jp_serverapp: Any, book: Callable[..., Path]
) -> None:
    book(("step:a", "x = 1"))
    assert (await ask(jp_fetch, "POST", "check", {"path": "nb.ipynb"})).status == 200
    (extension,) = jp_serverapp.extension_manager.extension_apps["kfnb.server"]
    (process,) = extension.state.check._idle
    pid = process._process.pid
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, own + 10)
    # The cores are shared among sessions before priorities count.
    (session,) = session_of(pid) or [" nice 10"]
    assert session.endswith(" nice 10")


def session_of(pid: int) -> list[str]:
    """Return how Linux schedules the session of a process, if it schedules sessions."""
    path = Path(f"/proc/{pid}/autogroup")
    return path.read_text().splitlines() if path.exists() else []
