"""A datagram socket that steps and people poke when there is something to read.

Its path is noted in the run's folder: a later driver listens at the same place,
so that attempts which outlive a driver are heard by the next one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from kfnb.home import RunFolder
from kfnb.store import disk

_NOTE = "doorbell"


class Doorbell:
    """The driver's end; without Unix sockets the driver looks from time to time instead."""

    def __init__(self, run: RunFolder) -> None:
        self.socket: socket.socket | None = None
        self.path: str | None = None
        if not hasattr(socket, "AF_UNIX"):
            return
        path = noted(run)
        if path is None or not _ours(path.parent):
            # Short, because a socket's path may have hardly a hundred characters.
            path = Path(tempfile.mkdtemp(prefix="kfnb-")) / "bell"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            bell.bind(str(path))
        except OSError:  # a path that is too long: steps go unheard until the next look
            bell.close()
            shutil.rmtree(path.parent, ignore_errors=True)
            return
        bell.setblocking(False)
        self.socket, self.path = bell, str(path)
        with contextlib.suppress(OSError):
            disk.replace(run.path / _NOTE, os.fsencode(path), durable=False)

    def answer(self) -> None:
        """Take away the pokes that came in."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                while self.socket.recv(64):
                    pass

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self.socket is not None and self.path is not None:
            self.socket.close()
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)
            self.socket = None


def noted(run: RunFolder) -> Path | None:
    """Return where the run's driver listens, or last listened."""
    try:
        return Path(os.fsdecode((run.path / _NOTE).read_bytes()))
    except OSError:
        return None


def ring(run: RunFolder) -> None:
    """Poke the run's driver, if one listens."""
    path = noted(run)
    if path is None or not hasattr(socket, "AF_UNIX"):
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell,
    ):
        bell.setblocking(False)
        bell.sendto(b"\0", str(path))


def _ours(folder: Path) -> bool:
    """Whether ``folder`` is a folder that only this user can change."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not stat.S_IMODE(found.st_mode) & 0o077
    )
