"""What the processes that read notebooks are called for. None of it executes code of a notebook."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kfnb.api import json_output
from kfnb.api.launch import create, plan_run, refuse_inside_a_step, target_findings
from kfnb.api.run_lookup import facts, find_run
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.expected_steps import expected_steps, summary
from kfnb.api.use_cases.run_again import run_again
from kfnb.api.use_cases.run_requests import request_facts, run_of_request
from kfnb.home import RunFolder
from kfnb.live import snapshot
from kfnb.notebook.document import parse
from kfnb.notebook.reader import read_bytes, read_declared
from kfnb.notebook.suggest.proposal import suggest
from kfnb.pipeline import Pipeline
from kfnb.runners.masked_values import FACT, held
from kfnb.server.limits import Limits
from kfnb.server.paths import file_of
from kfnb.server.problems import KEY_IS_USED, ProblemError


def calls(limits: Limits, root: str | None) -> Mapping[str, Callable[..., Any]]:
    """Return the functions that the server may call."""
    return {
        "check": partial(check, limits, root),
        "create": partial(create_run, limits, root),
        "plan": partial(planned_run, limits, root),
        "again": again,
        "graph": partial(graph, limits, root),
        "outline": partial(outline, limits, root),
        "suggest": partial(suggest_steps, limits, root),
    }


def check(limits: Limits, root: str | None, *, path: str, target: str) -> dict[str, Any]:
    """Read a notebook; return its graph, with what is wrong with it."""
    pipeline, digest = _read(limits, root, path)
    read = snapshot.graph(pipeline)
    missing = snapshot.diagnostics(pipeline, target_findings(pipeline, target))
    return {
        "path": path,
        "sha256": digest,
        "ok": not pipeline.errors,
        "graph": {**read, "notebook": path, "diagnostics": [*read["diagnostics"], *missing]},
    }


def create_run(
    limits: Limits,
    root: str | None,
    *,
    path: str,
    sha256: str | None,
    parameters: Mapping[str, Any],
    key: str | None = None,
    body: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Create the folder of a new run; its driver is started by another process.

    Parameters
    ----------
    key
        A request with the same key gets the run that was created for it, also after the server was
        restarted; ``body`` is a hash of the request.

    Returns
    -------
    dict
        The run's id, its masked parameters, and whether its driver was started already.

    Raises
    ------
    ProblemError
        409 if the file is not the one that the page shows, or the key belongs to another request;
        422 with the findings if the notebook has errors.
    """
    refuse_inside_a_step()
    known = run_of_request(key) if key is not None else None
    if known is not None:
        folder, earlier = known
        if earlier != body:
            raise ProblemError(409, KEY_IS_USED)
        # The process that created the run may have ended, and no file has these values.
        masked = facts(folder).get(FACT) or {}
        values = {name: value for name, value in parameters.items() if name in masked}
        return {"run": folder.id, "masked": values, "started": folder.driver_log.exists()}
    pipeline = _readable(limits, root, path, sha256)
    given = request_facts(key, body) if key is not None else {}
    return _created(create(pipeline, parameters, facts=given, **options))


def planned_run(
    limits: Limits,
    root: str | None,
    *,
    path: str,
    sha256: str | None,
    parameters: Mapping[str, Any],
    **options: Any,
) -> dict[str, Any]:
    """Return which steps of a run would execute; takes and raises what :func:`create_run` does."""
    refuse_inside_a_step()
    pipeline = _readable(limits, root, path, sha256)
    steps = expected_steps(plan_run(pipeline, parameters, **options))
    return {
        "summary": summary(steps),
        "steps": [{"name": one.name, "action": one.action, "why": one.why} for one in steps],
    }


