"""Where runs and values are on this machine: ``KFNB_HOME`` and the layout below it.

This module only computes paths and neither creates nor reads files, so that every layer can use the
same layout without depending on another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def home() -> Path:
    """Return the folder of runs and values: ``KFNB_HOME``, or the platform's user data folder."""
    configured = os.environ.get("KFNB_HOME")
    if configured:
        # Drivers and steps have other working directories.
        return Path(configured).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("kfnb"))


def runs_folder() -> Path:
    """Return the folder that holds one folder for each run."""
    return home() / "runs"


def store_folder() -> Path:
    """Return the root of the content-addressed store."""
    return home() / "store"


_STAMP = len("20260101-000000")


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """The files of one attempt at one step."""

    path: Path

    @property
    def order(self) -> Path:
        """The step order, as JSON."""
        return self.path / "order.json"

    @property
    def notebook(self) -> Path:
        """The notebook that papermill executes."""
        return self.path / "step.ipynb"

    @property
    def executed(self) -> Path:
        """The same notebook with outputs, saved from time to time and at the end."""
        return self.path / "executed.ipynb"

    @property
    def events(self) -> Path:
        """What the step process reports, one JSON line for each event."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """The text that the step printed."""
        return self.path / "log.txt"

    @property
    def process(self) -> Path:
        """The pid and process group of the step process, for stopping it after a driver's death."""
        return self.path / "process.json"

    @property
    def alive(self) -> Path:
        """A file that the step process locks as long as it lives."""
        return self.path / "alive"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def moment(self) -> tuple[str, int, str]:
        """The key by which runs are sorted: the second in their ids, then the time of a file.

        Raises
        ------
        OSError
            If this folder contains no run.
        """
        return self.id[:_STAMP], self.run.stat().st_mtime_ns, self.id

    @property
    def run(self) -> Path:
        """Name, notebook, target, parameters and options of the run."""
        return self.path / "run.json"

    @property
    def notebook(self) -> Path:
        """The source notebook as it was read."""
        return self.path / "notebook.ipynb"

    @property
    def pipeline(self) -> Path:
        """The pipeline as read, in the plain form of :func:`kfnb.json_values.to_plain`."""
        return self.path / "pipeline.json"

    @property
    def journal(self) -> Path:
        """The run's events, append-only."""
        return self.path / "journal.jsonl"

    @property
    def driver_lock(self) -> Path:
        """Locked by the driver as long as it lives."""
        return self.path / "driver.lock"

    @property
    def mirror_lock(self) -> Path:
        """Locked by the mirror: the process that follows a driver on another machine."""
        return self.path / "mirror.lock"

    @property
    def driver_log(self) -> Path:
        """What the driver process printed."""
        return self.path / "driver.log"

    @property
    def control(self) -> Path:
        """Requests to the driver, one file each."""
        return self.path / "control"

    @property
    def steps(self) -> Path:
        """One folder for each step, with one for each attempt below it."""
        return self.path / "steps"

    def attempt(self, step_id: str, attempt: int, *, index: str = "") -> AttemptFolder:
        """Return the folder of an attempt at a step (or at one instance of a mapped step)."""
        name = f"{step_id}.{index}" if index else step_id
        return AttemptFolder(self.steps / name / str(attempt))


def run_folder(run_id: str) -> RunFolder:
    """Return the folder of the run ``run_id``, whether or not it exists."""
    return RunFolder(runs_folder() / run_id)
