"""Files of the notebook's folder that its ``%pip install`` lines name."""

from __future__ import annotations

from pathlib import Path

from kfnb.engine.dispatch.step_notebook import pieces_of
from kfnb.pipeline import Pipeline, Step
from kfnb.step.pod.pip_install import lines_of, paths_of

_NOT_CODE = {"__pycache__", ".git", "build", "dist"}


def install_files(pipeline: Pipeline, step: Step, folder: Path) -> list[Path]:
    """List wheels, requirements and the files of packages that a step installs from ``folder``.

    What is not there, or not below the folder, is left out.
    """
    files: set[Path] = set()
    for cell in dict.fromkeys(piece.cell for piece in pieces_of(step)):
        for line in lines_of(pipeline.cells[cell].source):
            for name in paths_of(line):
                files.update(_files(folder, name))
    return sorted(files)


def _files(folder: Path, name: str) -> list[Path]:
    path = folder / name
    # Files outside of the notebook's folder are part of the machine, not of the notebook.
    if ".." in path.parts or not path.is_relative_to(folder):
        return []
    if path.is_file():
        return [path]
    # A folder is a package to build: any of its files may end up in it.
    return [
        file
        for file in path.rglob("*")
        if file.is_file() and not _NOT_CODE & set(file.relative_to(path).parts)
    ]
