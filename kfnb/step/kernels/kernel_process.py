"""One kernel process: started early, connected over IPC, watched, and ended properly.

A step waits for little: the process boots while the step prepares, its end is noticed through
a pidfd, and it leaves its event loop by itself so that exit handlers run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError, UsageError
from kfnb.step.kernels.orphan_guard import Guard, kill_group
from kfnb.step.kernels.other_processes import descendants, readable
from kfnb.step.kernels.provider import KernelExit, KernelUsage
from kfnb.step.kernels.socket_folder import ipc_transport, socket_folder
from kfnb.step.kernels.without_debugger import without_debugger
from kfnb.step.templates.kernel_source import KernelSource
from kfnb.step.templates.kernel_spec import HISTORY

EXIT_TIMEOUT = 10.0
"""Seconds that a kernel has for its exit handlers."""

# After a shutdown request, ipykernel's control thread flushes streams that its main thread may
# just have closed, and waits ten seconds for that. Stopping the event loop avoids it.
_STOP_LOOP = "(lambda loop: loop.add_callback(loop.stop))(get_ipython().kernel.io_loop)"
_STOP_LOOP_TIMEOUT = 5.0
_SOCKETS = range(1, 6)
_OUTPUT_LIMIT = 64 << 10


class KernelStartError(InfrastructureError):
    """The kernel could not be started, or did not answer."""


class Kernel:
    """A kernel of the installed kernelspec ``name``, in the working directory ``cwd``."""

    def __init__(self, name: str, *, guard: Guard | None = None, capture: bool = False) -> None:
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.paths import jupyter_path

        self.dead = asyncio.Event()
        self.exit_status: int | None = None
        self.pid: int | None = None
        self.client: Any = None
        self.info: dict[str, Any] = {}
        self._disconnections: Any = None
        self._guard = guard
        self._capture = capture
        self._output: deque[bytes] = deque()
        self._output_size = 0
        self._pipe = -1
        self._watching: asyncio.Task[None] | None = None
        self.folder = socket_folder()
        # Without the folder of IPython 3's kernels, for which Jupyter would import IPython.
        specs = KernelSpecManager(kernel_dirs=jupyter_path("kernels"))
        self.manager = AsyncKernelManager(kernel_spec_manager=specs, **ipc_transport(self.folder))
        if name:
            self.manager.kernel_name = name

    @property
    def name(self) -> str:
        """The name of the kernelspec."""
        return str(self.manager.kernel_name)

    @property
    def command(self) -> list[str]:
        """The kernelspec's command line.

        Raises
        ------
        UsageError
            If no kernel of this name is installed.
        """
        return list(self._spec().argv)

    @property
    def usage(self) -> KernelUsage | None:
        """What a forked kernel that has ended has used; other kernels are children."""
        end = getattr(getattr(self.manager.provisioner, "process", None), "end", None)
        return KernelUsage(end.peak_memory, end.cpu_seconds) if end is not None else None

    @property
    def is_ipykernel(self) -> bool:
        """Whether it is IPython's own kernel."""
        return any("ipykernel" in argument for argument in self.command)

    @property
    def alive(self) -> bool:
        """Whether the process runs, as far as this process knows."""
        return self.pid is not None and not self.dead.is_set()

    async def launch(
        self,
        *,
        cwd: str | None,
        env: Mapping[str, str] | None,
        source: KernelSource | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        """Start the process, or have it forked; it boots while the caller does other things.

        Parameters
        ----------
        cwd, env
            Working directory and whole environment; those of this process if None.
        source
            Forks kernels from templates that have made ``imports``.

        Raises
        ------
        UsageError
            If no such kernel is installed, or its program is not there.
        """
        spec = self._spec()
        options: dict[str, Any] = {"extra_arguments": [], "cwd": cwd}
        if env is not None:
            options["env"] = dict(env)
        if self.is_ipykernel:
            spec.argv = without_debugger(spec.argv)
            options["extra_arguments"] = [HISTORY]
        ordinary = not _provisioned(spec)
        write = self._open_pipe(options) if self._capture and ordinary else -1
        if source is not None and ordinary and self.is_ipykernel:
            from kfnb.step.templates.provisioner import select_provisioner

            select_provisioner(
                spec, source=source, imports=imports, before_process=self._start_guard
            )
        else:
            self._start_guard()
        try:
            await self.manager.start_kernel(**options)
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            if cwd is not None and not Path(cwd).is_dir():
                raise UsageError(
                    f"The notebook's folder {cwd} no longer exists. Restore it, and run again."
                ) from error
            raise UsageError(
                f'The kernel "{self.name}" cannot be started: {error.strerror} '
                f"({error.filename}). Reinstall it, or choose another kernel."
            ) from error
        finally:
            if write >= 0:
                os.close(write)
        self.pid = getattr(self.manager.provisioner, "pid", None)
        if self.pid is not None and self._guard is not None:
            self._guard.watch(self.pid)
        self._watching = asyncio.ensure_future(self._watch())

    async def ready(self, *, timeout: float) -> None:
        """Connect, and wait until the kernel answers and its outputs arrive.

        Raises
        ------
        KernelStartError
            If a signal ends it before that, or it does not answer in ``timeout`` seconds.
        UsageError
            If it ends by itself: its environment is not complete.
        """
        import zmq

        deadline = time.monotonic() + timeout
        sockets = [f"{self.manager.ip}-{n}" for n in _SOCKETS]
        while self.manager.transport == "ipc" and not all(map(os.path.exists, sockets)):
            self._check(deadline, timeout)
            await asyncio.sleep(0.005)
        self.client = self.manager.client()
        self.client.context.setsockopt(zmq.RCVHWM, 0)  # never drop outputs on this side
        self.client.start_channels(stdin=False, hb=False)
        outputs = self.client.iopub_channel.socket
        self._disconnections = outputs.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        # input() then raises an error instead of waiting for an answer that nobody can give.
        self.client.allow_stdin = False
        _never_abort(self.client)
        while True:
            request = self.client.kernel_info()
            reply = await self._reply(self.client.shell_channel, request, deadline, timeout)
            if reply is not None:
                self.info = reply["content"]
                # Outputs that are sent before this connection is established are lost.
                if await self._reply(self.client.iopub_channel, request, deadline, timeout):
                    return

    def outputs_ended(self) -> bool:
        """Whether the kernel has closed the connection on which its outputs arrive."""
        import zmq

        events = self._disconnections
        return events is not None and bool(zmq.Socket.shadow(events.underlying).poll(0))

    async def interrupt(self) -> None:
        """Interrupt what the kernel executes."""
        if self.alive:
            with contextlib.suppress(Exception):
                await self.manager.interrupt_kernel()

    async def exit(self, *, timeout: float = EXIT_TIMEOUT) -> KernelExit:
        """Let the kernel exit by itself, so that its exit handlers run.

        Returns
        -------
        KernelExit
            ``in_time`` is False if it has not exited after ``timeout`` seconds.
        """
        self.discard_output()
        if self.alive and self.is_ipykernel:
            self.client.execute(_STOP_LOOP, silent=True, store_history=False)
            await self.wait_until_dead(_STOP_LOOP_TIMEOUT)
        if self.alive:
            with contextlib.suppress(Exception):
                await self.manager.request_shutdown()
            await self.wait_until_dead(timeout)
        return KernelExit(in_time=self.dead.is_set(), output=self.captured_output())

    async def wait_until_dead(self, timeout: float) -> None:
        """Wait for the process to end, at most ``timeout`` seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.dead.wait(), timeout)

    async def kill(self) -> None:
        """Kill the kernel and all processes of its group, and wait until it is gone."""
        if self.pid is None:
            return
        # Listed before the kill, after which they no longer descend from the kernel.
        children = descendants(self.pid) if self.alive else []
        kill_group(self.pid)
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        await self.wait_until_dead(5)

    async def close(self) -> None:
        """Kill what is left of the process and remove its sockets. May be called again."""
        await self.kill()
        if self._watching is not None:
            self._watching.cancel()
        if self.pid is not None and self._guard is not None:
            self._guard.release(self.pid)
        self._close_pipe()
        if self._disconnections is not None:
            self.client.iopub_channel.socket.disable_monitor()
            self._disconnections = None
        if self.client is not None:
            self.client.stop_channels()
        with contextlib.suppress(Exception):
            await self.manager.cleanup_resources()
        shutil.rmtree(self.folder, ignore_errors=True)

    def captured_output(self) -> str:
        """Return the end of what the process wrote to its own stdout and stderr."""
        self._read_pipe()
        return b"".join(self._output).decode("utf-8", "replace")

    def discard_output(self) -> None:
        """Drop what the process has written so far."""
        self._read_pipe()
        self._output.clear()
        self._output_size = 0

    def _start_guard(self) -> None:
        """Have the kernel end with this process; the supervisor ends those that it forks."""
        if self._guard is not None:
            self._guard.start()
            self._guard.remove(str(self.folder))

    def _spec(self) -> Any:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        with contextlib.suppress(NoSuchKernel):
            return self.manager.kernel_spec
        self.manager.kernel_spec_manager = KernelSpecManager()
        try:
            return self.manager.kernel_spec
        except NoSuchKernel:
            known = sorted(self.manager.kernel_spec_manager.find_kernel_specs())
            names = ", ".join(f'"{k}"' for k in known) or "none"
            raise UsageError(
                f'The kernel "{self.name}" is not installed (installed: {names}). '
                "Install it, or choose another kernel in the notebook and save it."
            ) from None

    async def _watch(self) -> None:
        """Set ``dead`` as soon as the process has ended."""
        provisioner = self.manager.provisioner
        if self.pid is not None and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # an old kernel, a sandbox, or it is gone already
                await readable(os.pidfd_open(self.pid))
        while (status := await provisioner.poll()) is None:
            await asyncio.sleep(0.005)
        self.exit_status = status
        self.dead.set()

    async def _reply(
        self, channel: Any, request: str, deadline: float, timeout: float
    ) -> dict[str, Any] | None:
        """Wait for the answer to ``request``; None after half a second (to ask again)."""
        from queue import Empty

        again = time.monotonic() + 0.5
        while time.monotonic() < again:
            try:
                message: dict[str, Any] = await channel.get_msg(timeout=0.1)
            except Empty:
                self._check(deadline, timeout)
                continue
            if message["parent_header"].get("msg_id") == request:
                return message
        return None

    def _check(self, deadline: float, timeout: float) -> None:
        if self.dead.is_set():
            lines = self.captured_output().strip().splitlines()
            last = f": {lines[-1]}" if lines else ""
            kind = UsageError if (self.exit_status or 0) > 0 else KernelStartError
            raise kind(
                f'The kernel "{self.name}" ended before it was ready '
                f"({describe_exit(self.exit_status)}){last}{_remedy(last)}"
            )
        if time.monotonic() > deadline:
            raise KernelStartError(
                f'The kernel "{self.name}" did not answer within {timeout:g} seconds.'
            )

    def _open_pipe(self, options: dict[str, Any]) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._pipe = read
        asyncio.get_running_loop().add_reader(read, self._read_pipe)
        options.update(stdout=write, stderr=write)
        return write

    def _read_pipe(self) -> None:
        if self._pipe < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, 1 << 16):
                self._output.append(data)
                self._output_size += len(data)
                while self._output_size > _OUTPUT_LIMIT and len(self._output) > 1:
                    self._output_size -= len(self._output.popleft())
            self._close_pipe()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1


def _never_abort(client: Any) -> None:
    """Send every request so that its failure does not make the kernel refuse the next one.

    For some time after an error a kernel answers "aborted" to whatever arrives, also to
    what was sent after the error was known: the outputs after ``sys.exit()``, for example.
    """
    execute = client.execute

    def without_abort(*arguments: Any, **options: Any) -> Any:
        return execute(*arguments, **{**options, "stop_on_error": False})

    client.execute = without_abort


def describe_exit(status: int | None) -> str:
    """Say how a process ended: by which signal or with which exit code."""
    if status is None:
        return "the reason is unknown"
    if status < 0:
        try:
            return f"by signal {signal.Signals(-status).name}"
        except ValueError:
            return f"by signal {-status}"
    return f"exit code {status}"


def _provisioned(spec: Any) -> bool:
    """Whether the kernel is started by something that need not know Popen's options."""
    provisioner = spec.metadata.get("kernel_provisioner", {})
    name = provisioner.get("provisioner_name", "local-provisioner")
    return bool(name != "local-provisioner")


def _remedy(output: str) -> str:
    """Say what helps a kernel whose environment lacks ipykernel; often a container image does."""
    if re.search(r"No module named '?ipykernel", output):
        return ". Install it in the kernel's environment or in the image: pip install ipykernel"
    return ""
