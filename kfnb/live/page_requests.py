"""Answers to a page's single requests: a step's outputs or notebook, a comparison of runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kfnb.api.run_handle import Run
from kfnb.api.run_handle import runs as all_runs
from kfnb.api.run_lookup import find_run
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.code_differences import Line, code_differences
from kfnb.api.use_cases.run_list import ListedRun, listed
from kfnb.draw import shortened
from kfnb.errors import UsageError
from kfnb.home import AttemptFolder
from kfnb.json_values import json_with_text
from kfnb.live import protocol
from kfnb.live.snapshot import location
from kfnb.pipeline import Pipeline

MAX_TEXT = 200_000
"""Longest text of one output, in characters."""
MAX_IMAGE = 8_000_000
"""Largest image, in characters; a larger one is replaced by a note."""
MAX_TOTAL = 32_000_000
"""Most characters of all outputs of a step together."""
MAX_RUNS = 50
"""Most runs that are listed: the whole journal of each is read."""
MAX_CODE_LINES, MAX_CODE_WIDTH = 400, 400
"""Most lines of a step's code that are compared, and most characters of a line."""
MAX_NOTEBOOK_BYTES = 64_000_000
"""Largest executed notebook that is read for a page."""


def outputs(view: RunView, step: str, index: str, attempt: int | None) -> protocol.OutputsMessage:
    """Read the outputs of a step's cells from its executed notebook.

    Parameters
    ----------
    step
        The step's name.
    index
        Which instance of the step; empty for a plain step.
    attempt
        Which attempt; None for the last.

    Raises
    ------
    UsageError
        If the executed notebook is too large to be read for a page.
    """
    number = view.state.steps[step, index].attempts if attempt is None else attempt
    return {
        "kind": "outputs",
        "step": step,
        "index": index,
        "attempt": number,
        "cells": _cells(view.attempt(step, number, index=index), view.pipeline),
    }


def notebook(view: RunView, step: str, index: str, attempt: int | None) -> protocol.NotebookMessage:
    """Read the executed notebook of a step, because Jupyter often cannot open it where it lies.

    Raises
    ------
    UsageError
        If the step has not executed yet, or its notebook is too large to be sent.
    """
    number = view.state.steps[step, index].attempts if attempt is None else attempt
    path = view.attempt(step, number, index=index).executed
    try:
        size = path.stat().st_size
        text = path.read_text("utf-8", "replace") if size <= MAX_NOTEBOOK_BYTES else ""
    except OSError as error:
        status = view.state.steps[step, index].status
        raise UsageError(f'Step "{step}" has no executed notebook: it is {status}.') from error
    if size > MAX_NOTEBOOK_BYTES:
        raise _too_large(path)
    words = (view.pipeline.name, step, *([index] if index else []), view.folder.id)
    # It becomes the name of a downloaded file.
    plain = "-".join(re.sub(r"[^\w-]+", "_", word)[:60].strip("_") for word in words)
    return {
        "kind": "notebook",
        "step": step,
        "index": index,
        "attempt": number,
        "name": f"{plain}.ipynb",
        "text": text,
    }


def compare(ids: Iterable[str]) -> protocol.CompareMessage:
    """Describe runs for a comparison.

    Raises
    ------
    KfnbError
        If there is no such run, or one cannot be read.
    """
    runs = list({folder.id: Run(folder) for folder in map(find_run, ids)}.values())
    differences = code_differences(runs[0].pipeline, runs[1].pipeline) if len(runs) > 1 else []
    return {
        "kind": "compare",
        "runs": [_compared(run) for run in runs],
        "code": [
            {"step": one.step, "lines": [_code_line(line) for line in one.lines[:MAX_CODE_LINES]]}
            for one in differences
        ],
    }


def _code_line(line: Line) -> protocol.CodeLine:
    left, right = (
        None if side is None else shortened(side, MAX_CODE_WIDTH)
        for side in (line.left, line.right)
    )
    return {"left": left, "right": right, "kind": line.kind}


