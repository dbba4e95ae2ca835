"""Cell tags, ours and Kale's, as claims.

Kale's words are those of its two generations (``block:``, ``prev:``, ``imports``,
``functions``, ``pipeline-parameters``, ``pipeline-metrics``, ``limit:``, ``label:``,
``annotation:`` in the first; ``step:``, ``image:``, ``cache:enabled``, ``secret:`` in
the second): https://github.com/kubeflow/kale, ``processors/nbprocessor.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfnb.notebook.authoring.declarations import CellRole, Claim, Problem, changed_names
from kfnb.notebook.authoring.options import KEYS, Entry, option, said
from kfnb.notebook.suggestions import nearest

ROLES: dict[str, CellRole] = {
    "setup": "setup",
    "imports": "setup",
    "functions": "setup",
    "parameters": "parameters",
    "pipeline-parameters": "parameters",
    # What papermill put below the parameters when it executed this notebook.
    "injected-parameters": "parameters",
    "metrics": "metrics",
    "pipeline-metrics": "metrics",
    "skip": "skip",
}
ON_EXIT = "on-exit"
NAMED = {"step": "step", "block": "step", "after": "after", "prev": "after", "changes": "changes"}
_KALES_ORDER = frozenset(("block", "prev"))
"""Tags of who thinks of values as Kale does; its other words are only other names for ours."""
_WORDS = (*ROLES, ON_EXIT)
_KEYS = (*NAMED, *KEYS)
_SHORT = {"retry": "retries", "mem": "memory", "ram": "memory", "depends": "after"}


def claim_of(tags: Sequence[str]) -> Claim:
    """Read a cell's tags; those of other tools are ignored. Never raises."""
    tags = [tag.strip() for tag in tags]
    roles = [ROLES[tag] for tag in tags if tag in ROLES]
    steps: list[str] = []
    lists: dict[str, list[str]] = {"after": [], "changes": []}
    options: dict[Entry, Any] = {}
    problems: list[Problem] = []
    for tag in tags:
        key, colon, value = tag.partition(":")
        key, value = key.strip(), value.strip()
        if tag in ROLES or tag == ON_EXIT:
            continue
        try:
            if colon and key in NAMED:
                _named(key, value, steps=steps, lists=lists)
            elif colon and key in KEYS:
                entry, given = option(key, value)
                if options.setdefault(entry, given) != given:
                    problems.append(
                        Problem(
                            "KFNB-E201",
                            f"the tags of this cell claim two values of {said(entry)}",
                            "Keep one of the tags.",
                        )
                    )
            else:
                problems += _misspelt(tag, key, bool(colon))
        except ValueError as error:
            empty = "KFNB-E205" if key in NAMED and not value else "KFNB-E202"
            problems.append(Problem(empty, f'tag "{tag}" cannot be understood', f"{key}: {error}."))
    steps = list(dict.fromkeys(steps))
    role, more = _role(roles, steps)
    return Claim(
        role=role,
        step=steps[0] if steps and role in ("step", "skip") else None,
        after=tuple(dict.fromkeys(lists["after"])),
        changes=tuple(dict.fromkeys(lists["changes"])),
        on_exit=ON_EXIT in tags,
        options=options,
        kale=any(tag.partition(":")[0] in _KALES_ORDER for tag in tags),
        problems=(*problems, *more),
    )


def _named(key: str, value: str, *, steps: list[str], lists: dict[str, list[str]]) -> None:
    what = NAMED[key]
    if not value:
        if what == "step":
            return  # Kale's panel writes this on cells that belong to the one before.
        raise ValueError(f"a name follows, as in {key}:name")
    if what == "step":
        steps.append(value)
    elif what == "changes":
        lists[what] += changed_names(value)
    else:
        lists[what].append(value)


def _role(roles: list[CellRole], steps: list[str]) -> tuple[CellRole | None, list[Problem]]:
    """Decide between roles; ``skip`` takes any cell out, whatever else it is tagged."""
    if "skip" in roles:
        return "skip", []
    problems: list[Problem] = []
    if len(steps) > 1:
        named = " and ".join(f'step "{s}"' for s in steps)
        problems.append(
            Problem(
                "KFNB-E208",
                f"this cell claims to belong to {named}",
                "A cell belongs to one step: keep one of the tags.",
            )
        )
    if len(set(roles)) > 1 or (roles and steps):
        claimed = [*dict.fromkeys(roles), *(f'step "{s}"' for s in steps)]
        problems.append(
            Problem(
                "KFNB-W213",
                f"this cell is tagged as {' and '.join(claimed)}",
                f"It is read as {claimed[0]}: keep one of the tags.",
            )
        )
    return (roles[0] if roles else "step" if steps else None), problems


def _misspelt(tag: str, key: str, colon: bool) -> list[Problem]:
    """Guess at a tag that nearly is one of ours; what is far from them is another tool's."""
    if colon:
        near = _SHORT.get(key.lower()) or nearest(key, _KEYS, cutoff=0.75)
        meant = f"{near}{tag[len(key) :]}"
    elif tag.lower() in NAMED:
        near = meant = f"{tag.lower()}:NAME"
    else:
        near = nearest(tag, (*ROLES, ON_EXIT), cutoff=0.85)
        meant = f"{near}"
    if near is None:
        return []
    return [
        Problem(
            "KFNB-W212",
            f'tag "{tag}" is ignored: kfnb does not know it',
            f'Did you mean "{meant}"?',
        )
    ]
