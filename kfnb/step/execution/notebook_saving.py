"""papermill's execution manager, saving now and then instead of at every cell, and atomically."""

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


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Keeps papermill's metadata of an execution, and saves the notebook.

    A save that takes long is made more rarely, so that saving never takes more than
    a twentieth of the time. The first and the last save are always made.
    """

    def __init__(self, nb: Any, *, output_path: str | None = None, **options: Any) -> None:
        self.settle: Callable[[], None] = _nothing
        self.save_error: OSError | None = None
        self._next_save = 0.0
        super().__init__(nb, output_path=output_path, **options)

    def save(self, **_: Any) -> None:
        """Save, unless it was done lately."""
        if time.monotonic() >= self._next_save:
            self.save_now()

    def autosave_cell(self, **_: Any) -> None:
        """Save while a cell executes, unless that is switched off or was done lately."""
        if self.autosave_cell_every:
            self.save()

    def notebook_complete(self, **options: Any) -> None:
        """Complete the metadata and save."""
        self._next_save = float("inf")
        super().notebook_complete(**options)
        self.save_now()

    def save_now(self) -> None:
        """Save whatever the cost. A disk that refuses is remembered, not raised."""
        began = time.monotonic()
        if self.output_path:
            self.settle()
            try:
                save_notebook(self.nb, str(self.output_path))
            except OSError as error:
                self.save_error = error
        now = time.monotonic()
        self.last_save_time = self.now()
        self._next_save = now + max(EVERY, _SHARE * (now - began))


def save_notebook(notebook: Any, path: str) -> None:
    """Write a notebook whole or not at all; where papermill writes elsewhere, as it does."""
    if "://" in path:
        write_ipynb(notebook, path)
        return
    data = nbformat.writes(notebook).encode("utf-8", "replace")
    if not data.endswith(b"\n"):
        data += b"\n"
    if not Path(path).parent.is_dir() or (Path(path).exists() and not Path(path).is_file()):
        write_ipynb(notebook, path)  # its sentence about a folder that is not there, /dev/stdout
        return
    write_atomically(Path(path), data)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by a new file with the same permissions."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        with contextlib.suppress(OSError):
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path.resolve() if path.is_symlink() else path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _nothing() -> None:
    """Stand in for a client that has not come yet."""
