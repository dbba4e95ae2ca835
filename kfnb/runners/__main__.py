"""``python -m kfnb.runners RUN_FOLDER``: the driver's process."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from kfnb.engine.dispatch.manifests import load_run
from kfnb.engine.driver import Driver
from kfnb.engine.journal.file_journal import Journal
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder
from kfnb.runners.local import LocalRunner

_CODES = {"succeeded": 0, "failed": 1, "cancelled": 3}


def main(path: str) -> int:
    """Drive the run in the folder ``path``; the exit code says how it ended."""
    run = RunFolder(Path(path))
    try:
        if not run.path.is_dir():
            raise InfrastructureError(f"there is no run in {run.path}.")
        status = _drive(run)
    except (KfnbError, OSError) as error:
        with contextlib.suppress(OSError):  # the log may be on the disk that is full
            print(f"kfnb: {error}", file=sys.stderr, flush=True)
        return error.exit_code if isinstance(error, KfnbError) else 4
    return _CODES.get(status, 4)


def _drive(run: RunFolder) -> str:
    pipeline, about = load_run(run)
    if about.get("target", "local") == "local":
        with Journal(run.journal, run.id) as journal:
            return Driver(run, LocalRunner(), journal).drive()
    from kfnb.runners.kubernetes.driver.mirror import drive

    return drive(run, pipeline, about)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
