"""Steps with the facts about their cells, and how diagnostics name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfnb.locations import location
from kfnb.notebook.effects.call_facts import Fact

Code = tuple[int, str]


@dataclass(frozen=True, slots=True)
class StepCells:
    """A step's name and its code cells (index, code after IPython's transformation)."""

    name: str
    cells: Sequence[Code]


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step with the facts of its cells, in order."""

    name: str
    facts: tuple[Fact, ...]
    cells: Sequence[Code]

    def of(self, area: str) -> list[Fact]:
        """Return the facts about one kind of state."""
        return [f for f in self.facts if f.area == area]

    def uses_before_setting(self, area: str, key: str) -> list[Fact]:
        """List what it relies on of state ``key`` before it sets that itself."""
        facts: list[Fact] = []
        for fact in self.facts:
            # An empty key stands for all state of this kind, which a shell command may use.
            if fact.area != area or fact.key not in (key, ""):
                continue
            # A setting that may not happen does not replace that of an earlier step.
            if fact.kind in ("set", "everywhere") and fact.sure:
                break
            if fact.kind in ("use", "guess"):
                facts.append(fact)
        return facts


def where(fact: Fact) -> str:
    """Write the line of a fact for a sentence."""
    return location(execution_count=fact.execution_count, line=fact.line, text=fact.text)


def listed_steps(names: Sequence[str]) -> str:
    """Write the names of steps for a sentence."""
    quoted = [f'"{name}"' for name in names]
    if len(quoted) == 1:
        return f"step {quoted[0]}"
    return "steps " + ", ".join(quoted[:-1]) + " and " + quoted[-1]
