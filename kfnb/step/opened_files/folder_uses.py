"""What a report says about the notebook's folder: files that were read and written, and listings.

The rules are those of :mod:`kfnb.step.in_kernel.audit`: hidden files, caches, environments and
notebooks are no data. A report sees more than the audit hook of the kernel: native code, child
processes and programs of a shell.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from kfnb.step.in_kernel.audit import ignored
from kfnb.step.opened_files.handover import BEGIN, END
from kfnb.step.opened_files.report import INCOMPLETE, FileEvent

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NOT_CONTENT = os.O_DIRECTORY | getattr(os, "O_PATH", 0)
_CHANGES = frozenset(
    ["truncate", "mkdir", "mknod", "unlink", "rmdir", "symlink", "rename_from", "rename_to"]
)


@dataclass(frozen=True, slots=True)
class FolderUses:
    """Paths relative to the notebook's folder, with forward slashes.

    ``read`` holds what was opened before this step had written it, ``written`` all that
    it may have changed, ``looked`` what it only looked at before. Folders in ``listed`` end with
    a slash. ``complete`` says that nothing is known to be missing.
    """

    read: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    looked: frozenset[str] = frozenset()
    complete: bool = False


class _Collector:
    """The uses so far, in the order of the events."""

    def __init__(self, folder: Path, skip: Collection[Path], searched: Collection[str]) -> None:
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.listed: set[str] = set()
        self.looked: set[str] = set()
        self.complete = True
        self.kernel = 0
        self.ended = False
        self._programs: dict[int, str] = {}
        self._searched = searched
        self._folder = folder
        self._bases = _spellings([folder])
        self._skip = _spellings(skip)

    def add(self, event: FileEvent) -> None:
        operation = event.operation
        if operation in (INCOMPLETE, "io_uring"):
            self.complete = False
            return
        if operation == "execute":
            self._programs[event.pid] = Path(os.fsdecode(event.path)).name
        path = self._relative(event.path)
        if path is None:
            return
        if operation == "open":
            self._opened(path, event.flags)
        elif operation == "list":
            self._listed(path, event.pid)
        elif operation in ("link_from", "execute"):
            self._reads(path)
        elif operation == "stat":
            self._looks(path, event.pid)
        elif operation in _CHANGES or operation == "link_to":
            self.written.add(path)

    def _opened(self, path: str, flags: int) -> None:
        if flags & _NOT_CONTENT:
            return
        # A mode that keeps the old content lets the result depend on it, also if it only appends.
        if not flags & (os.O_TRUNC | os.O_EXCL):
            self._reads(path)
        if flags & _WRITES:
            self.written.add(path)

    def _reads(self, path: str) -> None:
        if not self._is_own(path):
            self.read.add(path)

    def _looks(self, path: str, process: int) -> None:
        # After the last cell, the kernel looks for the files of the modules it has loaded.
        if path and not self._is_own(path) and not (self.ended and process == self.kernel):
            self.looked.add(path)

    def _is_own(self, path: str) -> bool:
        """Whether this step has changed the file before; a folder may have been renamed or made."""
        return path in self.written or not self.written.isdisjoint(folders_above(path))

    def _listed(self, path: str, process: int) -> None:
        folder = f"{path}/" if path else "./"
        if process == self.kernel:
            # Python's own listings are in the kernel's audit, which knows who asked: the imports
            # list folders too.
            if self.ended or folder in self._searched:
                return
        elif self._programs.get(process, "python").startswith("python") and (
            folder == "./" or self._has_modules(folder)
        ):
            return  # The imports of another Python list the folders of its modules.
        self.listed.add(folder)

    def _has_modules(self, folder: str) -> bool:
        try:
            return any((self._folder / folder).glob("*.py"))
        except OSError:
            return False

    def _relative(self, path: bytes) -> str | None:
        """Return the path below the folder, empty for the folder itself; None for anything else."""
        full = os.fsdecode(path)
        below = full + "/"
        if below.startswith(self._skip):
            return None
        for base in self._bases:
            if below == base:
                return ""
            if below.startswith(base):
                relative = full[len(base) :]
                return None if ignored(relative.split("/")) else relative
        return None


def folder_uses(
    events: Iterable[FileEvent],
    *,
    folder: Path,
    attempt: Path,
    skip: Collection[Path] = (),
    searched: Collection[str] = (),
) -> FolderUses:
    """Collect what a step did in the notebook's folder.

    Parameters
    ----------
    attempt
        The attempt's folder, in which the kernel looks for the marks of the step's beginning and
        end. Without them, nothing is known.
    skip
        Folders that are kfnb's own, should they lie in the notebook's folder.
    searched
        Folders (with a slash at the end) that Python code of the kernel listed, its imports
        included.
    """
    collector = _Collector(folder, skip, searched)
    for event in events:
        if _is_mark(event, attempt, BEGIN):
            collector.kernel = event.pid
        elif _is_mark(event, attempt, END):
            collector.ended = True
        elif collector.kernel:
            collector.add(event)
        elif event.operation == INCOMPLETE:
            collector.complete = False
    if not collector.kernel:
        return FolderUses()
    return FolderUses(
        read=frozenset(collector.read),
        written=frozenset(collector.written),
        listed=frozenset(collector.listed),
        looked=frozenset(collector.looked),
        complete=collector.complete,
    )


def folders_above(path: str) -> list[str]:
    """Return the folders that a relative path is in.

    >>> folders_above("a/b/c.csv")
    ['a', 'a/b']
    """
    return [path[:at] for at, letter in enumerate(path) if letter == "/"]


def _is_mark(event: FileEvent, attempt: Path, name: str) -> bool:
    folder, _, file = event.path.rpartition(b"/")
    if event.operation != "stat" or file != name.encode():
        return False
    return os.path.realpath(os.fsdecode(folder)) == os.path.realpath(attempt)


def _spellings(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return each folder as it is named and by its real path, with a slash at the end."""
    spellings = [f(folder) for folder in folders for f in (os.path.abspath, os.path.realpath)]
    return tuple(dict.fromkeys(path.rstrip("/") + "/" for path in spellings))
