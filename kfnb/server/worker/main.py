"""The program of the server's processes: reads calls from stdin, and writes answers to stdout.

In the role ``check`` it carries out one call after the other, with limits on CPU time and memory.
In the role ``follow`` every call has a thread, so that a cluster that does not answer delays only
its own call.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from kfnb.errors import (
    CheckError,
    InfrastructureError,
    KfnbError,
    NotebookError,
    StepError,
    UsageError,
)
from kfnb.server.frames import frame, read_frames
from kfnb.server.limits import Limits
from kfnb.server.problems import CONTENT_TYPE, ProblemError

Calls = Mapping[str, Callable[..., Any]]

_STATUSES: tuple[tuple[type[KfnbError], int], ...] = (
    (NotebookError, 422),
    (CheckError, 422),
    (InfrastructureError, 503),
    (StepError, 422),
    (UsageError, 409),
)
_NICE = 10
_log = logging.getLogger(__name__)


class Output:
    """Frames to the server; any thread may write."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, header: Mapping[str, Any], body: bytes) -> None:
        """Write a frame. Exits the process if the server is gone."""
        data = frame(header, body)
        with self._lock:
            try:
                self._stream.write(data)
                self._stream.flush()
            except OSError:
                os._exit(0)


def main() -> None:
    """Work in the role that the command line names."""
    role, config = sys.argv[1], json.loads(sys.argv[2])
    limits, root = Limits(**config["limits"]), config["root"]
    output, requests = _claim_streams()
    if role == "check":
        _check(requests, output, limits, root)
    else:
        _follow(requests, output, limits, root)


def _claim_streams() -> tuple[Output, BinaryIO]:
    """Return the pipes of the server; anything else that is printed goes to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    output = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Output(output), requests


def _check(requests: BinaryIO, output: Output, limits: Limits, root: str | None) -> None:
    module = importlib.import_module("kfnb.server.worker.notebook_calls")
    calls: Calls = module.calls(limits, root)
    _limit_memory(limits)
    _lower_priority()
    for header, body in read_frames(requests):
        _limit_cpu(limits)
        _answer(calls, header, body, output)


def _follow(requests: BinaryIO, output: Output, limits: Limits, root: str | None) -> None:
    module = importlib.import_module("kfnb.server.worker.run_calls")
    channels = importlib.import_module("kfnb.server.worker.channels")
    calls: Calls = module.calls(root)
    sockets = channels.Sockets(output.write, limits, root)
    for header, body in read_frames(requests):
        if "socket" in header:
            sockets.take(header, body)
        else:
            threading.Thread(
                target=_answer, args=(calls, header, body, output), daemon=True
            ).start()
    os._exit(0)  # threads that wait for a cluster must not keep the process


def _answer(calls: Calls, header: Mapping[str, Any], body: bytes, output: Output) -> None:
    status, kind, answer = 200, "application/json", b""
    try:
        result = calls[header["call"]](**json.loads(body))
        answer = msgspec.json.encode(result)
    except ProblemError as error:
        status, kind, answer = error.status, CONTENT_TYPE, error.body()
    except KfnbError as error:
        status = next((s for kind_, s in _STATUSES if isinstance(error, kind_)), 422)
        kind, answer = CONTENT_TYPE, ProblemError(status, str(error)).body()
    except MemoryError:
        status, kind = 422, CONTENT_TYPE
        answer = ProblemError(status, "Reading this notebook needs too much memory.").body()
    except Exception:
        _log.exception("The call %s failed.", header["call"])
        status, kind = 500, CONTENT_TYPE
        answer = ProblemError(
            status, "This request failed because of a mistake in kfnb; the server's log has it."
        ).body()
    output.write({"id": header["id"], "status": status, "type": kind}, answer)


def _limit_cpu(limits: Limits) -> None:
    """Let the system kill this process when its next call takes too much CPU time."""
    if os.name != "posix":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.read_cpu_seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _lower_priority() -> None:
    """Let the server's event loop go first where there are few cores."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    # Linux shares the cores among sessions first, and this process has a session of its own, so its
    # priority counts only if the session has it too.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICE), "ascii")


def _limit_memory(limits: Limits) -> None:
    if os.name != "posix":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > limits.read_memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (limits.read_memory_bytes, hard))
    # The signal that ends a process after its CPU time would also write a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
