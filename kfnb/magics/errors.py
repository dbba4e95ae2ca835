"""The error of a magic, which IPython shows as a sentence without a traceback."""

from __future__ import annotations

from kfnb.draw import visible


class PipelineError(Exception):
    """A magic failed; so does its cell, so that "Run All" stops there."""

    def _render_traceback_(self) -> list[str]:
        return ["\n".join(visible(line) for line in f"kfnb: {self}".split("\n"))]
