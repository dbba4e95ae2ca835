"""The processes that work for the server, as its event loop sees them.

A :class:`CheckPool` reads notebooks: one call at a time in each process, which is killed when the
call takes too long. A :class:`FollowProcess` follows runs: one process for all calls and sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.server.frames import frame, next_frame
from kfnb.server.limits import Limits
from kfnb.server.problems import CONTENT_TYPE, ProblemError

PUSH = Callable[[Mapping[str, Any], bytes], None]
"""Takes a message that belongs to no call: its header and its body."""

MOST_CHECK_PROCESSES = 4
MOST_CALLS = 64
"""Most calls of a follow process at once: each has a thread there."""

# Not -m, which would let files in the server's folder take the place of modules.
_START = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "from kfnb.server.worker.main import main; main()"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process answered; the body is passed on as it is."""

    status: int
    content_type: str
    body: bytes

    def plain(self) -> Any:
        """Return the decoded body; only for answers that are known to be small."""
        return json.loads(self.body)

    @property
    def ok(self) -> bool:
        """Whether this is no problem."""
        return self.status < 400


class Process:
    """A process that answers calls."""

    def __init__(self, role: str, limits: Limits, root: str | None, push: PUSH | None) -> None:
        self._command = [
            sys.executable,
            "-c",
            _START,
            role,
            json.dumps({"limits": dataclasses.asdict(limits), "root": root}),
        ]
        self._push = push
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: asyncio.WriteTransport | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def calls(self) -> int:
        """How many calls wait for their answer."""
        return len(self._waiting)

    async def start(self) -> None:
        """Start the process."""
        # In a thread: starting a program can take tens of milliseconds on a busy machine.
        process = self._process = await asyncio.to_thread(self._spawn)
        loop = asyncio.get_running_loop()
        answers = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), process.stdout)
        self._requests, _ = await loop.connect_write_pipe(asyncio.Protocol, process.stdin)
        self._reading = asyncio.create_task(self._read(process, answers))

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Pressing Ctrl+C in the server's terminal must not reach it before the server stops it.
            start_new_session=True,
        )

    async def call(self, name: str, arguments: bytes, seconds: float) -> Answer:
        """Call a function of the process, with its arguments as JSON.

        Raises
        ------
        TimeoutError
            If there is no answer after ``seconds``.
        EOFError
            If the process ends before it has answered.
        """
        number = next(self._numbers)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self.send({"id": number, "call": name}, arguments)
            return await asyncio.wait_for(future, seconds)
        except asyncio.TimeoutError as error:  # not the built-in one before Python 3.11
            raise TimeoutError from error
        finally:
            self._waiting.pop(number, None)

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame; raises EOFError if the process has ended."""
        if self._requests is None or not self.alive:
            raise EOFError
        self._requests.write(frame(header, body))

    async def _read(self, process: subprocess.Popen[bytes], answers: asyncio.StreamReader) -> None:
        while (received := await next_frame(answers)) is not None:
            header, body = received
            future = self._waiting.pop(header.get("id", 0), None)
            if future is not None and not future.done():
                future.set_result(Answer(header["status"], header["type"], body))
            elif "id" not in header and self._push is not None:
                self._push(header, body)
        await asyncio.to_thread(process.wait)
        if self._requests is not None:
            self._requests.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EOFError())
        self._waiting.clear()
        if self._push is not None:
            self._push({"ended": True}, b"")

    @property
    def exit_signal(self) -> int:
        """The signal that ended the process; 0 if it was none."""
        code = self._process.poll() if self._process is not None else None
        return -code if code is not None and code < 0 else 0

    async def stop(self) -> None:
        """Kill the process and wait until it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.to_thread(self._process.wait)
        if self._reading is not None:
            await self._reading


class CheckPool:
    """Processes that read notebooks, each of which has one call at a time."""

    def __init__(self, limits: Limits, root: str | None) -> None:
        self._limits = limits
        self._root = root
        self._idle: list[Process] = []
        self._free = asyncio.Semaphore(MOST_CHECK_PROCESSES)
        self._busy: set[Process] = set()

    async def call(self, name: str, arguments: bytes) -> Answer:
        """Call a function that reads a notebook; a problem if that takes too long."""
        # CPU time is limited in the process; this is for a file system that does not answer.
        seconds = 3.0 * self._limits.read_cpu_seconds
        async with self._free:
            # The process that was used last has the notebook in its memory.
            process = self._idle.pop() if self._idle else None
            if process is None or not process.alive:
                process = Process("check", self._limits, self._root, None)
                await process.start()
            self._busy.add(process)
            try:
                answer = await process.call(name, arguments, seconds)
                self._idle.append(process)
                return answer
            except TimeoutError:
                await process.stop()
                return self._too_slow()
            except EOFError:
                await process.stop()
                if process.exit_signal == getattr(signal, "SIGXCPU", -1):
                    return self._too_slow()
                return _failed(
                    422,
                    "The process that read this notebook has died, probably because the notebook "
                    "needs too much memory. Try kfnb check with its path in a terminal.",
                )
            except BaseException:
                await process.stop()  # the page did not wait, so its answer would come later
                raise
            finally:
                self._busy.discard(process)

    async def stop(self) -> None:
        """Kill all processes."""
        for process in [*self._idle, *self._busy]:
            await process.stop()
        self._idle.clear()

    def _too_slow(self) -> Answer:
        return _failed(
            422,
            f"Reading this notebook took more than {self._limits.read_cpu_seconds} seconds and was "
            "ended. Look for a cell with very large literals or very deep code, and try kfnb check "
            "with its path in a terminal.",
        )


class FollowProcess:
    """The process that follows runs and asks clusters; started anew after it has died."""

    def __init__(self, limits: Limits, root: str | None, push: PUSH) -> None:
        self._limits = limits
        self._root = root
        self._push = push
        self._process: Process | None = None
        self._starting = asyncio.Lock()

    async def call(self, name: str, arguments: bytes) -> Answer:
        """Call a function of the process; a problem if there is no answer in time."""
        process = await self._started()
        if process.calls >= MOST_CALLS:
            return _failed(
                503, "Too many requests about runs are waiting for an answer. Try again later."
            )
        try:
            return await process.call(name, arguments, self._limits.call_seconds)
        except TimeoutError:
            return _failed(
                504,
                f"There was no answer after {self._limits.call_seconds:g} seconds. If the run is "
                "on a cluster, check with kfnb doctor --on kubernetes that it can be reached.",
            )
        except EOFError:
            return _failed(
                503, "The process that follows runs has died. Try again: it is started anew."
            )

    async def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a message of a socket."""
        process = await self._started()
        with contextlib.suppress(EOFError):  # the sockets are notified when the process ends
            process.send(header, body)

    @property
    def alive(self) -> bool:
        """Whether the process exists now."""
        return self._process is not None and self._process.alive

    async def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            await self._process.stop()

    async def _started(self) -> Process:
        async with self._starting:
            if self._process is None or not self._process.alive:
                process = Process("follow", self._limits, self._root, self._push)
                await process.start()
                self._process = process
            return self._process


def _failed(status: int, detail: str) -> Answer:
    _log.warning("%s", detail)
    return Answer(status, CONTENT_TYPE, ProblemError(status, detail).body())
