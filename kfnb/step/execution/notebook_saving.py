"""papermill's execution manager, which here saves from time to time, and atomically."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from papermill.engines import NotebookExecutionManager
from papermill.iorw import write_ipynb

EVERY = 5.0
"""Seconds between two saves of a notebook that still executes, at least."""

_SHARE = 20
_FIRST = 0.5
"""Seconds before the notebook of a step is saved for the first time."""


class NotebookManager(NotebookExecutionManager):  # type: ignore[misc]
    """Keeps papermill's metadata of an execution, and saves the notebook.

    A save that takes long is made more rarely, so that saving never takes more than
    a twentieth of the time. The last save is always made, and the first one too, unless only this
    user can read the file: then a step that takes no time is saved once.
    """

    def __init__(
        self, nb: Any, *, output_path: str | None = None, private: bool = False, **options: Any
    ) -> None:
        self._private = private
        self.before_save: Callable[[], None] = _nothing
        self.save_error: OSError | None = None
        self._next_save = time.monotonic() + _FIRST if private else 0.0
        super().__init__(nb, output_path=output_path, **options)

    def save(self, **_: Any) -> None:
        """Save, unless the last save was a short while ago."""
        if time.monotonic() >= self._next_save:
            self.save_now()

    def autosave_cell(self, **_: Any) -> None:
        """Save while a cell executes, unless that is switched off or was done a short while ago."""
        if self.autosave_cell_every:
            self.save()

    def notebook_complete(self, **options: Any) -> None:
        """Complete the metadata and save."""
        # papermill's own method saves too, but one save at the end is enough.
        self._next_save = float("inf")
        super().notebook_complete(**options)
        self.save_now()

    def save_now(self) -> None:
        """Save at once. A refusal of the disk is kept in ``save_error`` instead of raised."""
        began = time.monotonic()
        if self.output_path:
            self.before_save()
            try:
                save_notebook(self.nb, str(self.output_path), private=self._private)
            except OSError as error:
                self.save_error = error
        now = time.monotonic()
        self.last_save_time = self.now()
        self._next_save = now + max(EVERY, _SHARE * (now - began))


def save_notebook(notebook: Any, path: str, *, private: bool = False) -> None:
    """Write a notebook whole or not at all; URLs are written as papermill writes them.

    Only this user can read a ``private`` one.
    """
    if "://" in path:
        write_ipynb(notebook, path)
        return
    data = nbformat.writes(notebook).encode("utf-8", "replace")
    if not data.endswith(b"\n"):
        data += b"\n"
    if not Path(path).parent.is_dir() or (Path(path).exists() and not Path(path).is_file()):
        # papermill has its own message for a missing folder, and can write to /dev/stdout.
        write_ipynb(notebook, path)
        return
    write_atomically(Path(path), data, private=private)


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace ``path`` by a new file with the same permissions."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(mode=0o600 if private else 0o666)
        temporary.write_bytes(data)
        with contextlib.suppress(OSError):
            temporary.chmod(path.stat().st_mode & 0o7777)
        # Replacing the link itself would leave the file that it leads to as it was.
        temporary.replace(path.resolve() if path.is_symlink() else path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _nothing() -> None:
    """Do nothing: no client has set its callback yet."""
