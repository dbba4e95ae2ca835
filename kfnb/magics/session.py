"""The state of the magics in one shell."""

from __future__ import annotations

import importlib
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfnb.magics.errors import PipelineError

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.magics.notebook_path import NotebookLocation
    from kfnb.magics.unsaved_cells import Executed
    from kfnb.pipeline import Diagnostic, Pipeline

# A kernel that runs for weeks must not remember every cell.
_MAX_CELLS = 2000


class Session:
    """One shell: its notebook, the cells executed in it, and its runs.

    Parameters
    ----------
    shell
        IPython's shell.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._executed: deque[Executed] = deque(maxlen=_MAX_CELLS)
        self._named: Path | None = None
        self.launched: list[RunFolder] = []
        """Runs that were started here, oldest first."""
        self.shown_once: set[Diagnostic] = set()
        """Harmless findings that were shown already and are not repeated."""

    @property
    def variables(self) -> dict[str, Any]:
        """The user's namespace."""
        names: dict[str, Any] = self.shell.user_ns
        return names

    @property
    def in_notebook(self) -> bool:
        """Whether this is a kernel, so that outputs are saved in a notebook."""
        return getattr(self.shell, "kernel", None) is not None

    @property
    def has_page(self) -> bool:
        """Whether a page shows the outputs while cells execute."""
        if not self.in_notebook:
            return False
        from kfnb.widgets.frontend import kind_of_frontend

        return kind_of_frontend() in ("jupyter", "other")

    def record_cell(self, info: Any) -> None:
        """Record a cell that is about to be executed (IPython's ``pre_run_cell``)."""
        # Front ends also execute code that a person does not see, without storing it.
        if getattr(info, "store_history", True):
            from kfnb.magics.unsaved_cells import Executed

            cell = getattr(info, "cell_id", None)
            self._executed.append(Executed(str(info.raw_cell), cell, time.time()))

    # The notebook

    def locate(self, notebook: str | None) -> NotebookLocation:
        """Find the notebook: the given one, else the one that this kernel executes.

        Raises
        ------
        PipelineError
            If it cannot be found.
        """
        from kfnb.magics.notebook_path import NotebookLocation, find, unknown

        if notebook is not None:
            given = Path(notebook).expanduser().absolute()
            if given.is_file():
                # Later commands without a path are about this notebook.
                self._named = given
            return NotebookLocation(given)
        location = find(self.shell) if self.in_notebook else None
        if location is not None:
            return location
        if self._named is not None:
            return NotebookLocation(self._named)
        raise PipelineError(unknown(in_notebook=self.in_notebook))

    def read(self, notebook: str | None) -> Pipeline:
        """Read the saved notebook, and warn about unsaved changes.

        Raises
        ------
        PipelineError
            If it cannot be found.
        NotebookError
            If the file is no notebook.
        """
        from kfnb.api.launch import read

        location = self.locate(notebook)
        pipeline = read(location.path)
        if location.note:
            self.note(location.note)
        if location.edited:
            from kfnb.magics.unsaved_cells import UNSAVED, has_unsaved_changes

            if has_unsaved_changes(self._executed, pipeline.cells, location.path):
                self.note(UNSAVED)
        return pipeline

    # Its runs

    def run(self, name: str | None, notebook: str | None) -> RunFolder:
        """Find a run: the named one, else the notebook's latest.

        Raises
        ------
        PipelineError
            If no run is named and the notebook cannot be found or has no runs.
        UsageError
            If there is no such run.
        """
        from kfnb.api.run_lookup import find_run

        if name is not None:
            return find_run(name)
        runs = self.runs(notebook, most=1)
        # After the notebook was renamed, its runs are those that this kernel started.
        runs = runs or [run for run in self.launched[-1:] if run.path.is_dir()]
        if not runs:
            raise PipelineError("This notebook has no runs yet. Start one: %pipeline run")
        return runs[0]

    def runs(self, notebook: str | None, *, most: int) -> list[RunFolder]:
        """List the newest runs of the notebook."""
        from itertools import islice

        from kfnb.api.run_lookup import runs_of

        return list(islice(runs_of(self.locate(notebook).path), most))

    # Showing

    def note(self, text: str) -> None:
        """Print a remark: to stdout in a notebook, which would show stderr as a failure."""
        from kfnb.draw import visible

        stream = sys.stdout if self.in_notebook else sys.stderr
        print("\n".join(visible(line) for line in text.split("\n")), file=stream)

    def view(self, what: Any, **options: Any) -> Any:
        """Make a view; None outside of notebooks, and if it cannot be made."""
        if not self.in_notebook:
            return None
        try:
            kind = importlib.import_module("kfnb.widgets").PipelineView
            return kind(what, **options)
        except Exception as error:  # a run must not fail because its view cannot be made
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            self.note(f"The live view cannot be shown ({reason}), so kfnb prints text.")
            return None

    def display(self, shown: Any, **options: Any) -> None:
        """Display an object, or a MIME bundle with ``raw=True``."""
        from IPython.display import display

        display(shown, **options)
