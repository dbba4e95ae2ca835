"""What is wrong, as a sentence: IPython shows it without a traceback."""

from __future__ import annotations

from kfnb.draw import visible


class PipelineError(Exception):
    """A magic could not do what was asked; the cell fails, so that "Run All" stops there."""

    def _render_traceback_(self) -> list[str]:
        return ["\n".join(visible(line) for line in f"kfnb: {self}".split("\n"))]
