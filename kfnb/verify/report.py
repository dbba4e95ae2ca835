"""``kfnb check --verify``: one linear run, one pipeline run, and what differs between them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb import api
from kfnb.engine.dispatch.step_notebook import PARAMETERS, executable, render
from kfnb.errors import InfrastructureError, UsageError
from kfnb.home import store_folder
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.diagnostics import make
from kfnb.notebook.document import load
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.store.blobs import open_store
from kfnb.store.manifest import Manifest, manifest_key
from kfnb.verify.side_by_side import Beside, Difference, compare_outputs

LARGEST_FOLDER = 2 << 30
"""Bytes: a notebook's folder beyond this is not copied."""

_LOOK = "Look for state that does not flow: a `changes:` tag or `setup` may be missing"
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"
)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verifying a notebook found.

    ``diagnostics`` are those of reading the notebook and one for each difference;
    ``cells`` and ``values`` say how many cells' texts and flowing values were equal.
    ``linear`` is "succeeded" or "failed", ``status`` the pipeline run's; both are
    None where errors of reading stopped it before anything was executed.
    """

    notebook: str
    diagnostics: tuple[Diagnostic, ...]
    cells: int = 0
    values: int = 0
    linear: str | None = None
    status: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the pipeline did what the notebook does."""
        return self.linear is not None and not any(d.severity == "error" for d in self.diagnostics)


def verify(
    path: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    *,
    parallel: int | None = None,
    timeout: float | None = None,
) -> VerifyReport:
    """Execute a notebook linearly and as a pipeline, and compare values and text outputs.

    Both run in copies of the notebook's folder, so that neither sees what the other
    wrote and nothing of the user's changes, and with a store of their own. What also
    differs between two linear runs (a time, a random number) is told as a warning.

    Parameters
    ----------
    path
        The notebook; it is never written.
    parameters
        Overrides, as for a run.
    parallel
        How many steps run at once; None for the default.
    timeout
        Seconds for each cell (linear) and step (pipeline).

    Raises
    ------
    NotebookError
        If the file is no notebook.
    UsageError
        If the notebook's folder is too large to copy.
    InfrastructureError
        If the linear run cannot be executed at all.
    """
    source = Path(path).absolute()
    pipeline = api.read(source)
    if pipeline.errors:
        return VerifyReport(str(source), pipeline.diagnostics)
    _check_size(source.parent)
    with tempfile.TemporaryDirectory(prefix="kfnb-verify-") as name:
        work = _Work(Path(name).resolve(), source, pipeline, dict(parameters or {}), timeout)
        return work.report(parallel)


