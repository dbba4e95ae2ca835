"""The errors that kfnb raises on purpose.

One small hierarchy, so that a caller can tell a wrong notebook from a failed
step from a broken disk, and the command line can turn each into its exit code.
"""

from __future__ import annotations


class KfnbError(Exception):
    """Base of kfnb's errors: one sentence on what is wrong and what to do."""

    exit_code = 2


class NotebookError(KfnbError):
    """The file is not a notebook that can be read."""


class UsageError(KfnbError):
    """The call does not fit the notebook: an unknown parameter, step, run or option."""


class CheckError(KfnbError):
    """The notebook has errors, so nothing was started."""


class StepError(KfnbError):
    """A step failed."""

    exit_code = 1


class InfrastructureError(KfnbError):
    """A disk, store or cluster did not do its part."""

    exit_code = 4
