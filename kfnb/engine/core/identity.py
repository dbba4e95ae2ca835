"""What identifies work: (step, index, round). Attempts are numbered on through the rounds.

``index`` is empty for a plain step; an instance of a mapped step has its number, as text, because
the instance of a trial has two (``"3.1"``). ``round`` is 0 at first and counts how often the step
was begun anew in a run because its result turned out to be wrong.
"""

from __future__ import annotations

from msgspec import Struct

Key = tuple[str, str]
"""(step's name, index): what a state and a position in the plan belong to."""


Attempt = tuple[str, str, int]
"""(step's name, index, attempt): one attempt of a run."""


class Source(Struct, frozen=True, array_like=True, gc=False):
    """The execution that a value comes from: [step, index, round] in JSON."""

    step: str
    index: str = ""
    round: int = 0
