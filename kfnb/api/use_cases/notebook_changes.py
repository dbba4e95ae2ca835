"""Whether a notebook was edited since a run started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView

SENTENCE = (
    "the notebook has changed since this run started: resume uses the old code; "
    "use kfnb run to include your edits"
)


def has_changed(view: RunView) -> bool:
    """Whether code or tags of the notebook differ from when the run started.

    A notebook that cannot be read counts as unchanged: the run needs only its own copy.
    """
    if view.pipeline.path is None:
        return False
    try:
        then, now = view.folder.notebook.read_bytes(), Path(view.pipeline.path).read_bytes()
        # Equal files need not be parsed; saving a notebook may change only its outputs.
        return then != now and _code(then) != _code(now)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _code(data: bytes) -> list[tuple[str, list[str]]]:
    """Return source and tags of each code cell; a change of anything else does not count."""
    cells: list[dict[str, Any]] = json.loads(data)["cells"]
    return [
        (
            "".join(cell.get("source") or ""),  # a text, or a list of lines
            sorted(map(str, (cell.get("metadata") or {}).get("tags") or ())),
        )
        for cell in cells
        if cell.get("cell_type") == "code"
    ]
