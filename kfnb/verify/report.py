"""``kfnb check --verify``: one linear run, one pipeline run, and what differs between them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb import api
from kfnb.engine.dispatch.step_notebook import PARAMETERS, executable
from kfnb.errors import InfrastructureError, UsageError
from kfnb.home import store_folder
from kfnb.json_values import python_literal
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.diagnostics import located
from kfnb.notebook.document import load
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.store.blobs import open_store
from kfnb.store.manifest import Manifest, manifest_key
from kfnb.verify import findings
from kfnb.verify.side_by_side import Comparison, compare_outputs

LARGEST_FOLDER = 2 << 30
"""Bytes of the largest notebook folder that is copied."""

_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"
)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verifying a notebook found.

    Parameters
    ----------
    diagnostics
        Those of reading the notebook, and one for each difference.
    cells, values
        How many cells' texts and how many flowing values were equal.
    linear
        "succeeded" or "failed"; None if errors in the notebook prevented both runs.
    status
        The status of the pipeline run; None as for ``linear``.
    """

    notebook: str
    diagnostics: tuple[Diagnostic, ...]
    cells: int = 0
    values: int = 0
    linear: str | None = None
    status: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the pipeline and the notebook gave the same results."""
        return self.linear is not None and not any(d.severity == "error" for d in self.diagnostics)


def verify(
    path: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    *,
    parallel: int | None = None,
    timeout: float | None = None,
) -> VerifyReport:
    """Execute a notebook linearly and as a pipeline, and compare values and text outputs.

    Each runs in a separate copy of the notebook's folder with a separate store, so that neither
    sees files of the other and no file of the user changes. A difference that two linear runs
    show too (a time, a random number) is a warning.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    parameters
        Values of parameters, as for a run.
    parallel
        How many steps may execute at once; None for the default.
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
        # Kernels print the resolved path of their folder, which the comparison replaces.
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
        # The runs of a person should not list this one, and its cache must not be used.
        with home_at(self.folder / "home"):
            run = api.run(
                self._copy("pipeline") / self.source.name,
                self.parameters,
                parallel=parallel,
                timeout=self.timeout,
            )
            executed = self._executed(run)
            linear = self._linear("notebook", self._bundles(run))
            compared = self._compared(linear, executed, "notebook")
            verdicts = self._verdicts("notebook")
            again = None
            # A second linear run costs as much as the first, and only differences need it.
            if compared.differences or any(v["verdict"] == "differs" for v in verdicts):
                again = self._linear("again", self._saved_values("notebook"))
            differences = [
                *findings.of_runs(linear, run),
                *findings.of_outputs(
                    compared.differences, lambda cell: self._varies(linear, again, cell)
                ),
                *findings.of_values(
                    self.pipeline, verdicts, self._verdicts("again") if again else []
                ),
            ]
        different = {d.cell for d in compared.differences}
        return VerifyReport(
            notebook=str(self.source),
            diagnostics=(
                *self.pipeline.diagnostics,
                *located(differences, self.pipeline.cells),
            ),
            cells=len(compared.cells - different),
            values=sum(v["verdict"] == "same" for v in verdicts),
            linear="failed" if findings.first_error(linear) else "succeeded",
            status=run.status,
        )

    def _copy(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            copy_folder(self.source.parent, target)
        return target

    def _executed(self, run: api.Run) -> dict[str, Any]:
        executed: dict[str, Any] = {}
        for name in self.pipeline.steps:
            with contextlib.suppress(UsageError):  # a step that did not execute
                executed[name] = json.loads(run.notebook(name).read_text(encoding="utf-8"))
        return executed

    def _bundles(self, run: api.Run) -> dict[str, dict[str, Any]]:
        """Return what each step published: files of its bundles, and names that stayed unbound."""
        store = open_store(store_folder())
        bundles: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps.values():
            data = store.get(manifest_key(run.id, step.id))
            if data is None:
                continue
            manifest = Manifest.from_json(data)
            # The notebook has no variable for what a step adds to a value.
            values = {n: o for n, o in manifest.outputs.items() if n.isidentifier()}
            # An unchanged value was compared after the step that made it.
            outputs = {n: o for n, o in values.items() if o.changed}
            bundles[step.name] = {
                "bundles": [
                    {
                        "files": [str(store.blob(b)) for b in bundle.blobs],
                        "names": [n for n, o in outputs.items() if o.bundle == key],
                    }
                    for key, bundle in manifest.bundles.items()
                ],
                "absent": [n for n, o in outputs.items() if o.absent],
            }
        return bundles

    def _linear(self, name: str, bundles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Execute the notebook linearly, comparing values after each step's last cell."""
        folder = self._copy(name)
        notebook, positions = self._instrumented(name, bundles)
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
            raise InfrastructureError(
                f"The notebook could not be executed from top to bottom: {last}"
            )
        executed = json.loads(result.read_text(encoding="utf-8"))
        # Without the injected cells each cell has its index in the author's notebook again.
        return {**executed, "cells": [executed["cells"][at] for at in positions]}

    def _instrumented(
        self, name: str, bundles: Mapping[str, dict[str, Any]]
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the notebook to execute, and the position of each source cell in it."""
        skipped = set(declare(load(self.source)).skipped)
        ends = {step.cells[-1]: step.name for step in self.pipeline.steps.values() if step.cells}
        cells: list[dict[str, Any]] = []
        positions: list[int] = []
        for cell in self.pipeline.cells:
            positions.append(len(cells))
            if cell.type != "code":
                cells.append({"cell_type": "markdown", "metadata": {}, "source": cell.source})
                continue
            # An empty cell keeps the positions of the others.
            cells.append(_code("" if cell.index in skipped else executable(cell)))
            given = {p.name for p in self.pipeline.parameters if p.cell == cell.index}
            values = {n: v for n, v in self.parameters.items() if n in given}
            if values:
                lines = [f"{n} = {python_literal(v)}" for n, v in values.items()]
                cells.append(_code("\n".join(["# Parameters", *lines]), PARAMETERS))
            step = ends.get(cell.index)
            if step is not None and step in bundles:
                cells.append(_code(self._comparing(name, step, bundles[step])))
        kernel = {"name": self.pipeline.kernel, "display_name": "", "language": ""}
        notebook = {
            "cells": cells,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            # Version 4.5 would require an id for each cell.
            "nbformat_minor": 4,
        }
        return notebook, positions

    def _comparing(self, name: str, step: str, published: Mapping[str, Any]) -> str:
        # A step's name may have characters that no file name can have.
        number = list(self.pipeline.steps).index(step)
        spec = self.folder / f"{name}-{number}.json"
        keep = self.folder / f"{name}-values-{number}"
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
        # An expression, so that it binds no name and displays nothing.
        module = '__import__("kfnb.step.in_kernel.value_comparison", fromlist=["_"])'
        return f"{module}.against({str(spec)!r}, globals())"

    def _saved_values(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the values that a linear run saved after each step, to compare another with."""
        saved: dict[str, dict[str, Any]] = {}
        for number, step in enumerate(self.pipeline.steps):
            index = self.folder / f"{name}-values-{number}" / "index.json"
            if index.exists():
                saved[step] = json.loads(index.read_text(encoding="utf-8"))
        return saved

    def _verdicts(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _compared(
        self, linear: Mapping[str, Any], executed: Mapping[str, Any], name: str
    ) -> Comparison:
        return compare_outputs(
            linear,
            executed,
            folders=([str(self.folder / name)], [str(self.folder / "pipeline")]),
        )

    def _varies(
        self, linear: Mapping[str, Any], again: Mapping[str, Any] | None, cell: int
    ) -> bool:
        """Whether a cell's text differs between two linear runs."""
        if again is None:
            return False
        executed = {**again["cells"][cell], "metadata": {"kfnb": {"cell": cell}}}
        compared = compare_outputs(
            linear,
            {"": {"cells": [executed]}},
            folders=([str(self.folder / "notebook")], [str(self.folder / "again")]),
        )
        return bool(compared.differences)


def _check_size(folder: Path) -> None:
    total = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            total += path.stat().st_size
        if total > LARGEST_FOLDER:
            raise UsageError(
                f"{folder} has more than {LARGEST_FOLDER >> 30} GB, and --verify copies it. Move "
                "the notebook to a separate folder with a link to the data."
            )


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a notebook's folder; links stay links, so that large data behind one is not copied."""
    shutil.copytree(folder, target, ignore=_NOT_COPIED, symlinks=True)
    for parent, folders, files in os.walk(target):
        for link in (Path(parent, name) for name in (*folders, *files)):
            if link.is_symlink() and not link.readlink().is_absolute():
                end = (folder / link.relative_to(target)).resolve()
                # In the copy, a relative path that leads out of the folder would lead elsewhere.
                if not end.is_relative_to(folder.resolve()):
                    link.unlink()
                    link.symlink_to(end)


@contextlib.contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """Use ``folder`` as KFNB_HOME meanwhile."""
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
