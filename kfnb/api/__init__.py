"""kfnb in Python: :func:`kfnb.read`, :func:`kfnb.run`, :class:`kfnb.Run` and their like."""

from kfnb.api.launch import read, run
from kfnb.api.run import Run, StepFailure, StepRun, open_run, runs

__all__ = ["Run", "StepFailure", "StepRun", "open_run", "read", "run", "runs"]
