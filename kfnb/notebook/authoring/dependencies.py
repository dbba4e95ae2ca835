"""``after:`` resolved to steps, and checked: of nobody, of itself, in a circle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from kfnb.notebook.diagnostics import make
from kfnb.notebook.suggestions import did_you_mean
from kfnb.pipeline import Diagnostic

After = Mapping[str, Mapping[str, int]]
"""For each step the names that it comes after, and the cell that says so."""


def resolved(after: After) -> dict[str, dict[str, int]]:
    """Split ``a,b`` where that is no step's name itself."""
    return {
        step: {name: cell for text, cell in said.items() for name in _names(text, after)}
        for step, said in after.items()
    }


def check(
    after: After, *, skipped: Collection[str]
) -> tuple[dict[str, list[str]], list[Diagnostic]]:
    """Keep the dependencies that can be, and say what is wrong with the others.

    Parameters
    ----------
    after
        As :func:`resolved` gives it; all steps are in it.
    skipped
        Names of steps all of whose cells are tagged ``skip``.

    Returns
    -------
    tuple
        For each step the steps that it comes after, without circles, and the findings.
    """
    found: list[Diagnostic] = []
    kept: dict[str, list[str]] = {}
    for step, said in after.items():
        kept[step] = [name for name in said if name in after]
        for name, cell in said.items():
            if name in after:
                continue
            why = "whose cells are all skipped" if name in skipped else "which is no step"
            found.append(
                make(
                    "KFNB-E203",
                    f'step "{step}" comes after "{name}", {why}',
                    did_you_mean(
                        name, [n for n in after if n != step], "Remove it, or name a step."
                    ),
                    step=step,
                    cell=cell,
                )
            )
    for circle in _circles(kept):
        way = " → ".join(f'"{name}"' for name in (*circle, circle[0]))
        found.append(
            make(
                "KFNB-E204",
                f"the steps come after one another in a circle: {way}",
                "Remove one of these after: tags.",
                step=circle[0],
                cell=after[circle[0]][circle[1 % len(circle)]],
            )
        )
    return kept, found


def _names(text: str, steps: Collection[str]) -> Iterator[str]:
    if text in steps or "," not in text:
        yield text
        return
    yield from (part.strip() for part in text.split(",") if part.strip())


def _circles(after: dict[str, list[str]]) -> Iterator[Sequence[str]]:
    """Find circles one after the other, and open each by leaving out its last dependency."""
    done: set[str] = set()
    for start, first in after.items():
        if start in done:
            continue
        way, at, todo = [start], {start: 0}, [iter(tuple(first))]
        while todo:
            before = next(todo[-1], None)
            if before is None:
                todo.pop()
                done.add(way[-1])
                del at[way.pop()]
            elif before in at:
                yield tuple(way[at[before] :])
                after[way[-1]].remove(before)
            elif before not in done:
                at[before] = len(way)
                way.append(before)
                todo.append(iter(tuple(after[before])))
