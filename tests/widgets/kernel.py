"""A real kernel, and what a front end hears and says."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]
JUPYTERLAB = {"deletedCells": [], "cellId": "c0", "recordTiming": False}
"""What JupyterLab and Notebook 7 send along with a cell."""
PATIENCE = 60.0
ROOT = Path(__file__).parents[2]

FAKE_ENGINE = """
from kfnb.live import bundle
import pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "engine.js").write_text("export function render() {}\\n" + "// engine\\n" * 90_000)
(folder / "layout.js").write_text("export function graphviz() {}")
(folder / "loader.js").write_text("export default {render() {}};")
bundle.STATIC = folder
"""


class Kernel:
    """A kernel as a front end has it."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client
        self.heard: list[Message] = []

    def start(self, code: str, **metadata: Any) -> str:
        """Send a cell and do not wait; the request's id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": bool(metadata),
            "stop_on_error": False,  # what comes right after an error is wanted
        }
        request = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(request)
        return str(request["header"]["msg_id"])

    def do(self, code: str, **metadata: Any) -> list[Message]:
        """Execute a cell as JupyterLab does; what it put out."""
        request = self.start(code, **(metadata or JUPYTERLAB))
        return self.finish(request)

    def program(self, code: str) -> list[Message]:
        """Execute a cell as nbclient does."""
        return self.finish(self.start(code))

    def finish(self, request: str) -> list[Message]:
        def idle(message: Message) -> bool:
            return (
                message["parent_header"].get("msg_id") == request
                and message["msg_type"] == "status"
                and message["content"]["execution_state"] == "idle"
            )

        before = len(self.heard)
        self.until(idle)
        found = [m for m in self.heard[before:] if m["parent_header"].get("msg_id") == request]
        for message in found:
            assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        return found

    def until(self, holds: Callable[[Message], bool], seconds: float = PATIENCE) -> Message:
        """Read what the kernel publishes until a message is the one."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                kinds = [kind_of(m) for m in self.heard[-20:]]
                raise AssertionError(f"not heard within {seconds} s; last: {kinds}") from None
            self.heard.append(message)
            if holds(message):
                return message

    def kind(self, wanted: str, seconds: float = PATIENCE, **facts: Any) -> Message:
        """Wait for a view's message of this kind, with these facts."""
        return self.until(
            lambda m: (
                kind_of(m) == wanted
                and all(said(m).get(key) == value for key, value in facts.items())
            ),
            seconds,
        )

    def ask(self, model: str, content: Mapping[str, Any], subshell: str | None = None) -> None:
        """Send a message as a page does, perhaps to a subshell as JupyterLab does."""
        data = {"method": "custom", "content": dict(content)}
        request = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        if subshell is not None:
            request["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(request)

    def subshell(self) -> str | None:
        """Ask for a subshell; None where the kernel knows none (ipykernel before 7)."""
        info = self.client.kernel_info(reply=True, timeout=PATIENCE)["content"]
        if "kernel subshells" not in info.get("supported_features", ()):
            return None
        request = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(request)
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def text(self, code: str) -> str:
        """Execute a cell; what it printed."""
        return "".join(
            m["content"]["text"] for m in self.do(code) if m["msg_type"] == "stream"
        ).strip()


def said(message: Message) -> Mapping[str, Any]:
    """What a view told its page in a message; empty if it is none."""
    data = message["content"].get("data") or {}
    content = data.get("content") if message["msg_type"] == "comm_msg" else None
    return content if isinstance(content, dict) else {}


def kind_of(message: Message) -> str:
    return str(said(message).get("kind") or message["msg_type"])


def shown(messages: list[Message]) -> list[Mapping[str, Any]]:
    """The bundles that were displayed."""
    return [m["content"]["data"] for m in messages if m["msg_type"] == "display_data"]


def opened(messages: list[Message]) -> dict[str, Mapping[str, Any]]:
    """The state of each view's widget that was opened, by id."""
    found = {}
    for message in messages:
        if message["msg_type"] == "comm_open":
            state = message["content"]["data"]["state"]
            if "graph" in state:
                found[message["content"]["comm_id"]] = state
    return found


@contextmanager
def kernel(folder: Path, python: str = sys.executable) -> Iterator[Kernel]:
    """Start a kernel, with a stand-in for the browser's files."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "k"))
    manager.kernel_spec.argv[0] = python
    manager.start_kernel(cwd=str(folder), env={**os.environ, "PYTHONPATH": str(ROOT)})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        made = Kernel(manager, client)
        made.do(FAKE_ENGINE)
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
