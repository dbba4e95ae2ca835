"""A notebook, a home and the command line, as a person has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Desk:
    """A folder with a notebook in it, and kfnb's home beside it."""

    folder: Path
    home: Path

    def notebook(
        self,
        *cells: tuple[str | Sequence[str], str],
        name: str = "nb.ipynb",
        kernel: str = "python3",
    ) -> Path:
        """Write a notebook of code cells, each given as (tag or tags, source)."""
        made = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "execution_count": None,
                "outputs": [],
                "metadata": {"tags": [tags] if isinstance(tags, str) and tags else list(tags)},
                "source": source,
            }
            for n, (tags, source) in enumerate(cells)
        ]
        metadata = {
            "kernelspec": {"name": kernel, "display_name": kernel, "language": "python"},
            "language_info": {"name": "python"},
        }
        path = self.folder / name
        path.write_text(
            json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
        )
        return path

    def kfnb(
        self, *words: str | Path, timeout: float = 180, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Call the command line; a traceback in what it says is never right."""
        result = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            errors="replace",
        )
        assert "Traceback (most recent call last)" not in result.stderr, result.stderr
        return result

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "kfnb.cli.main", *map(str, words)]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "KFNB_HOME": str(self.home), "NO_COLOR": "1", **more}

    def events(self) -> list[dict[str, Any]]:
        """The journal of the newest run."""
        journal = max((self.home / "runs").glob("*/journal.jsonl"))
        return [json.loads(line) for line in journal.read_text().splitlines()]

    def runs(self) -> list[Path]:
        return sorted((self.home / "runs").glob("*")) if (self.home / "runs").exists() else []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "work"
    folder.mkdir()
    return Desk(folder, tmp_path / "home")
