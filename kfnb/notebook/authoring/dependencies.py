"""Resolve ``after:`` to steps; report names of no step and cycles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from kfnb.notebook.diagnostics import make
from kfnb.notebook.suggestions import did_you_mean
from kfnb.pipeline import Diagnostic

After = Mapping[str, Mapping[str, int]]
"""For each step the names that it comes after, each with the cell that declares it."""


def resolved(after: After) -> dict[str, dict[str, int]]:
    """Split ``a,b`` into two names unless a step has that name."""
    return {
        step: {name: cell for text, cell in names.items() for name in _names(text, after)}
        for step, names in after.items()
    }


def check(
    after: After, *, skipped: Collection[str]
) -> tuple[dict[str, list[str]], list[Diagnostic]]:
    """Keep the dependencies that can hold, and report the others.

    Parameters
    ----------
    after
        The result of :func:`resolved`; it has every step.
    skipped
        Names of steps whose cells are all tagged ``skip``.

    Returns
    -------
    tuple
        For each step the steps that it comes after, without cycles, and the diagnostics.
    """
    diagnostics: list[Diagnostic] = []
    resolved_after: dict[str, list[str]] = {}
    for step, names in after.items():
        resolved_after[step] = [name for name in names if name in after]
        for name, cell in names.items():
            if name in after:
                continue
            why = (
                "but all cells of that step are tagged skip"
                if name in skipped
                else "but no step has that name"
            )
            diagnostics.append(
                make(
                    "KFNB-E203",
                    f'step "{step}" comes after "{name}", {why}',
                    did_you_mean(
                        name,
                        [n for n in after if n != step],
                        "Remove the tag, or correct the name.",
                    ),
                    step=step,
                    cell=cell,
                )
            )
    for circle in _circles(resolved_after):
        way = " → ".join(f'"{name}"' for name in (*circle, circle[0]))
        diagnostics.append(
            make(
                "KFNB-E204",
                f"these steps wait for each other: {way}",
                "Remove one of their after: tags.",
                step=circle[0],
                # A step that comes after itself is a cycle of one.
                cell=after[circle[0]][circle[1 % len(circle)]],
            )
        )
    return resolved_after, diagnostics


def _names(text: str, steps: Collection[str]) -> Iterator[str]:
    if text in steps or "," not in text:
        yield text
        return
    yield from (part.strip() for part in text.split(",") if part.strip())


def _circles(after: dict[str, list[str]]) -> Iterator[Sequence[str]]:
    """Find cycles one after the other, and open each by removing its last dependency."""
    done: set[str] = set()
    for start, first in after.items():
        if start in done:
            continue
        way, at, todo = [start], {start: 0}, [iter(tuple(first))]
        while todo:
            # A stack of iterators instead of recursion, because a chain may have thousands of
            # steps.
            before = next(todo[-1], None)
            if before is None:
                todo.pop()
                done.add(way[-1])
                del at[way.pop()]
            elif before in at:
                yield tuple(way[at[before] :])
                # Without this dependency the other steps can still be ordered, so more mistakes are
                # reported.
                after[way[-1]].remove(before)
            elif before not in done:
                at[before] = len(way)
                way.append(before)
                todo.append(iter(tuple(after[before])))
