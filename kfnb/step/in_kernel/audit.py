"""Record which files below the notebook's folder are opened, and which folders are listed.

It runs in the kernel: standard library only. Python calls an audit hook for every file that it
opens; files that native code opens are found by comparing listings of the folder.
"""

# String paths: this runs at every file that the user's code opens.
# ruff: noqa: PTH100, PTH113, PTH206

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HELPERS = frozenset({"fnmatch", "genericpath", "glob", "os", "pathlib", "posixpath", "shutil"})
"""Modules that list folders and look at files for whoever calls them."""
_STARTERS = (
    *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
    *("pty.spawn", "subprocess.Popen"),
)
_NATIVE_READERS = ("duckdb", "h5py", "netCDF4", "polars", "pyarrow", "rasterio", "tables", "zarr")
"""Libraries that open files without Python."""
_IGNORED = frozenset({"__pycache__", "node_modules", "site-packages"})


class FileAudit:
    """Paths, relative to ``folder``, of files that were read and written so far.

    ``listed`` maps each folder (with a slash at the end) that the user's own code listed to
    the names that it saw; ``searched`` has all that any Python code listed, imports included.
    ``looked`` says for each path that the user's code only looked at whether there was something.
    ``started_programs`` says whether child processes, whose files are not seen here, were started.
    """

    def __init__(self, folder: str) -> None:
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.listed: dict[str, list[str]] = {}
        self.searched: set[str] = set()
        self.looked: dict[str, bool] = {}
        self.started_programs = False
        self._looking = False
        # The folder may be opened through a symbolic link, or by its real path.
        self._folders = tuple(
            dict.fromkeys(
                path.rstrip(os.sep) + os.sep
                for path in (os.path.abspath(folder), os.path.realpath(folder))
            )
        )
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._opened,
            "os.rename": self._renamed,
            "os.link": self._linked,
            "os.symlink": self._linked,
            "os.truncate": self._changed,
            "os.remove": self._removed,
            "os.rmdir": self._removed,
            "shutil.rmtree": self._removed,
            "sqlite3.connect": self._connected,
            "os.listdir": self._lists,
            "os.scandir": self._lists,
            **dict.fromkeys(_STARTERS, self._starts),
        }

    def unseen(self) -> list[str]:
        """Name what may have used files that this audit cannot see."""
        native = [name for name in _NATIVE_READERS if name in sys.modules]
        return [*(["child processes"] if self.started_programs else []), *native]

    def start(self) -> None:
        """Start to listen. Python has no way to remove an audit hook."""
        handlers = self._handlers

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            handler = handlers.get(event)
            if handler is not None:
                try:
                    handler(*arguments)
                except Exception:  # Observing must never change what the notebook does.
                    return

        sys.addaudithook(hook)

    def _opened(self, path: object, mode: object, flags: object) -> None:
        relative = self._relative(path)
        if relative is None:
            return
        if isinstance(mode, str):
            writes = any(letter in mode for letter in "wax+")
            keeps = "w" not in mode and "x" not in mode
        else:
            bits = flags if isinstance(flags, int) else 0
            writes = bool(bits & _WRITES)
            keeps = not bits & (os.O_TRUNC | os.O_EXCL)
        # A mode that keeps the old content lets the result depend on it, also if it only appends.
        if keeps and relative not in self.written:
            if os.path.isfile(os.fspath(path)):  # type: ignore[call-overload]
                self.read.add(relative)
            elif not writes and not os.path.lexists(os.fspath(path)):  # type: ignore[call-overload]
                self.looked.setdefault(relative, False)
        if writes:
            self.written.add(relative)

    def looked_at(self, path: object, *, there: bool, frame: FrameType) -> None:
        """Note that ``frame`` looked for a file, if the user's code asked for that."""
        relative = self._relative(path)
        if relative and relative not in self.written and self._asked_by_user(frame):
            self.looked.setdefault(relative, there)

    def _renamed(self, source: object, target: object, *_: object) -> None:
        self._changed(source)
        self._changed(target)

    def _linked(self, _source: object, target: object, *_: object) -> None:
        self._changed(target)

    def _removed(self, path: object, folder: object = None) -> None:
        if folder in (None, -1):  # Otherwise the path is relative to a file descriptor.
            self._changed(path)

    def _changed(self, path: object, *_: object) -> None:
        relative = self._relative(path)
        if relative is not None:
            self.written.add(relative)

    def _connected(self, path: object) -> None:
        relative = self._relative(path)
        # Whether SQLite writes to it later is found by comparing listings.
        if relative is not None and relative not in self.written:
            self.read.add(relative)

    def _lists(self, path: object = None) -> None:
        if self._looking:
            return
        full = os.path.abspath(os.fsdecode("." if path is None else path)) + os.sep  # type: ignore[arg-type]
        base = next((folder for folder in self._folders if full.startswith(folder)), None)
        parts = full[len(base) :].split(os.sep)[:-1] if base is not None else []
        folder = "/".join([*parts, ""]) or "./"
        if base is None or folder in self.listed or (parts and ignored(parts)):
            return
        self.searched.add(folder)
        # Above this method are the hook and what lists the folder.
        if not self._asked_by_user(sys._getframe(2)):
            return
        # The listing below calls this hook again.
        self._looking = True
        try:
            names = os.listdir(full)  # noqa: PTH208
        finally:
            self._looking = False
        self.listed[folder] = sorted(name for name in names if not ignored([name]))

    def _asked_by_user(self, frame: FrameType) -> bool:
        """Whether a cell or a module of the user asks for something, and not Python's imports."""
        while frame.f_back is not None:
            module = str(frame.f_globals.get("__name__", ""))
            if module.partition(".")[0] not in _HELPERS:
                return module == "__main__" or frame.f_code.co_filename.startswith(self._folders)
            frame = frame.f_back
        return False

    def _starts(self, *_: object) -> None:
        self.started_programs = True

    def _relative(self, path: object) -> str | None:
        """Return the path below the folder, with forward slashes; None for anything else."""
        if isinstance(path, int) or not isinstance(path, (str, bytes, os.PathLike)):
            return None
        full = os.path.abspath(os.fsdecode(path))
        for folder in self._folders:
            if full.startswith(folder):
                parts = full[len(folder) :].split(os.sep)
                if ignored(parts):
                    return None
                return "/".join(parts)
        return None


def ignored(parts: list[str]) -> bool:
    """Whether a path is never data: hidden, a cache, an environment, a notebook."""
    return parts[-1].endswith(".ipynb") or any(
        part.startswith(".") or part in _IGNORED for part in parts
    )
