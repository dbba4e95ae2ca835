"""Dependencies that only runs have shown, so that the next run need not find them again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kfnb.engine.core.event_types import EdgeAdded
from kfnb.engine.core.state import DONE, RunState, RuntimeEdge, StepState
from kfnb.errors import KfnbError
from kfnb.pipeline import Pipeline
from kfnb.store.cache import CacheIndex, LearnedEdge
from kfnb.store.content import hash_bytes


class LearnedEdges:
    """The edges that runs of one notebook have found.

    An edge is kept by the code of both steps. It is dropped when a run has waited for it and what
    it stands for did not happen.

    Parameters
    ----------
    notebook
        The hash under which the notebook's edges are stored.
    """

    def __init__(self, pipeline: Pipeline, index: CacheIndex, notebook: str) -> None:
        self._pipeline = pipeline
        self._index = index
        self._notebook = notebook

    def known(self) -> Iterator[EdgeAdded]:
        """Give the edges between steps whose code is still the same."""
        for edge in self._index.learned(self._notebook):
            ends = (edge.source, edge.target)
            if all(self._code(name) == code for name, code in ends):
                yield EdgeAdded(
                    source=edge.source[0],
                    target=edge.target[0],
                    source_index="",
                    target_index="",
                    names=edge.names,
                    files=edge.files,
                    why=edge.why,
                    learned=True,
                )

    def save(self, state: RunState) -> None:
        """Store the edges of a run that has ended, without those that proved needless."""
        edges = []
        for (source, target), edge in state.edges.items():
            codes = self._code(source[0]), self._code(target[0])
            if source[1] or target[1] or None in codes:
                continue  # of an instance of a step
            if _is_needless(edge, state.steps[source], state.steps[target]):
                continue
            ends = ((source[0], str(codes[0])), (target[0], str(codes[1])))
            edges.append(LearnedEdge(*ends, edge.names, edge.files, edge.why))
        with contextlib.suppress(KfnbError):  # the next run finds them again
            self._index.learn(self._notebook, tuple(edges))

    def _code(self, name: str) -> str | None:
        step = self._pipeline.steps.get(name)
        if step is None:
            return None
        sources = "\0".join(self._pipeline.cells[at].source for at in step.cells)
        return hash_bytes(sources.encode("utf-8", "replace"))


def _is_needless(edge: RuntimeEdge, source: StepState, target: StepState) -> bool:
    """Whether both steps are done, and neither a value nor a file of the edge has flowed."""
    if source.result is None or target.result is None or {source.status, target.status} - DONE:
        return False
    for name in edge.names:
        given = target.inputs.get(name)
        if given is not None and given.step == source.name:
            return False
    used = [{*r.files_read, *r.files_written} for r in (source.result, target.result)]
    for path in edge.files:
        if all(any(p == path or p.startswith(path) for p in paths) for paths in used):
            return False
    return True
