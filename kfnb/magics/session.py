"""What the magics know of the shell that they were loaded into."""

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
    from kfnb.magics.notebook_path import Place
    from kfnb.magics.unsaved_cells import Executed
    from kfnb.pipeline import Diagnostic, Pipeline

_KEPT = 2000


class Session:
    """One shell: its notebook, what was executed in it, and how to show something there.

    Parameters
    ----------
    shell
        IPython's shell.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._executed: deque[Executed] = deque(maxlen=_KEPT)
        self._said: Path | None = None
        self.launched: list[RunFolder] = []
        """Runs that were begun here, the last one last."""
        self.told: set[Diagnostic] = set()
        """What was told of a notebook and is not worth telling twice."""

    @property
    def variables(self) -> dict[str, Any]:
        """The user's names."""
        names: dict[str, Any] = self.shell.user_ns
        return names

    @property
    def in_notebook(self) -> bool:
        """Whether a kernel executes the cells, so that outputs are kept in a notebook."""
        return getattr(self.shell, "kernel", None) is not None

    @property
    def has_page(self) -> bool:
        """Whether somebody looks at the outputs while they come, in a page."""
        if not self.in_notebook:
            return False
        from kfnb.widgets.frontend import front

        return front() in ("jupyter", "other")

    def heard(self, info: Any) -> None:
        """Note a cell that is about to be executed (IPython's ``pre_run_cell``)."""
        if getattr(info, "store_history", True):
            from kfnb.magics.unsaved_cells import Executed

            cell = getattr(info, "cell_id", None)
            self._executed.append(Executed(str(info.raw_cell), cell, time.time()))

    # The notebook

    def place(self, notebook: str | None) -> Place:
        """Find the notebook: what was said, else where this kernel's cells are saved.

        Raises
        ------
        PipelineError
            If it cannot be known.
        """
        from kfnb.magics.notebook_path import Place, find, unknown

        if notebook is not None:
            said = Path(notebook).expanduser().absolute()
            if said.is_file():
                self._said = said
            return Place(said)
        found = find(self.shell) if self.in_notebook else None
        if found is not None:
            return found
        if self._said is not None:
            return Place(self._said)
        raise PipelineError(unknown(in_notebook=self.in_notebook))

    def read(self, notebook: str | None) -> Pipeline:
        """Read the notebook as it is saved, and say what is not saved.

        Raises
        ------
        PipelineError
            If it cannot be known where it is.
        NotebookError
            If the file is no notebook.
        """
        from kfnb.api.launch import read

        place = self.place(notebook)
        pipeline = read(place.path)
        if place.note:
            self.note(place.note)
        if place.edited:
            from kfnb.magics.unsaved_cells import unsaved

            said = unsaved(self._executed, pipeline.cells, place.path)
            if said is not None:
                self.note(said)
        return pipeline

    # Its runs

    def run(self, name: str | None, notebook: str | None) -> RunFolder:
        """Find a run: the one that was named, else the notebook's latest.

        Raises
        ------
        PipelineError
            If no run was named and it cannot be known which notebook this is, or it has none.
        UsageError
            If there is no such run.
        """
        from kfnb.api.run_lookup import find_run

        if name is not None:
            return find_run(name)
        found = self.runs(notebook, most=1)
        # A notebook that was renamed is the one whose runs this kernel has begun.
        found = found or [run for run in self.launched[-1:] if run.path.is_dir()]
        if not found:
            raise PipelineError("This notebook has no runs yet. %pipeline run starts one.")
        return found[0]

    def runs(self, notebook: str | None, *, most: int) -> list[RunFolder]:
        """List the newest runs of the notebook."""
        from itertools import islice

        from kfnb.api.run_lookup import runs_of

        return list(islice(runs_of(self.place(notebook).path), most))

    # Showing

    def note(self, text: str) -> None:
        """Tell something beside what was asked for.

        A notebook shows the standard error as a failure.
        """
        from kfnb.draw import visible

        place = sys.stdout if self.in_notebook else sys.stderr
        print("\n".join(visible(line) for line in text.split("\n")), file=place)

    def view(self, what: Any, **options: Any) -> Any:
        """Make a widget; None where there is none to be had."""
        if not self.in_notebook:
            return None
        try:
            kind = importlib.import_module("kfnb.widgets").PipelineView
            return kind(what, **options)
        except Exception as error:  # a picture that is not to be had must not take the run along
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            self.note(f"Text is shown, because the view cannot be made ({said}).")
            return None

    def display(self, shown: Any, **options: Any) -> None:
        """Show an object, or a bundle of its forms (``raw=True``)."""
        from IPython.display import display

        display(shown, **options)