@dataclass(frozen=True)
class _Work:
    folder: Path
    source: Path
    pipeline: Pipeline
    parameters: Mapping[str, Any]
    timeout: float | None

    def report(self, parallel: int | None) -> VerifyReport:
        with _home(self.folder / "home"):
            run = api.run(
                self._copy("pipeline") / self.source.name,
                self.parameters,
                parallel=parallel,
                timeout=self.timeout,
            )
            executed = self._executed(run)
            linear = self._linear("notebook", self._bundles(run))
            beside = self._beside(linear, executed, "notebook")
            verdicts = self._verdicts("notebook")
            again = None
            if beside.differences or any(v["verdict"] == "differs" for v in verdicts):
                kept = self._kept("notebook")
                again = self._linear("again", kept)
            diagnostics = [
                *self.pipeline.diagnostics,
                *self._of_runs(linear, run),
                *self._of_outputs(beside, linear, again),
                *self._of_values(verdicts, self._verdicts("again") if again else []),
            ]
        different = {d.cell for d in beside.differences}
        return VerifyReport(
            notebook=str(self.source),
            diagnostics=tuple(diagnostics),
            cells=len(beside.compared - different),
            values=sum(v["verdict"] == "same" for v in verdicts),
            linear="failed" if _error(linear) else "succeeded",
            status=run.status,
        )

    def _copy(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            shutil.copytree(self.source.parent, target, ignore=_NOT_COPIED, symlinks=True)
        return target

    def _executed(self, run: api.Run) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.pipeline.steps:
            with contextlib.suppress(UsageError):  # a step that did not execute
                found[name] = json.loads(run.notebook(name).read_text(encoding="utf-8"))
        return found

    def _bundles(self, run: api.Run) -> dict[str, dict[str, Any]]:
        """List what each step published: files of its bundles, and names it left absent."""
        store = open_store(store_folder())
        found: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps.values():
            data = store.get(manifest_key(run.id, step.id))
            if data is None:
                continue
            manifest = Manifest.from_json(data)
            outputs = {n: o for n, o in manifest.outputs.items() if o.changed}
            found[step.name] = {
                "bundles": [
                    {
                        "files": [str(store.blob(b)) for b in bundle.blobs],
                        "names": [n for n, o in outputs.items() if o.bundle == key],
                    }
                    for key, bundle in manifest.bundles.items()
                ],
                "absent": [n for n, o in outputs.items() if o.absent],
            }
        return found

    def _linear(self, name: str, bundles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Execute the notebook linearly, comparing values after each step's last cell."""
        folder = self._copy(name)
        notebook, places = self._instrumented(name, bundles)
        spec = self.folder / f"{name}.json"
        result = self.folder / f"{name}.ipynb"
        spec.write_text(
            json.dumps(
                {
                    "notebook": notebook,
                    "folder": str(folder),
                    "timeout": self.timeout,
                    "result": str(result),
                }
            ),
            encoding="utf-8",
        )
        done = subprocess.run(
            [sys.executable, "-m", "kfnb.verify.linear", str(spec)],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise InfrastructureError(f"The notebook could not be executed linearly: {last}")
        executed = json.loads(result.read_text(encoding="utf-8"))
        return {**executed, "cells": [executed["cells"][at] for at in places]}

    def _instrumented(
        self, name: str, bundles: Mapping[str, dict[str, Any]]
    ) -> tuple[dict[str, Any], list[int]]:
        """Make the notebook to execute; the second result says where each source cell is in it."""
        skipped = set(declare(load(self.source)).skipped)
        ends = {step.cells[-1]: step.name for step in self.pipeline.steps.values() if step.cells}
        cells: list[dict[str, Any]] = []
        places: list[int] = []
        for cell in self.pipeline.cells:
            places.append(len(cells))
            if cell.type != "code":
                cells.append({"cell_type": "markdown", "metadata": {}, "source": cell.source})
                continue
            cells.append(_code("" if cell.index in skipped else executable(cell)))
            given = {p.name for p in self.pipeline.parameters if p.cell == cell.index}
            values = {n: v for n, v in self.parameters.items() if n in given}
            if values:
                lines = [f"{n} = {render(v)}" for n, v in values.items()]
                cells.append(_code("\n".join(["# Parameters", *lines]), PARAMETERS))
            step = ends.get(cell.index)
            if step is not None and step in bundles:
                cells.append(_code(self._comparing(name, step, bundles[step])))
        kernel = {"name": self.pipeline.kernel, "display_name": "", "language": ""}
        notebook = {
            "cells": cells,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
        return notebook, places

    def _comparing(self, name: str, step: str, published: Mapping[str, Any]) -> str:
        number = list(self.pipeline.steps).index(step)
        spec = self.folder / f"{name}-{number}.json"
        keep = self.folder / f"{name}-kept-{number}"
        keep.mkdir()
        spec.write_text(
            json.dumps(
                {
                    "step": step,
                    "result": str(self.folder / f"{name}.jsonl"),
                    "keep": str(keep),
                    "definitions": sorted({d.name for d in self.pipeline.definitions}),
                    **published,
                }
            ),
            encoding="utf-8",
        )
        # Leaves no name behind and shows nothing, as the injected cells of a step.
        module = '__import__("kfnb.step.in_kernel.value_comparison", fromlist=["_"])'
        return f"{module}.against({str(spec)!r}, globals())"

    def _kept(self, name: str) -> dict[str, dict[str, Any]]:
        """List what the linear run ``name`` saved of each step, for another to be compared with."""
        found: dict[str, dict[str, Any]] = {}
        for number, step in enumerate(self.pipeline.steps):
            index = self.folder / f"{name}-kept-{number}" / "index.json"
            if index.exists():
                found[step] = json.loads(index.read_text(encoding="utf-8"))
        return found

    def _verdicts(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _beside(self, linear: Mapping[str, Any], executed: Mapping[str, Any], name: str) -> Beside:
        return compare_outputs(
            linear,
            executed,
            folders=([str(self.folder / name)], [str(self.folder / "pipeline")]),
        )

    def _of_runs(self, linear: Mapping[str, Any], run: api.Run) -> Iterator[Diagnostic]:
        error = _error(linear)
        if error is not None and run.status != "succeeded":
            cell, said = error
            yield make(
                "KFNB-W657",
                f"the notebook fails from top to bottom ({said}), and so does the pipeline: only "
                "what ran before could be compared",
                "Make the notebook run from top to bottom first",
                cell=cell,
            )
        elif error is not None:
            cell, said = error
            yield make(
                "KFNB-E651",
                f"the notebook fails from top to bottom ({said}), the pipeline does not",
                "Restart the kernel and run all cells: what a cell needs must stand before it",
                cell=cell,
            )
        elif run.status != "succeeded":
            for name, state in run.steps.items():
                if state.status == "failed":
                    yield make(
                        "KFNB-E652",
                        f'step "{name}" fails in the pipeline, but not in the notebook: '
                        f"{state.error or 'no reason was recorded'}",
                        "Tag what the step needs as `setup`, or pass it as a value",
                        step=name,
                    )

    def _of_outputs(
        self, beside: Beside, linear: Mapping[str, Any], again: Mapping[str, Any] | None
    ) -> Iterator[Diagnostic]:
        steps: dict[int, Difference] = {}
        for difference in beside.differences:
            steps.setdefault(difference.cell, difference)
        for difference in steps.values():
            unsteady = again is not None and _other_text(
                linear,
                again,
                difference.cell,
                [str(self.folder / n) for n in ("notebook", "again")],
            )
            shown = f'"{difference.notebook}" there, "{difference.pipeline}" here'
            yield make(
                "KFNB-W655" if unsteady else "KFNB-E653",
                f'step "{difference.step}" gives another text than the notebook '
                f"({difference.kind}: {shown})"
                + (", as the notebook itself does each time" if unsteady else ""),
                "Fix the seed, or leave times out of what is printed" if unsteady else _LOOK,
                step=difference.step,
                cell=difference.cell,
            )

    def _of_values(
        self, verdicts: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
    ) -> Iterator[Diagnostic]:
        unsteady = {(v["step"], v["name"]) for v in again if v["verdict"] == "differs"}
        for verdict in verdicts:
            step, name = verdict["step"], verdict["name"]
            cell = self.pipeline.steps[step].cells[-1]
            if verdict["verdict"] == "unknown":
                yield make(
                    "KFNB-W656",
                    f'"{name}" of step "{step}" cannot be compared: {verdict["reason"]}',
                    "Print what matters of it: text outputs are compared",
                    step=step,
                    cell=cell,
                )
            elif verdict["verdict"] == "differs":
                steady = (step, name) not in unsteady
                yield make(
                    "KFNB-E654" if steady else "KFNB-W655",
                    f'"{name}" is another value after step "{step}": {verdict["reason"]}'
                    + ("" if steady else ", as it is in the notebook itself each time"),
                    _LOOK if steady else "Fix the seed if it should be the same each time",
                    step=step,
                    cell=cell,
                )


def _check_size(folder: Path) -> None:
    total = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            total += path.stat().st_size
        if total > LARGEST_FOLDER:
            raise UsageError(
                f"{folder} holds more than {LARGEST_FOLDER >> 30} GB, and verifying works on "
                "copies of it. Put the notebook into a folder of its own, with a link to the data."
            )


@contextlib.contextmanager
def _home(folder: Path) -> Iterator[None]:
    before = os.environ.get("KFNB_HOME")
    os.environ["KFNB_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KFNB_HOME"]
        else:
            os.environ["KFNB_HOME"] = before


def _code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "source": source,
    }


def _error(notebook: Mapping[str, Any]) -> tuple[int, str] | None:
    for index, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                return index, f"{output.get('ename')}: {output.get('evalue')}"
    return None


def _other_text(
    one: Mapping[str, Any], other: Mapping[str, Any], cell: int, folders: Sequence[str]
) -> bool:
    """Tell whether a cell's text differs between two linear runs."""
    beside = compare_outputs(
        one,
        {"": {"cells": [{**other["cells"][cell], "metadata": {"kfnb": {"cell": cell}}}]}},
        folders=(folders[:1], folders[1:]),
    )
    return bool(beside.differences)
