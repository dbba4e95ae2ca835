"""Wake a run's driver when there is something for it to read.

Steps append to files, and people ask for a stop by writing a file; the driver would notice either
at its next poll. A byte sent to this Unix datagram socket makes it look at once. Losing a byte
loses nothing but time, so every error on this path is ignored on purpose.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
import time
from pathlib import Path

from kfnb.home import RunFolder
from kfnb.store import disk

# The address is stored in the run's folder, so that attempts that outlive a driver can wake the
# next one. The file is named as in version 0.1.
_ADDRESS_FILE = "doorbell"
_PREFIX = "kfnb-wakeup-"
_BINDING = 60.0


class WakeupSocket:
    """The driver's end of the socket. Without Unix sockets it is inert, and the driver only polls.

    Attributes
    ----------
    socket
        Readable when somebody woke the driver; None where there is no socket.
    address
        The socket's path, for steps; None where there is no socket.
    """

    def __init__(self, run: RunFolder) -> None:
        self.socket: socket.socket | None = None
        self.address: str | None = None
        if not hasattr(socket, "AF_UNIX"):
            return
        path = wakeup_address(run)
        if path is None:
            # A new folder in TMPDIR: the path of a Unix socket is limited to about 100
            # characters, which a run's folder may exceed.
            remove_unused_sockets()
            path = Path(tempfile.mkdtemp(prefix=_PREFIX)) / "socket"
        with contextlib.suppress(FileNotFoundError):
            # A killed driver leaves its socket behind, and bind() refuses a path that exists.
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.setblocking(False)
        try:
            listener.bind(str(path))
            path.chmod(0o600)
        except OSError:  # still too long: fall back to polling
            listener.close()
            shutil.rmtree(path.parent, ignore_errors=True)
            return
        self.socket, self.address = listener, str(path)
        with contextlib.suppress(OSError):
            disk.replace(run.path / _ADDRESS_FILE, os.fsencode(path), durable=False)

    def drain(self) -> None:
        """Discard the bytes received so far."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                # The socket does not block: when nothing is left, reading raises BlockingIOError.
                while self.socket.recv(64):
                    pass

    def close(self) -> None:
        """Stop listening and remove the socket with its folder."""
        if self.socket is not None and self.address is not None:
            self.socket.close()
            self.socket = None
            shutil.rmtree(Path(self.address).parent, ignore_errors=True)


def wake_driver(run: RunFolder) -> None:
    """Make the driver of ``run`` look for news now, if one is listening."""
    path = wakeup_address(run)
    if path is None or not hasattr(socket, "AF_UNIX"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A full queue wakes the driver anyway, and waiting for room would hold up the step.
        sender.setblocking(False)
        sender.sendto(b"\0", str(path))


def wakeup_address(run: RunFolder) -> Path | None:
    """Return the socket of the run's driver, or None if there is none that can be trusted.

    A run's folder may have been copied from somebody else, so the address in it is only believed if
    it names a folder that we could have made: below TMPDIR, with our prefix, and accessible to
    nobody else.
    """
    try:
        path = Path(os.fsdecode((run.path / _ADDRESS_FILE).read_bytes()))
    except OSError:
        return None
    return path if _is_our_folder(path.parent) else None


def remove_unused_sockets() -> None:
    """Remove the folders of sockets that killed drivers left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not _is_our_folder(folder):
            continue
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            try:
                one.connect(str(folder / "socket"))
            except FileNotFoundError:
                # Another driver may be about to create its socket.
                if time.time() - folder.stat().st_mtime > _BINDING:
                    shutil.rmtree(folder, ignore_errors=True)
            except ConnectionRefusedError:
                shutil.rmtree(folder, ignore_errors=True)


def _is_our_folder(folder: Path) -> bool:
    if not folder.name.startswith(_PREFIX) or folder.parent != Path(tempfile.gettempdir()):
        return False
    try:
        # Not stat(): a symbolic link could lead to somebody else's folder.
        status = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not stat.S_IMODE(status.st_mode) & 0o077
    )
