"""What identifies work: (step, index, round). Attempts are numbered on through the rounds.

``index`` is empty for a plain step; an instance of a mapped step has its number, as text, because
the instance of a trial has two (``"3.1"``). ``round`` is 0 at first and counts how often the step
was begun anew in a run because its result turned out to be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]
"""(step's name, index): what a state and a position in the plan belong to."""


@dataclass(frozen=True, slots=True)
class Source:
    """The execution that a value comes from."""

    step: str
    index: str = ""
    round: int = 0

    @classmethod
    def from_plain(cls, plain: Any) -> Source | None:
        """Read a source from a journal; before there were rounds it was the step's name alone."""
        if plain is None:
            return None
        return cls(plain) if isinstance(plain, str) else cls(*plain)


def inputs_from_plain(plain: Mapping[str, Any]) -> dict[str, Source | None]:
    """Read the versions that a step was given: name to source, None for an absent name."""
    return {name: Source.from_plain(source) for name, source in plain.items()}


def inputs_to_plain(inputs: Mapping[str, Source | None]) -> dict[str, Any]:
    """Return what :func:`inputs_from_plain` reads, as JSON values."""
    return {
        name: None if source is None else [source.step, source.index, source.round]
        for name, source in inputs.items()
    }
