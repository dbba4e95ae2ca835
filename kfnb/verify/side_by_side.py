"""Compare the outputs of a pipeline's executed notebooks with those of the linear one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfnb.verify.outputs import Text, joined, texts

_INJECTED = "kfnb-injected"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell whose text differs between pipeline and notebook.

    ``notebook`` and ``pipeline`` are the first pieces of text that differ, shortened.
    """

    cell: int
    step: str
    kind: str
    notebook: str
    pipeline: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The cells that were compared, and their differences."""

    cells: frozenset[int]
    differences: tuple[Difference, ...]


def compare_outputs(
    linear: Mapping[str, Any],
    executed: Mapping[str, Mapping[str, Any]],
    *,
    folders: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Comparison:
    """Compare every cell that a step executed completely with the same cell of the linear run.

    Parameters
    ----------
    linear
        The notebook executed from top to bottom (JSON).
    executed
        Each step's executed notebook.
    folders
        Paths to replace in the texts of the linear run, and in those of the pipeline.
    """
    compared: set[int] = set()
    differences: list[Difference] = []
    for step, notebook in executed.items():
        for cell in notebook["cells"]:
            index = cell.get("metadata", {}).get("kfnb", {}).get("cell")
            tags = cell.get("metadata", {}).get("tags", ())
            # A cell of which the step executes only some statements is tagged as injected: it
            # prints less.
            if index is None or cell["cell_type"] != "code" or _INJECTED in tags:
                continue
            compared.add(index)
            reference = linear["cells"][index]
            left = texts(reference.get("outputs", ()), folders=folders[0])
            right = texts(cell.get("outputs", ()), folders=folders[1])
            if left != right:
                differences.append(_difference(index, step, left, right))
    return Comparison(frozenset(compared), tuple(differences))


def _difference(cell: int, step: str, left: Sequence[Text], right: Sequence[Text]) -> Difference:
    for one, other in zip(left, right, strict=False):
        if one != other:
            kind = one.kind if one.kind == other.kind else f"{one.kind}/{other.kind}"
            return Difference(cell, step, kind, *_around(one.text, other.text))
    extra = (left[len(right) :] or right[len(left) :])[0]
    shown = _short(extra.text)
    texts_shown = (shown, "") if len(left) > len(right) else ("", shown)
    return Difference(cell, step, extra.kind, *texts_shown)


def _around(left: str, right: str) -> tuple[str, str]:
    """Return the first line that differs, of both texts."""
    lines = zip(left.split("\n"), right.split("\n"), strict=False)
    for one, other in lines:
        if one != other:
            return _short(one), _short(other)
    return _short(left), _short(right)


def _short(text: str, limit: int = 120) -> str:
    text = joined(text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
