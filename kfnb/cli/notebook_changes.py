"""Whether a notebook is still the one that a run began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView

SENTENCE = (
    "the notebook has changed since this run began; resume goes on with it as it was, "
    "kfnb run takes the change up"
)


def has_changed(view: RunView) -> bool:
    """Whether the code or the tags of the notebook are others than when the run began.

    What cannot be read has not changed: the run needs its own copy only.
    """
    if view.pipeline.path is None:
        return False
    try:
        then, now = view.folder.notebook.read_bytes(), Path(view.pipeline.path).read_bytes()
        return then != now and _code(then) != _code(now)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _code(data: bytes) -> list[tuple[str, list[str]]]:
    """Return source and tags of each code cell; outputs and all else are no change."""
    cells: list[dict[str, Any]] = json.loads(data)["cells"]
    return [
        (
            "".join(cell.get("source") or ""),  # a text, or a list of lines
            sorted(map(str, (cell.get("metadata") or {}).get("tags") or ())),
        )
        for cell in cells
        if cell.get("cell_type") == "code"
    ]
