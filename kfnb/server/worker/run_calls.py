"""What the process that follows runs is called for. Each call has a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kfnb.api import json_output
from kfnb.api.run_handle import Run
from kfnb.api.run_lookup import facts, refresh, run_folders, runs_of
from kfnb.api.run_view import RunView
from kfnb.api.step_lookup import no_such_step
from kfnb.api.use_cases.run_list import listed
from kfnb.api.use_cases.stored_runs import remove_run, rename_run
from kfnb.errors import UsageError
from kfnb.home import RunFolder, run_folder
from kfnb.live import page_requests
from kfnb.live.log_tail import LogTail
from kfnb.runners import request_stop, start_driver
from kfnb.runners.masked_values import hold
from kfnb.runners.options import options_of
from kfnb.runners.target import find_target, target_names
from kfnb.server.paths import file_of, path_of
from kfnb.server.problems import ProblemError

MOST_LOOKED_AT = 500
"""Most runs that one request for a list looks at: the journal of each is read."""


def calls(root: str | None) -> Mapping[str, Callable[..., Any]]:
    """Return the functions that the server may call."""
    return {
        "targets": targets,
        "workspaces": workspaces,
        "examine": examine,
        "runs": partial(runs, root),
        "run": partial(status, root),
        "start": partial(start, root),
        "rename": partial(rename, root),
        "remove": remove,
        "stop": partial(stop, root),
        "resume": partial(resume, root),
        "log": log,
        "outputs": outputs,
        "notebook": notebook,
        "compare": compare,
    }


def targets() -> dict[str, Any]:
    """List where runs can execute, with the options of each target."""
    known = [(name, find_target(name)) for name in target_names()]
    return {
        "targets": [
            {
                "name": name,
                "title": target.title,
                "remote": target.is_remote,
                "options": [
                    {
                        "name": option_name,
                        "help": option.help,
                        "kind": option.kind,
                        "choices": list(option.choices),
                    }
                    for option_name, option in options_of(target.options).items()
                ],
            }
            for name, target in known
        ]
    }


def workspaces(*, target: str) -> dict[str, Any]:
    """List the workspaces of a target; no cluster is asked for them."""
    if target not in target_names():
        raise ProblemError(404, f"There is no target {target[:100]!r}.")
    return {
        "workspaces": [
            {"context": one.context, "namespace": one.namespace, "current": one.current}
            for one in find_target(target).workspaces()
        ]
    }


def examine(*, target: str, target_options: Mapping[str, Any]) -> dict[str, Any]:
    """Ask a workspace what one may do there; an image that is configured is tried in a pod."""
    if target not in target_names():
        raise ProblemError(404, f"There is no target {target[:100]!r}.")
    looked_at = find_target(target).doctor(None, target_options, fix=False)
    return {
        "findings": [
            {
                "check": one.check,
                "status": one.status,
                "sentence": one.sentence,
                "commands": list(one.commands),
            }
            for one in looked_at
        ]
    }


def runs(
    root: str | None, *, notebook: str | None, status: str | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """List runs, newest first; ``cursor`` is the last one of the page before."""
    folders = run_folders() if notebook is None else list(runs_of(file_of(notebook, root)))
    if cursor is not None:
        folders = _after(folders, cursor)
    page: list[dict[str, Any]] = []
    looked_at = 0
    for folder in folders[:MOST_LOOKED_AT]:
        looked_at += 1
        run = listed(Run(folder))
        if status is None or run.status == status:
            page.append({**page_requests.listed_run(run), "notebook": path_of(run.notebook, root)})
        if len(page) == limit:
            break
    more = looked_at < len(folders)
    return {"runs": page, "cursor": folders[looked_at - 1].id if more else None}


def _after(folders: list[RunFolder], cursor: str) -> list[RunFolder]:
    """Return the runs that are listed after ``cursor``, which may have been deleted meanwhile."""
    ids = [folder.id for folder in folders]
    if cursor in ids:
        return folders[ids.index(cursor) + 1 :]
    return [folder for folder in folders if folder.id < cursor]


def status(root: str | None, *, run: str) -> dict[str, Any]:
    """Return what ``kfnb status RUN --json`` prints, with the notebook's path on this server."""
    return _status(root, refresh(_find(run)))


def _status(root: str | None, folder: RunFolder) -> dict[str, Any]:
    plain = json_output.status(Run(folder))
    return {**plain, "notebook": path_of(plain["notebook"] or None, root)}


def start(root: str | None, *, run: str, masked: Mapping[str, Any]) -> dict[str, Any]:
    """Start the driver of a run that was created, with its masked parameters."""
    folder = _find(run)
    hold(folder, masked)
    start_driver(folder)
    return _status(root, folder)


def rename(root: str | None, *, run: str, name: str) -> dict[str, Any]:
    """Give a run another name."""
    folder = _find(run)
    rename_run(folder, name)
    return _status(root, folder)


def remove(*, run: str) -> None:
    """Delete a run that has ended."""
    remove_run(_find(run))


def stop(root: str | None, *, run: str) -> dict[str, Any]:
    """Ask a run to stop."""
    folder = refresh(_find(run))
    view = RunView(folder)
    view.update()
    # Its driver may be alive for another moment.
    if view.state.ended:
        raise ProblemError(409, f"Run {run} has already ended: it is {view.state.status}.")
    request_stop(folder, by="a page of the Jupyter server")
    return _status(root, folder)


def resume(root: str | None, *, run: str) -> dict[str, Any]:
    """Continue a run with the code that it was started with."""
    folder = refresh(_find(run))
    Run(folder).resume()
    return _status(root, folder)


def log(*, run: str, step: str, index: str, attempt: int | None, begin: int) -> Any:
    """Return a piece of a step's log from byte ``begin`` on."""
    view = _view(run, step, index)
    chunk = LogTail(step, index=index, attempt=attempt, begin=begin).read(view)
    assert chunk is not None, "the first chunk always exists"
    return chunk


def outputs(*, run: str, step: str, index: str, attempt: int | None) -> Any:
    """Return the outputs of a step's cells."""
    return page_requests.outputs(_view(run, step, index), step, index, attempt)


def notebook(*, run: str, step: str, index: str, attempt: int | None) -> Any:
    """Return the executed notebook of a step."""
    view = _view(run, step, index)
    try:
        return page_requests.notebook(view, step, index, attempt)
    except UsageError as error:
        raise ProblemError(404, str(error)) from error


def compare(*, runs: str) -> Any:
    """Compare runs, given by their ids with commas between them."""
    ids = list(dict.fromkeys(one for one in runs.split(",") if one))
    return page_requests.compare([_find(one).id for one in ids])


def _find(run: str) -> RunFolder:
    """Find a run by its whole id, which the server has checked to be one."""
    folder = run_folder(run)
    if not facts(folder):
        raise ProblemError(404, f"There is no run {run}.")
    return folder


def _view(run: str, step: str, index: str) -> RunView:
    view = RunView(_find(run))
    view.update()
    if step not in view.pipeline.steps:
        raise ProblemError(404, no_such_step(view.pipeline.steps, step, owner="run"))
    if (step, index) not in view.state.steps:
        raise ProblemError(404, f"Step {step!r} has no instance {index!r} in this run.")
    return view