def runs(notebook: str | None) -> protocol.RunsMessage:
    """List the newest runs, of one notebook or of all."""
    known = all_runs(notebook)
    return {
        "kind": "runs",
        "runs": [listed_run(listed(run)) for run in known[:MAX_RUNS]],
        "more": max(0, len(known) - MAX_RUNS),
    }


def listed_run(run: ListedRun) -> protocol.ListedRun:
    """Describe a run of a list."""
    return {
        "id": run.id,
        "title": run.title,
        "notebook": run.notebook or None,
        "status": run.status,
        "created": run.created,
        "duration": run.duration,
        "parameters": json_with_text(dict(run.parameters)),
        "metrics": json_with_text(dict(run.metrics)),
    }


def _compared(run: Run) -> protocol.ComparedRun:
    return {
        "id": run.id,
        "title": "" if run.name == run.pipeline.name else run.name,
        "status": run.status,
        "created": run.created,
        "duration": run.duration,
        "parameters": json_with_text(dict(run.parameters)),
        "metrics": json_with_text(run.metrics),
        "steps": {
            name: {"status": step.status, "duration": step.duration}
            for name, step in run.steps.items()
        },
    }


def _cells(folder: AttemptFolder, pipeline: Pipeline) -> list[protocol.CellOutputs]:
    try:
        if folder.executed.stat().st_size > MAX_NOTEBOOK_BYTES:
            raise _too_large(folder.executed)
        plain = json.loads(folder.executed.read_bytes())
    except (OSError, ValueError):  # not executed yet, or being written now
        return []
    room = MAX_TOTAL
    cells: list[protocol.CellOutputs] = []
    for cell in plain.get("cells", ()) if isinstance(plain, dict) else ():
        index = (cell.get("metadata") or {}).get("kfnb", {}).get("cell")
        if not isinstance(index, int) or not 0 <= index < len(pipeline.cells):
            continue  # a cell that kfnb inserted
        outputs = []
        for output in cell.get("outputs") or ():
            small = _limited_output(output) if room > 0 else _note("not shown: it is too large")
            room -= len(json.dumps(small))
            outputs.append(small)
        if outputs:
            source = pipeline.cells[index].source
            where = location(pipeline, index)
            assert where is not None, "the index is one of the pipeline's cells"
            cells.append({"location": where, "source": source[:MAX_TEXT], "outputs": outputs})
    return cells


def _too_large(path: Path) -> UsageError:
    return UsageError(f"The executed notebook is too large to be sent to a page: {path}")


def _limited_output(output: Mapping[str, Any]) -> dict[str, Any]:
    """Shorten an output to a size that a page can show."""
    kind = output.get("output_type")
    if kind == "stream":
        return {**output, "text": _text(output.get("text"))}
    if kind == "error":
        trace = [_text(line) for line in (output.get("traceback") or ())][-200:]
        return {**output, "evalue": _text(output.get("evalue")), "traceback": trace}
    if kind in ("display_data", "execute_result"):
        return {**output, "data": _limited_data(output.get("data") or {})}
    return dict(output)


def _limited_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the MIME types of an output that are small enough, and shorten plain text."""
    limited, left = {}, []
    for mime, value in data.items():
        if mime == "text/plain":
            limited[mime] = _text(value)
            continue
        size = len(value) if isinstance(value, str) else len(json.dumps(value))
        if size <= (MAX_IMAGE if mime.startswith("image/") else MAX_TEXT):
            limited[mime] = value
        else:
            left.append(f"[{mime} of {size:,} characters: the executed notebook has it]")
    if left:
        limited["text/plain"] = "\n".join([*left, str(limited.get("text/plain", ""))]).rstrip()
    return limited


def _text(value: Any) -> str:
    text = "".join(map(str, value)) if isinstance(value, list) else str(value or "")
    if len(text) <= MAX_TEXT:
        return text
    left = len(text) - MAX_TEXT
    return f"{text[:MAX_TEXT]}\n[{left:,} more characters: the executed notebook has them]\n"


def _note(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": f"[{text}]\n"}
