"""From a notebook file to a pipeline."""

from __future__ import annotations

from pathlib import Path

from kfnb.notebook.authoring.grouping import Declared, declare
from kfnb.notebook.document import load, parse
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


def read_bytes(raw: bytes, *, path: Path) -> Pipeline:
    """Read a notebook that is in memory; ``path`` is where its file is, or will be.

    Raises
    ------
    NotebookError
        As :func:`read`.
    """
    from kfnb.notebook.flow import infer

    with keeping_trees():
        return infer(declare(parse(raw, path=path)))


def read_declared(raw: bytes, *, path: Path) -> Declared:
    """Read which cells the steps have, without what flows between them; raises as :func:`read`."""
    with keeping_trees():
        return declare(parse(raw, path=path))
