"""Cell tags, ours and Kale's, as claims."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from kfnb.notebook.claims import Claim, merge, option

ROLES = {
    "setup": "setup",
    "imports": "setup",
    "functions": "setup",
    "parameters": "parameters",
    "pipeline-parameters": "parameters",
    "metrics": "metrics",
    "pipeline-metrics": "metrics",
    "skip": "skip",
}
STEP = {"step": "step", "block": "step", "after": "after", "prev": "after", "changes": "changes"}
OPTION = (
    "image",
    "cpu",
    "memory",
    "gpu",
    "limit",
    "retries",
    "timeout",
    "env",
    "secret",
    "label",
    "annotation",
    "cache",
)
_PREFIXES = (*STEP, *OPTION)


def claim_of(tags: Sequence[str]) -> Claim:
    """Read a cell's tags; those of other tools are ignored."""
    roles: list[str] = []
    steps: list[str] = []
    lists: dict[str, list[str]] = {"after": [], "changes": []}
    options: dict[str, Any] = {}
    problems: list[tuple[str, str, str]] = []
    kale = False
    for tag in tags:
        if tag.strip() in ROLES:
            roles.append(ROLES[tag.strip()])
            continue
        key, colon, value = tag.partition(":")
        key, value = key.strip(), value.strip()
        if colon and key in STEP:
            kale = kale or key in ("block", "prev")
            if not value:
                if key == "block":
                    continue  # Kale writes an empty block on cells that belong to the one before.
                problems.append(
                    (
                        "KFNB-E205",
                        f'tag "{tag}" names nothing',
                        f"Write a name after the colon: {key}:NAME.",
                    )
                )
            elif STEP[key] == "step":
                steps.append(value)
            else:
                lists[STEP[key]].append(value)
        elif colon and key in OPTION:
            try:
                name, given = option(key, value)
            except ValueError as error:
                problems.append(
                    ("KFNB-E202", f'tag "{tag}" cannot be understood', f"{key}: {error}.")
                )
                continue
            options, clashes = merge(options, {name: given})
            problems += [
                (
                    "KFNB-E201",
                    f'the tags of this cell claim two values of "{c}"',
                    "Keep one of the tags.",
                )
                for c in clashes
            ]
        elif tag.strip() == "on-exit":
            pass
        elif colon:
            near = difflib.get_close_matches(key, _PREFIXES, 1, 0.75)
            if near:
                problems.append(
                    (
                        "KFNB-W212",
                        f'tag "{tag}" is not one of kfnb\'s',
                        f'Did you mean "{near[0]}:{value}"? It is ignored.',
                    )
                )
    if len(set(steps)) > 1:
        problems.append(
            (
                "KFNB-E201",
                f"this cell claims to belong to {_and(steps)}",
                "A cell belongs to one step: keep one of the tags.",
            )
        )
    if len(set(roles)) > 1 or (roles and steps):
        said = [*dict.fromkeys(roles), *(f"step {s}" for s in steps)]
        problems.append(
            (
                "KFNB-W213",
                f"this cell is tagged {_and(said)}",
                f'Keep one of the tags; it is taken as "{said[0]}".',
            )
        )
    role: Any = roles[0] if roles else ("step" if steps else None)
    return Claim(
        role,
        steps[0] if steps and not roles else None,
        tuple(lists["after"]),
        tuple(lists["changes"]),
        "on-exit" in [t.strip() for t in tags],
        options,
        kale,
        tuple(problems),
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join(f'"{n}"' for n in dict.fromkeys(names))
