"""Finding runs: by id, by the beginning of one, by name, by notebook, the latest."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import RunFolder, run_folder, runs_folder
from kfnb.runners import driver_state, has_succeeded
from kfnb.runners.target import find_target, target_of

LATEST = "latest"
_SHOWN = 5


def run_folders() -> list[RunFolder]:
    """List the folders of all runs, newest first.

    Raises
    ------
    InfrastructureError
        If the folder of runs cannot be read.
    """
    try:
        # A name that begins with a dot is that of a run that is being created.
        entries = [e for e in os.scandir(runs_folder()) if e.is_dir() and e.name[0] != "."]
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InfrastructureError(f"Cannot read {runs_folder()}: {reason}.") from error
    dated = []
    for entry in entries:
        run = RunFolder(Path(entry.path))
        try:
            dated.append((run.moment, run))
        except OSError:  # not a run
            continue
    return [run for _, run in sorted(dated, key=lambda f: f[0], reverse=True)]


def runs_of(notebook: str | os.PathLike[str]) -> Iterator[RunFolder]:
    """Yield the runs of one notebook, newest first."""
    wanted = absolute(notebook)
    for run in run_folders():
        path = facts(run).get("notebook")
        if path and absolute(path) == wanted:
            yield run


def facts(run: RunFolder) -> dict[str, Any]:
    """Read ``run.json``; empty if that is gone or unreadable."""
    try:
        plain = json.loads(run.run.read_bytes())
    except (OSError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}


def find_run(name: str | os.PathLike[str]) -> RunFolder:
    """Find a run.

    Parameters
    ----------
    name
        A run's id, a beginning that only one id has, the name that only one run was given,
        ``latest``, or a notebook's path (its latest run).

    Raises
    ------
    UsageError
        If no run, or more than one, fits.
    """
    text = os.fspath(name)
    # A whole id needs no look at the other runs; a path would lead out of the folder of runs.
    if text and not _is_path(text) and run_folder(text).run.is_file():
        return run_folder(text)
    if text.endswith(".ipynb"):
        run = next(runs_of(text), None)
        if run is None:
            raise UsageError(
                f"{text} has no runs yet. Start one with: kfnb run {shlex.quote(text)}"
            )
        return run
    known = run_folders()
    if text == LATEST:
        if not known:
            raise UsageError("There are no runs yet. Start one with: kfnb run NOTEBOOK")
        return known[0]
    fitting = [run for run in known if text and run.id.startswith(text)]
    if len(fitting) == 1:
        return fitting[0]
    named = [run for run in known if text and facts(run).get("name") == text]
    if len(named) == 1:
        return named[0]
    if named:
        raise UsageError(f'{len(named)} runs are called "{text}": {_listed(named)}. Use an id.')
    if fitting:
        raise UsageError(f'"{text}" is the beginning of {len(fitting)} runs: {_listed(fitting)}.')
    near = difflib.get_close_matches(text, [run.id for run in known], n=1)
    hint = f' Did you mean "{near[0]}"?' if near else " kfnb runs lists all runs."
    raise UsageError(f'There is no run "{text}".{hint}')


def find_current(name: str | os.PathLike[str]) -> RunFolder:
    """Find a run as :func:`find_run` does, and bring its folder up to date."""
    return refresh(find_run(name))


def refresh(run: RunFolder) -> RunFolder:
    """Bring the copy of a run that may go on without this machine up to date, and return it.

    If its target cannot be reached now, the copy stays as it is.
    """
    run_facts = facts(run)
    target = target_of(run_facts)
    # A driver on this machine writes the folder itself, and after a success nothing changes any
    # more.
    if not target.is_remote or driver_state(run) == "alive" or has_succeeded(run):
        return run
    with contextlib.suppress(KfnbError):
        target.mirror(run, run_facts)
    return run


def mirror_runs(target: str, options: Mapping[str, Any]) -> set[str]:
    """Copy the newest runs of a target's store here; return those that something drives now.

    Raises
    ------
    UsageError, InfrastructureError
        If the store is not configured, or cannot be read.
    """
    return find_target(target).mirror_all(options)


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path as runs record it: absolute, links resolved."""
    return os.path.realpath(Path(path).expanduser())


def _listed(runs: Sequence[RunFolder]) -> str:
    shown = ", ".join(run.id for run in runs[:_SHOWN])
    return shown + (", …" if len(runs) > _SHOWN else "")


def _is_path(text: str) -> bool:
    return text in (".", "..") or any(sep and sep in text for sep in (os.sep, os.altsep))
