"""Names of steps: how people are shown them, and finding one that a person typed."""

from __future__ import annotations

import difflib

from kfnb.pipeline import Pipeline


def step_label(name: str, index: str) -> str:
    """Return how a step, or an instance of it, is named to people.

    Examples
    --------
    >>> step_label("fit", ""), step_label("fit", "3")
    ('fit', 'fit[3]')
    """
    return f"{name}[{index}]" if index else name


def no_such_step(pipeline: Pipeline, name: str) -> str:
    """Return a sentence for a name that no step has, with the name that was probably meant."""
    near = difflib.get_close_matches(name, pipeline.steps, n=1)
    listed = ", ".join(f'"{known}"' for known in pipeline.steps)
    hint = f'Did you mean "{near[0]}"?' if near else f"It has: {listed}."
    return f'The pipeline has no step "{name}". {hint}'
