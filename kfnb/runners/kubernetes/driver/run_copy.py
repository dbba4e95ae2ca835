"""A run that is in a store, brought to this machine."""

from __future__ import annotations

from kfnb.engine.journal.segment_journal import follow_segments
from kfnb.errors import UsageError
from kfnb.home import RunFolder
from kfnb.runners.kubernetes.driver.drive import FILES
from kfnb.store import disk
from kfnb.store.remote.base import Remote


def fetch(run: RunFolder, remote: Remote) -> bool:
    """Bring a run's folder here up to date with the store; True if its journal grew.

    Raises
    ------
    UsageError
        If the store has no such run.
    InfrastructureError
        If the store does not answer, or the folder cannot be written.
    """
    key = f"runs/{run.id}/"
    if not run.run.exists() and remote.size(key + run.run.name) is None:
        raise UsageError(f'There is no run "{run.id}" in the store {remote.address}.')
    with disk.writing(run.path):
        run.steps.mkdir(parents=True, exist_ok=True)
        run.control.mkdir(exist_ok=True)
    # The one that says that there is a run comes last.
    for name in reversed(FILES):
        if not (run.path / name).exists():
            remote.download(key + name, run.path / name)
    return follow_segments(remote, run.id, run.journal)
