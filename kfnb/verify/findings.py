"""The differences between a linear run and a pipeline run, as diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kfnb import api
from kfnb.notebook.diagnostics import make
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.verify.side_by_side import Difference

_REMEDY = (
    "The step may rely on state that is not passed between steps: a `changes:` or `setup` tag may "
    "be missing."
)


def of_runs(linear: Mapping[str, Any], run: api.Run) -> Iterator[Diagnostic]:
    """Compare how both runs ended."""
    error = first_error(linear)
    if error is not None and run.status != "succeeded":
        cell, raised = error
        yield make(
            "KFNB-W657",
            f"the notebook fails when it runs from top to bottom ({raised}), and so does the "
            "pipeline: only what ran before that was compared",
            "First make the notebook run from top to bottom.",
            cell=cell,
        )
    elif error is not None:
        cell, raised = error
        yield make(
            "KFNB-E651",
            f"the notebook fails when it runs from top to bottom ({raised}), but the pipeline "
            "does not",
            "Restart the kernel and run all cells; move what a cell needs above it.",
            cell=cell,
        )
    elif run.status != "succeeded":
        for name, state in run.steps.items():
            if state.status == "failed":
                yield make(
                    "KFNB-E652",
                    f'step "{name}" fails in the pipeline, but not in the notebook: '
                    f"{state.error or 'no reason was recorded'}",
                    "Tag the cell that defines what the step needs as `setup`, or assign it to a "
                    "variable in an earlier step.",
                    step=name,
                )


def of_outputs(
    differences: Sequence[Difference], varies: Callable[[int], bool]
) -> Iterator[Diagnostic]:
    """Report cells that printed different texts.

    Parameters
    ----------
    varies
        Whether a cell's text also differs between two linear runs.
    """
    # Reversed, so that the first difference of each cell is the one that stays.
    first_of_cell = {d.cell: d for d in reversed(differences)}
    for cell in dict.fromkeys(d.cell for d in differences):
        difference = first_of_cell[cell]
        unsteady = varies(difference.cell)
        yield make(
            "KFNB-W655" if unsteady else "KFNB-E653",
            f'step "{difference.step}" printed "{difference.pipeline}" in the pipeline but '
            f'"{difference.notebook}" in the notebook ({difference.kind})'
            + ("; the notebook prints something different in each run, too" if unsteady else ""),
            "Set a random seed, or do not print times." if unsteady else _REMEDY,
            step=difference.step,
            cell=difference.cell,
        )


def of_values(
    pipeline: Pipeline,
    verdicts: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
) -> Iterator[Diagnostic]:
    """Report values that differ, or that cannot be compared.

    Parameters
    ----------
    again
        Verdicts of a second linear run about the values of the first.
    """
    unsteady = {(v["step"], v["name"]) for v in again if v["verdict"] == "differs"}
    for verdict in verdicts:
        step, name = verdict["step"], verdict["name"]
        # Values are compared after the step's last cell.
        cell = pipeline.steps[step].cells[-1]
        if verdict["verdict"] == "unknown":
            yield make(
                "KFNB-W656",
                f'"{name}" of step "{step}" cannot be compared: {verdict["reason"]}',
                "Print what matters about it: kfnb compares printed text.",
                step=step,
                cell=cell,
            )
        elif verdict["verdict"] == "differs":
            steady = (step, name) not in unsteady
            yield make(
                "KFNB-E654" if steady else "KFNB-W655",
                f'"{name}" has a different value after step "{step}": {verdict["reason"]}'
                + ("" if steady else "; in the notebook it differs in each run, too"),
                _REMEDY if steady else "Set a random seed if it should be the same in each run.",
                step=step,
                cell=cell,
            )


def first_error(notebook: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the first cell of an executed notebook that raised, and what it raised."""
    for index, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                return index, f"{output.get('ename')}: {output.get('evalue')}"
    return None
