"""A real kernel and what it answers, as a front end has it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SECONDS = 120.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Answer:
    """What came of a cell."""

    status: str = ""
    text: str = ""
    error: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """Bundles of forms, of what was displayed and of the cell's value."""
    count: int | None = None

    def form(self, mime: str) -> str:
        """The one thing that was shown in this form."""
        (found,) = [bundle[mime] for bundle in self.shown if mime in bundle]
        return found


class Kernel:
    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client

    @classmethod
    @contextmanager
    def started(cls, folder: Path, environment: dict[str, str]) -> Iterator[Kernel]:
        from jupyter_client.manager import start_new_kernel

        manager, client = start_new_kernel(cwd=str(folder), env=environment)
        try:
            yield cls(manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    def __call__(self, cell: str, **metadata: Any) -> Answer:
        """Execute a cell to its end."""
        return self.answer(self.send(cell, **metadata))

    def ok(self, cell: str, **metadata: Any) -> Answer:
        """Execute a cell that succeeds."""
        answer = self(cell, **metadata)
        assert answer.status == "ok", answer.error or answer.text
        return answer

    def refused(self, cell: str) -> str:
        """Execute a cell that is wrong; the sentence that it gets."""
        answer = self(cell)
        assert answer.status == "error", answer
        assert answer.error.startswith("kfnb: "), answer.error
        assert "Traceback" not in answer.error
        return answer.error

    def send(self, cell: str, *, stop_on_error: bool = False, **metadata: Any) -> str:
        """Send a cell, and do not wait for it; ``metadata`` is the message's (``cellId``).

        With ``stop_on_error``, which front ends set, a failure aborts what is queued, and in
        ipykernel whatever arrives in the next tenth of a second too. A person is slower.
        """
        content = {
            "code": cell,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": stop_on_error,
        }
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def answer(self, sent: str, seconds: float = _SECONDS) -> Answer:
        """Gather what a cell gives until it has ended."""
        answer = Answer()
        deadline = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                answer.text += content["text"]
            elif kind in ("display_data", "execute_result"):
                answer.shown.append(content["data"])
            elif kind == "error":
                answer.error = _COLOURS.sub("", "\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                break
        reply = self._reply(sent)
        answer.status, answer.count = reply["status"], reply.get("execution_count")
        return answer

    def complete(self, cell: str, cursor: int | None = None) -> list[str]:
        """What Tab offers at the cursor (by default the end), as it would stand in the cell."""
        cursor = len(cell) if cursor is None else cursor
        found = self._reply(self.client.complete(cell, cursor))
        begin = cell[: found["cursor_start"]]
        return [begin + match for match in found["matches"]]

    def _reply(self, sent: str) -> dict[str, Any]:
        while True:
            message = self.client.get_shell_msg(timeout=_SECONDS)
            if message["parent_header"].get("msg_id") == sent:
                return dict(message["content"])