def _readable(limits: Limits, root: str | None, path: str, sha256: str | None) -> Pipeline:
    """Read a notebook that is to be run; raises ProblemError as :func:`create_run`."""
    pipeline, digest = _read(limits, root, path)
    if sha256 is not None and sha256 != digest:
        raise ProblemError(
            409,
            "The notebook on the disk is not the one that this page shows. Save it, or load it "
            "again, and start the run then.",
            sha256=digest,
        )
    if pipeline.errors:
        raise ProblemError(
            422,
            "The notebook has errors, so nothing was started: "
            + " ".join(str(error) for error in pipeline.errors[:3]),
            findings=snapshot.diagnostics(pipeline, pipeline.errors),
        )
    return pipeline


def again(*, run: str) -> dict[str, Any]:
    """Create a new run of the notebook of an earlier one, with its parameters and target."""
    view = RunView(find_run(run))
    view.update()
    return _created(run_again(view))


def _created(folder: RunFolder) -> dict[str, Any]:
    """Return what the process that starts drivers needs: also what no file of the run has."""
    return {"run": folder.id, "masked": held(folder)}


def graph(limits: Limits, root: str | None, *, path: str, notebook: Any) -> dict[str, Any]:
    """Read a notebook as it is being edited in a page."""
    raw = _edited(limits, path, notebook)
    return {**snapshot.graph(read_bytes(raw, path=file_of(path, root))), "notebook": path}


def outline(limits: Limits, root: str | None, *, path: str, notebook: Any) -> dict[str, Any]:
    """Return the steps of a notebook that is being edited, and the ids of their cells.

    This needs no data flow, so a page can show it before the graph.
    """
    raw = _edited(limits, path, notebook)
    declared = read_declared(raw, path=file_of(path, root))
    ids = [cell.id for cell in declared.document.cells]
    return {
        "steps": [
            {"name": step.name, "cells": [ids[n] for n in step.cells], "after": list(step.after)}
            for step in declared.steps
        ],
        "setup": [ids[n] for n in declared.setup],
        "parameters": [ids[n] for n in declared.parameters],
        "metrics": [ids[n] for n in declared.metrics],
        "skip": [ids[n] for n in declared.skipped],
    }


def suggest_steps(
    limits: Limits, root: str | None, *, path: str, notebook: Any = None
) -> dict[str, Any]:
    """Suggest steps for a notebook: the file, or ``notebook`` as it is being edited in a page."""
    file = file_of(path, root)
    raw = _content(file, limits, path) if notebook is None else _edited(limits, path, notebook)
    document = parse(raw, path=file)
    return json_output.suggest(suggest(document), document.cells)


def _edited(limits: Limits, path: str, notebook: Any) -> bytes:
    raw = json.dumps(notebook).encode()
    _refuse_large(len(raw), limits, path)
    return raw


def _read(limits: Limits, root: str | None, path: str) -> tuple[Pipeline, str]:
    """Return the pipeline of a file, and the hash of exactly what was read."""
    file = file_of(path, root)
    raw = _content(file, limits, path)
    return read_bytes(raw, path=Path(file)), hashlib.sha256(raw).hexdigest()


def _content(file: Path, limits: Limits, path: str) -> bytes:
    try:
        status = file.stat()
        # A pipe or a device might never end.
        if stat.S_ISREG(status.st_mode):
            _refuse_large(status.st_size, limits, path)
            return file.read_bytes()
    except (OSError, ValueError) as error:  # also for a name that no file can have
        if not isinstance(error, FileNotFoundError):
            reason = str(getattr(error, "strerror", None) or error).lower()
            raise ProblemError(404, f"{path[:200]!r} cannot be read: {reason}.") from error
    raise ProblemError(404, f"This server shows no file {path[:200]!r}.")


def _refuse_large(size: int, limits: Limits, path: str) -> None:
    if size > limits.notebook_bytes:
        raise ProblemError(
            413,
            f"{path[:200]!r} has {size:,} bytes, and this server reads notebooks of at most "
            f"{limits.notebook_bytes:,}. Clear its outputs and save it.",
        )
