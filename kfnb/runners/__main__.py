"""``python -m kfnb.runners RUN_FOLDER``: the driver's process."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from kfnb.engine.dispatch.manifests import load_run
from kfnb.engine.driver import collect_garbage_rarely
from kfnb.engine.journal.file_journal import JournalBusy
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.home import RunFolder
from kfnb.masked_parameters import received
from kfnb.runners import masked_values
from kfnb.runners.target import target_of

_CODES = {"succeeded": 0, "failed": 1, "cancelled": 3}


def main(path: str) -> int:
    """Drive the run in the folder ``path``; the exit code says how it ended."""
    run = RunFolder(Path(path))
    try:
        if not run.path.is_dir():
            raise InfrastructureError(f"{run.path} is not the folder of a run.")
        status = _drive(run)
    except (KfnbError, OSError) as error:
        # Where another process here drives the run, the log is the log of that driver.
        if type(error) is not JournalBusy:
            with contextlib.suppress(OSError):  # the log may be on the disk that is full
                print(f"kfnb: {error}", file=sys.stderr, flush=True)
        return error.exit_code if isinstance(error, KfnbError) else 4
    return _CODES.get(status, 4)


def _drive(run: RunFolder) -> str:
    # Its children must inherit neither the pipe nor its number.
    masked_values.hold(run, received(os.environ))
    collect_garbage_rarely()
    pipeline, facts = load_run(run)
    return target_of(facts).drive(run, pipeline, facts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
