"""The groups that are known when the notebook is read, as events."""

from __future__ import annotations

from collections.abc import Iterator

from kfnb.engine.core.event_types import GroupFormed
from kfnb.pipeline import Pipeline


def known_groups(pipeline: Pipeline) -> Iterator[GroupFormed]:
    """Yield the groups of a pipeline; each is named after its first step."""
    for group in pipeline.groups:
        yield GroupFormed(
            id=group.steps[0], members=tuple((name, "") for name in group.steps), why=group.why
        )
