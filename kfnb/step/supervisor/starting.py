"""Connect to the supervisor, and start it if there is none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
import time

from kfnb.home import home
from kfnb.step.supervisor import messages
from kfnb.step.supervisor.address import Address
from kfnb.step.supervisor.connection import Connection
from kfnb.step.supervisor.process_table import PROGRAM

IDLE = "KFNB_SUPERVISOR_IDLE"
"""The variable that replaces the ten minutes after which an idle supervisor leaves; seconds."""

_IDLE_SECONDS = 600.0
_TIMEOUT = 15.0
_BACKLOG = 64
_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")


def open_connection(address: Address, *, role: str, start: bool) -> Connection | None:
    """Return a connection that the supervisor has answered on; None if there is none.

    Parameters
    ----------
    role
        ``driver`` or ``visitor`` (see :class:`~kfnb.step.supervisor.messages.Hello`).
    start
        Start a supervisor if none listens.

    Raises
    ------
    OSError
        If the system refuses to start it.
    """
    connected = _greet(_connect(address), role)
    if connected is not None or not start:
        return connected
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() <= deadline:
        address.lock.touch(mode=0o600)
        with address.lock.open("a") as lock:
            # Held until the supervisor answers: meanwhile nobody else starts one, and the one that
            # is about to leave has removed its socket, and this file with it.
            if _locked(lock.fileno()) and os.fstat(lock.fileno()).st_nlink:
                connected = _greet(_connect(address), role)
                return connected if connected is not None else _start(address, role)
        time.sleep(0.01)
    return None


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(address: Address, role: str) -> Connection | None:
    with contextlib.suppress(FileNotFoundError):
        # A supervisor that was killed left it, and bind() refuses a path that exists.
        address.socket.unlink()
    # Connecting works from now on, before the new process has read its first line of code.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(address.socket))
        address.socket.chmod(0o600)
        listener.listen(_BACKLOG)
        address.log.touch(mode=0o600)
        with address.log.open("wb") as log:
            starter = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", PROGRAM, str(listener.fileno())),
                    *(str(address.folder), address.key, str(_idle()), str(home())),
                ],
                # Nothing of the command that starts it: it outlives that command.
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(listener.fileno(),),
            )
    connected = _greet(_connect(address), role)
    if connected is None:
        starter.kill()
    # It forks the supervisor and ends.
    starter.wait()
    return connected


def _connect(address: Address) -> socket.socket | None:
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connecting.connect(str(address.socket))
    except OSError:
        connecting.close()
        return None
    return connecting


def _greet(connected: socket.socket | None, role: str) -> Connection | None:
    """Exchange the first messages; None if the other end leaves, is no supervisor, or hangs."""
    if connected is None:
        return None
    connection = Connection(connected)
    # The folder is private, but somebody else may have been faster in making it.
    if connection.peer()[1] == os.getuid():
        connection.send(messages.Hello(role))  # type: ignore[arg-type]
        deadline = time.monotonic() + _TIMEOUT
        while not connection.closed and (left := deadline - time.monotonic()) > 0:
            select.select([connection], [], [], left)
            for received in connection.receive():
                if isinstance(received.message, messages.Welcome):
                    connection.served_by = received.message.pid
                    return connection
    connection.close()
    return None


def _idle() -> float:
    configured = os.environ.get(IDLE, "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(configured))
    return 0.0 if os.environ.get("CI") else _IDLE_SECONDS


def _environment() -> dict[str, str]:
    """Return the variables of the supervisor itself; its children get whole environments."""
    environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return {**environment, "KFNB_HOME": str(home())}
