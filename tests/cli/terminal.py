"""A terminal of a given size, with a command in it and a person who types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

from tests.waiting import PATIENCE

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]|\x1b\][^\x07]*\x07")

FOLLOWER = """
import sys
import kfnb.api.run_view
kfnb.api.run_view.RunView.resume = lambda view, settings, **_: None  # the script drives
from kfnb.cli.main import cli
cli.main(["resume", *sys.argv[1:]], prog_name="kfnb")
"""


class Terminal:
    """Runs a command in a pseudo-terminal; what it writes collects in ``text``."""

    def __init__(
        self, *command: str | Path, columns: int = 100, rows: int = 30, **env: str
    ) -> None:
        self.text = ""
        self.code: int | None = None
        words = list(map(str, command))
        # The size is the terminal's, whatever a test before this one left in the environment.
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, {**inherited, "TERM": "xterm-256color", **env})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @classmethod
    def following(cls, run: str, **how: object) -> Terminal:
        """Show a run that a script drives."""
        return cls(sys.executable, "-c", FOLLOWER, run, **how)  # type: ignore[arg-type]

    @property
    def plain(self) -> str:
        """What was written, without colours and movements of the cursor."""
        return _ESCAPES.sub("", self.text).replace("\r\n", "\n")

    def wait_for(self, words: str, seconds: float = PATIENCE) -> None:
        """Wait until the terminal has shown some words."""
        deadline = time.monotonic() + seconds
        while words not in self.plain:
            assert time.monotonic() < deadline, f"{words!r} not in:\n{self.plain}"
            assert self._read(0.1), f"ended without {words!r}:\n{self.plain}"

    def type(self, keys: str) -> None:
        """Press keys; ``\\x03`` is Ctrl+C."""
        os.write(self._fd, keys.encode())

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for the command's end; its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < deadline, f"still going on:\n{self.plain}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)
