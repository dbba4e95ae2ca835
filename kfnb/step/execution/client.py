"""The notebook client: nbclient's semantics, with bounded outputs and no idle waiting.

nbclient executes the cells and interprets what the kernel sends. What this client replaces is
how messages are received (many at once, printed text on a short path, the kernel's death noticed
at once), how an execution is stopped, and where its kernel comes from.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Mapping
from hmac import compare_digest
from typing import Any

import zmq
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, DeadKernelError
from nbclient.util import run_hook, run_sync
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from traitlets import Integer

from kfnb.step.execution.cell_outputs import CellOutputs
from kfnb.step.execution.notebook_saving import NotebookManager
from kfnb.step.execution.reporter import BATCH, Reporter
from kfnb.step.execution.session import CellFailure, KernelDied, Session
from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.execution.stream_text import stream_pieces
from kfnb.step.kernels.provider import KernelExit, KernelRequest, StepKernel
from kfnb.step.kernels.without_debugger import ALLOW_DEBUGGER

_DELIMITER = b"<IDS|MSG>"
# After so many messages, requests to stop and saves get a turn of the event loop.
_BURST = 500
_LAST_SILENCE = 20
_LAST_MESSAGES = 0.2
"""Seconds in which what a kernel sent before it died arrives."""

# Registered first, so that it runs last: what the notebook's own exit handlers print is kept.
_FLUSH_AT_EXIT = (
    '__import__("atexit").register(lambda s: (s.stdout.flush(), s.stderr.flush()),'
    ' __import__("sys"))\n'
)
_GRACE = {"timeout": 5.0, "cancelled": 2.0}
"""Seconds that an interrupted cell has, by the reason for the stop, before its kernel is killed."""


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes a notebook's cells in a kernel of the session's provider."""

    # The kernel's last outputs may be many; its death is noticed otherwise.
    iopub_timeout = Integer(3600).tag(config=True)
    kc: Any
    km: Any

    def __init__(self, nb_man: NotebookManager, *, session: Session, **options: Any) -> None:
        super().__init__(nb_man, **options)
        nb_man.before_save = self._write_texts
        self._session = session
        self._stop: StopRequest = session.stop
        self._reporter: Reporter = session.reporter
        self._kernel: StepKernel | None = session.kernel
        self._requests: dict[bytes, tuple[Any, int]] = {}
        self._texts: dict[int, CellOutputs] = {}
        self._changed_texts: dict[int, CellOutputs] = {}
        self.clear_before_next_output: bool = False
        self._exit_requested = False
        self._current: Mapping[str, Any] | None = None
        self._late_text = 0

    @property
    def exit_timeout(self) -> float:
        """Seconds that the kernel has for its exit handlers."""
        return self._session.exit_timeout

    def execute(self, **options: Any) -> Any:
        """Execute all cells; the notebook with outputs.

        Raises
        ------
        Stopped
            If the session's stop was requested.
        KernelDied
            If the kernel ended by itself.
        """
        self.reset_execution_trackers()
        run_sync(self._run)(**options)
        return self.nb

    async def _run(self, **options: Any) -> None:
        kernels, kernel = self._session.kernels, self._kernel
        if kernel is None:
            cwd = options.get("cwd") or self.resources.get("metadata", {}).get("path")
            request = KernelRequest(self.kernel_name, cwd=cwd, env=options.get("env"))
            kernel = self._kernel = await kernels.start(request)
        helpers = [asyncio.ensure_future(h) for h in (self._watch_for_stop(), self._poll())]
        try:
            try:
                await kernels.execute(kernel, self)
            except (DeadKernelError, KernelDied):
                await asyncio.sleep(_LAST_MESSAGES)
                await self._read_late()
                raise
            await kernels.end(kernel, self)
        finally:
            for helper in helpers:
                helper.cancel()
            self._reporter.flush()
            await kernels.end(kernel)
            self.kc = self.km = None

    async def run_cells(self, kernel: StepKernel) -> None:
        """Execute the cells in a kernel that is ready; the provider calls this."""
        self.km, self.kc = kernel.manager, kernel.client
        self.nb.metadata["language_info"] = kernel.info["language_info"]
        await run_hook(self.on_notebook_start, notebook=self.nb)
        first = _FLUSH_AT_EXIT + ALLOW_DEBUGGER if kernel.is_ipykernel else ""
        if source := first + (self._session.first_source or ""):
            reply = await self._execute_silently(source)
            if reply["status"] != "ok":
                self._session.preparation_failed(reply)
        await self._execute_cells()
        self.set_widgets_metadata()

    async def collect_exit(self, exit_report: KernelExit) -> None:
        """Add to the last cell what the kernel's exit handlers printed."""
        if not exit_report.in_time:
            self._session.exit_timed_out()
            return
        arrived = await self._read_late()
        # ipykernel sends what is printed while its connection lives; the rest goes to the process's
        # own streams, which may repeat the first.
        if exit_report.output.strip() and not arrived:
            self._print_late("stderr", exit_report.output)
        self._session.kernel_exited()

    async def _execute_cells(self) -> None:
        session = self._session
        for index, cell in enumerate(self.nb.cells):
            if not session.should_execute(cell):
                continue
            self._stop.check()
            try:
                self.nb_man.cell_start(cell, index)
                await self._execute(cell, index)
                if source := self._session.silent_source(cell):
                    await self._execute_silently(source)
            except CellExecutionError as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                if not session.continues_after(error):
                    break
            except BaseException:
                self.nb_man.cell_exception(cell, cell_index=index)
                raise
            finally:
                self.nb_man.cell_complete(cell, cell_index=index)
        self._stop.check()

    async def _execute(self, cell: Any, index: int) -> None:
        """Execute one cell, and report how it went."""
        ok, self._current = False, cell
        executes = cell.cell_type == "code" and bool(cell.source.strip())
        if executes:
            self._session.cell_started(cell)
        try:
            await self.async_execute_cell(cell, index)
            ok = True
        except DeadKernelError:
            self._stop.check()
            raise self._died(cell) from None
        finally:
            self._write_texts()
            if executes:
                self._session.cell_finished(cell, ok=ok)
        if self._exit_requested:
            raise self._died(cell)

    def _died(self, cell: Mapping[str, Any]) -> KernelDied:
        kernel = self._kernel
        return KernelDied(
            cell,
            status=kernel.exit_status if kernel else None,
            exit_requested=self._exit_requested,
            output=kernel.captured_output() if kernel else "",
        )

    async def _execute_silently(self, source: str) -> Mapping[str, Any]:
        """Execute source that is no cell of the notebook; the content of the kernel's reply."""
        request = self.kc.execute(source, silent=True, store_history=False)
        while True:
            reply = await self._unless_dead(self.kc.shell_channel.get_msg(timeout=None))
            if reply["parent_header"].get("msg_id") == request:
                content: Mapping[str, Any] = reply["content"]
                return content

    async def _unless_dead(self, waiting: Coroutine[Any, Any, Any]) -> Any:
        """Wait for something of the kernel; raise if the kernel dies meanwhile."""
        assert self._kernel is not None
        task = asyncio.ensure_future(waiting)
        death = asyncio.ensure_future(self._kernel.dead.wait())
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if task.done():
            return task.result()
        task.cancel()
        self._stop.check()
        raise self._died({})

    async def _watch_for_stop(self) -> None:
        """Interrupt the kernel when a stop is requested; kill it if that is not enough."""
        kernel = self._kernel
        assert kernel is not None
        await self._stop.requested()
        grace = _GRACE.get(self._stop.reason or "", 0.0)
        if grace:
            await kernel.interrupt()
            with contextlib.suppress(asyncio.TimeoutError):
                # A second request, such as a second Ctrl+C, ends the wait.
                await asyncio.wait_for(self._stop.requested(times=2), grace)
        await kernel.kill()

    # -- receiving --------------------------------------------------------------------------

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Receive outputs until the kernel says that it is idle again (nbclient's hook)."""
        parent = parent_msg_id.encode()
        # A thread that an earlier cell started may print later, in the name of that cell's request.
        self._requests[parent] = (cell, cell_index)
        socket = self.kc.iopub_channel.socket
        # The plain socket reads many messages in a row; the asynchronous one makes a future for
        # each.
        direct: zmq.Socket[bytes] = zmq.Socket.shadow(socket.underlying)
        while True:
            await socket.poll()
            for _ in range(_BURST):
                try:
                    frames = direct.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                if self._handle_frames(frames, parent):
                    return
            await asyncio.sleep(0)

    async def _async_poll_kernel_alive(self) -> None:
        """Cancel the wait for a reply when the kernel is dead (nbclient's hook)."""
        assert self._kernel is not None
        await self._kernel.dead.wait()
        await asyncio.sleep(_LAST_MESSAGES)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_check_alive(self) -> None:
        """Raise if the kernel is dead (nbclient's hook)."""
        if self._kernel is None or self._kernel.dead.is_set():
            raise DeadKernelError("Kernel died")

    async def _check_raise_for_error(self, cell: Any, cell_index: int, exec_reply: Any) -> None:
        """Remember a failure, and whether the cell asked the kernel to exit (nbclient's hook)."""
        content = (exec_reply or {}).get("content", {})
        sources = [payload.get("source") for payload in content.get("payload") or ()]
        self._exit_requested = self._exit_requested or "ask_exit" in sources
        try:
            await super()._check_raise_for_error(cell, cell_index, exec_reply)
        except CellExecutionError:
            self._session.failure = CellFailure(cell, content)
            raise

    def _handle_frames(self, frames: list[Any], parent: bytes) -> bool:
        """Handle one message; True if it says that the request ``parent`` is done."""
        parts = [frame.buffer for frame in frames]
        start = next((i for i, part in enumerate(parts) if part == _DELIMITER), None)
        if start is None or len(parts) < start + 6:
            return False
        signature, header, origin, _metadata, content = parts[start + 1 : start + 6]
        session = self.kc.session
        # Printed text does not go through deserialize(), which would check the signature.
        if session.auth is not None and not compare_digest(
            bytes(signature), session.sign(parts[start + 2 : start + 6])
        ):
            return False
        kind = json.loads(bytes(header))["msg_type"]
        request = str(json.loads(bytes(origin)).get("msg_id", "")).encode()
        cell, index = self._requests.get(request, (None, -1))
        if kind == "status":
            idle = b'"idle"' in bytes(content) and request == parent
            if not idle:
                return False
        if cell is None:
            return False
        hooked = bool(self.output_hook_stack.get(request.decode()))
        # An ipywidgets.Output may capture what is printed, and nbclient knows how to give it the
        # text.
        if kind == "stream" and not hooked:
            for name, text in stream_pieces(content):
                self._printed(cell, index, name, text)
            return False
        message = session.deserialize([bytes(part) for part in parts[start + 1 :]])
        return self._handle_message(message, cell, index, done=kind == "status")

    def _handle_message(
        self, message: dict[str, Any], cell: Any, index: int, *, done: bool
    ) -> bool:
        """Let nbclient interpret a message that is not printed text."""
        kind = message["msg_type"]
        if kind in ("display_data", "execute_result") and self._outputs_of(cell).is_full(
            message["content"].get("data", {})
        ):
            return False
        if kind == "clear_output" and not message["content"].get("wait"):
            self._outputs_of(cell).clear()
        if kind in ("display_data", "execute_result", "error") and self.clear_before_next_output:
            self._outputs_of(cell).clear()
        try:
            output = self.process_message(message, cell, index)
        except CellExecutionComplete:
            return done
        if output is not None:
            self._reporter.displayed(cell, output)
        return False

    def _printed(self, cell: Any, index: int, name: str, text: str) -> None:
        """Add printed text to a cell's outputs and report it."""
        texts = self._outputs_of(cell)
        if self.clear_before_next_output:
            cell.outputs.clear()
            self.clear_display_id_mapping(index)
            self.clear_before_next_output = False
            texts.clear()
        texts.stream(name, text)
        if self._reporter.printed(cell, name, text):
            asyncio.get_running_loop().call_later(BATCH, self._reporter.flush)
        if self.log_output or self.stdout_file or self.stderr_file:
            output = NotebookNode(output_type="stream", name=name, text=text)
            self.log_output_message(output)

    def _outputs_of(self, cell: Any) -> CellOutputs:
        """Return the bounded outputs of a cell; nbclient starts a new list for each execution."""
        texts = self._texts.get(id(cell))
        if texts is None or not texts.belongs_to(cell.outputs):
            texts = self._texts[id(cell)] = CellOutputs(cell.outputs, node=NotebookNode)
        self._changed_texts[id(cell)] = texts
        return texts

    def _write_texts(self) -> None:
        """Write collected text into the notebook, after a cell and before a save."""
        for texts in self._changed_texts.values():
            texts.write()
        self._changed_texts.clear()

    async def _poll(self) -> None:
        """Save now and then while a long cell runs, and look at the metrics channel."""
        while True:
            await asyncio.sleep(BATCH)
            self._session.poll()
            self.nb_man.autosave_cell()

    async def _read_late(self) -> bool:
        """Read outputs that came after the last cell; True if there was printed text."""
        if self.kc is None or self._current is None:
            return False
        direct: zmq.Socket[bytes] = zmq.Socket.shadow(self.kc.iopub_channel.socket.underlying)
        before = self._late_text
        # Nothing comes after the end of the connection, or after such a silence in milliseconds.
        silence = 0
        while silence < _LAST_SILENCE:
            ended = self._kernel is None or self._kernel.outputs_ended()
            if direct.poll(0 if ended else 1):
                silence = 0
                with contextlib.suppress(zmq.Again):
                    self._handle_late(direct.recv_multipart(zmq.NOBLOCK))
            elif ended:
                break
            else:
                silence += 1
        self._write_texts()
        return bool(self._late_text != before)

    def _handle_late(self, frames: list[bytes]) -> None:
        with contextlib.suppress(ValueError, KeyError):
            _, parts = self.kc.session.feed_identities(frames)
            message = self.kc.session.deserialize(parts)
            if message["msg_type"] == "stream":
                self._print_late(message["content"]["name"], message["content"]["text"])

    def _print_late(self, name: str, text: str) -> None:
        self._late_text += len(text)
        cell = self._current
        if cell is not None:
            self._outputs_of(cell).stream(name, text)
            self._reporter.printed(cell, name, text)
            self._write_texts()
