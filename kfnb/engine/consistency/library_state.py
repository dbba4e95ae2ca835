"""State of libraries that steps change, and which steps began with another one than they should.

A step is given the state that the latest step before it has left, whether it needs it or not. It
waits for that step only if it relies on the state. Reading shows this, or an earlier run, or this
run: then the step is executed again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence

from kfnb.engine.consistency.findings import Finding, NewEdge, StaleStep, older_state
from kfnb.engine.core.event_types import StepSucceeded
from kfnb.engine.core.identity import Source
from kfnb.state_names import state_name

NOT_RELIED_ON = "-"
"""In the place of what a step began with: it did not rely on the state."""
_FRESH = "fresh"

States = Mapping[str, Sequence[str]]
Inputs = Mapping[str, Source | None]


def state_left(states: States, name: str) -> str:
    """Return the hash of the state that a step left; empty for that of a fresh process."""
    left = states[name][2] if name in states else ""
    return "" if left == _FRESH else left


class LibraryState:
    """Which step left which state.

    Parameters
    ----------
    name
        A step's name, for the sentences.
    waits
        Whether a step waits for another, as far as is known now.
    """

    def __init__(self, name: Callable[[int], str], waits: Callable[[int, int], bool]) -> None:
        self._name = name
        self._waits = waits
        # By state: the steps that have left one, ascending.
        self._leavers: dict[str, list[int]] = {}
        self._states: dict[int, States] = {}
        # States that were left by an earlier round; who relied on them is compared again.
        self._taken_back: dict[int, set[str]] = {}

    def given(self, n: int) -> dict[str, int]:
        """Return the published names of the states that ``n`` begins with, and who left them."""
        given = {}
        for state, leavers in self._leavers.items():
            if at := bisect_left(leavers, n):
                given[state_name(state)] = leavers[at - 1]
        return given

    def missed(self, n: int, inputs: Inputs, now: Inputs) -> list[NewEdge]:
        """Return edges for the states that a failed step was not given, and would be given now."""
        given = self.given(n)
        return [
            NewEdge(given[name], n, names=(name,), why="it was left after the step had begun")
            for name in given
            if inputs.get(name) != now.get(name)
        ]

    def finish(self, n: int, result: StepSucceeded) -> Iterator[Finding]:
        """Note what a step has left, and say which steps began with something else."""
        self._states[n] = result.state
        changed = {state for state, (_, _, left) in result.state.items() if left}
        for state in changed:
            insort(self._leavers.setdefault(state, []), n)
        for state in sorted(result.state):
            yield from self._compare(n, state)
        for state in sorted(changed | self._taken_back.pop(n, set())):
            for reader in sorted(self._states):
                if reader > n:
                    yield from self._compare(reader, state)

    def retract(self, n: int) -> None:
        """Forget a step: it executes again."""
        for state, (_, _, left) in self._states.pop(n, {}).items():
            if left:
                self._leavers[state].remove(n)
                self._taken_back.setdefault(n, set()).add(state)

    def _compare(self, reader: int, state: str) -> Iterator[Finding]:
        own, began, _ = self._states[reader].get(state, ("", NOT_RELIED_ON, ""))
        if began == NOT_RELIED_ON:
            return
        leavers = self._leavers.get(state, ())
        at = bisect_left(leavers, reader)
        if not at:
            if began != own:
                yield StaleStep(reader, older_state(self._name(reader), None, state))
            return
        source = leavers[at - 1]
        right = state_left(self._states[source], state)
        if (right != own or began != own) and not self._waits(reader, source):
            why = f'"{self._name(source)}" left {state} changed'
            yield NewEdge(source, reader, names=(state_name(state),), why=why)
        if began != right:
            yield StaleStep(reader, older_state(self._name(reader), self._name(source), state))
