"""Finding a step by the name that a person typed."""

from __future__ import annotations

import difflib

from kfnb.pipeline import Pipeline


def no_such_step(pipeline: Pipeline, name: str) -> str:
    """Return a sentence for a name that no step has, with the name that was probably meant."""
    near = difflib.get_close_matches(name, pipeline.steps, n=1)
    listed = ", ".join(f'"{known}"' for known in pipeline.steps)
    hint = f'Did you mean "{near[0]}"?' if near else f"It has: {listed}."
    return f'The pipeline has no step "{name}". {hint}'
