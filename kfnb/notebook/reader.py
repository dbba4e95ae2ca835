"""From a notebook file to a pipeline."""

from __future__ import annotations

from pathlib import Path

from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.document import load
from kfnb.notebook.parsed_cell import keeping_trees
from kfnb.pipeline import Pipeline


def read(path: str | Path) -> Pipeline:
    """Read a notebook as a pipeline.

    Raises
    ------
    NotebookError
        If the file is no notebook. Whatever is wrong in its cells is a diagnostic.
    """
    from kfnb.notebook.flow import infer

    with keeping_trees():
        return infer(declare(load(path)))
