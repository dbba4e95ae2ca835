"""A named pipe given as a notebook: a sentence, and nobody waits for a writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kfnb.errors import NotebookError
from kfnb.notebook.reader import read


def test_a_named_pipe_is_no_notebook(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(NotebookError, match="is a pipe or a device"):
        read(tmp_path / "pipe.ipynb")
