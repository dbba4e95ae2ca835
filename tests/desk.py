"""A notebook, a KFNB_HOME and the command line, as a person has them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import wait_until


class Started(subprocess.Popen[str]):
    """A command that a test started; when the test fails meanwhile, the command ends too.

    Leaving a ``with`` block of `subprocess.Popen` waits for the process, for ever if the
    process itself waits for what the failed test would have done next.
    """

    home: Path

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    environment = process.environ()
                    if environment.get("KFNB_HOME") == str(self.home):
                        process.kill()
        super().__exit__(*error)


@dataclass(frozen=True)
class Desk:
    """A folder with a notebook in it, and KFNB_HOME beside it."""

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
        self, *words: str | Path, timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Call the command line; it must never print a traceback."""
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
        """Return the complete lines of the newest run's journal."""
        journal = self.runs()[-1] / "journal.jsonl"
        if not journal.exists():
            return []
        lines = journal.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def runs(self) -> list[Path]:
        return sorted((self.home / "runs").glob("*")) if (self.home / "runs").exists() else []

    def wait_for(self, kind: str, step: str | None = None) -> dict[str, Any]:
        """Wait until the newest run's journal has an event of this kind (and step)."""

        def first() -> dict[str, Any] | None:
            seen = self.events() if self.runs() else []
            matching = (e for e in seen if e["type"] == kind and step in (None, e["step"]))
            return next(matching, None)

        event = wait_until(first, f"an event {kind} of step {step}")
        assert event is not None
        return event

    def start(self, *words: str | Path) -> Started:
        """Start the command line in a session of its own, as a pipe would see it."""
        process = Started(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        process.home = self.home
        return process
