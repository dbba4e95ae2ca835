"""Read cell tags, ours and Kale's.

Kale's words are those of its two generations (``block:``, ``prev:``, ``imports``,
``functions``, ``pipeline-parameters``, ``pipeline-metrics``, ``limit:``, ``label:``,
``annotation:`` in the first; ``step:``, ``image:``, ``cache:enabled``, ``secret:`` in
the second): https://github.com/kubeflow/kale, ``processors/nbprocessor.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfnb.notebook.authoring.declarations import CellRole, Declaration, Problem, changed_names
from kfnb.notebook.authoring.options import KEYS, Entry, entry_name, option
from kfnb.notebook.suggestions import nearest

ROLES: dict[str, CellRole] = {
    "setup": "setup",
    "imports": "setup",
    "functions": "setup",
    "parameters": "parameters",
    "pipeline-parameters": "parameters",
    # papermill adds this cell below the parameters when it executes a notebook.
    "injected-parameters": "parameters",
    "metrics": "metrics",
    "pipeline-metrics": "metrics",
    "skip": "skip",
}
ON_EXIT = "on-exit"
ONCE = "once"
NAMED = {"step": "step", "block": "step", "after": "after", "prev": "after", "changes": "changes"}
_KALES_ORDER = frozenset(("block", "prev"))
"""Tags that order steps by Kale's rules; Kale's other tags are only other names for ours."""
_KEYS = (*NAMED, *KEYS)
# Tags that are reserved for what kfnb cannot do yet, and what stands behind them.
_NOT_YET = {"map": "", "when": ":", "isolate": ":"}
# Words that people write for these tags, and that are not similar to them.
_SHORT = {"retry": "retries", "mem": "memory", "ram": "memory", "depends": "after"}


def cell_declaration(tags: Sequence[str]) -> Declaration:
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
        if key in _NOT_YET and colon == _NOT_YET[key]:
            problems.append(
                Problem(
                    "KFNB-W221",
                    f'the tag "{tag}" has no effect in this version of kfnb',
                    "The step is executed as if the tag were not there. Remove it, or leave it for "
                    "a later version.",
                )
            )
            continue
        if tag == ONCE:
            options["once", ""] = True
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
                            f"the tags of this cell give two values for {entry_name(entry)}",
                            "Keep one of them.",
                        )
                    )
            else:
                problems += _misspelt(tag, key, bool(colon))
        except ValueError as error:
            empty = "KFNB-E205" if key in NAMED and not value else "KFNB-E202"
            problems.append(Problem(empty, f'the tag "{tag}" is not valid', f"{key} {error}."))
    steps = list(dict.fromkeys(steps))
    role, more = _role(roles, steps)
    return Declaration(
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
            return  # Kale's panel writes an empty name on cells that belong to the step above.
        raise ValueError(f"takes a name, as in {key}:name")
    if what == "step":
        steps.append(value)
    elif what == "changes":
        lists[what] += changed_names(value)
    else:
        lists[what].append(value)


def _role(roles: list[CellRole], steps: list[str]) -> tuple[CellRole | None, list[Problem]]:
    """Decide between roles; ``skip`` wins over all others."""
    if "skip" in roles:
        return "skip", []
    problems: list[Problem] = []
    if len(steps) > 1:
        named = " and ".join(f'step "{s}"' for s in steps)
        problems.append(
            Problem(
                "KFNB-E208",
                f"this cell is tagged with {named}",
                "A cell can be part of one step only: keep one of the tags.",
            )
        )
    if len(set(roles)) > 1 or (roles and steps):
        claimed = [*dict.fromkeys(roles), *(f'step "{s}"' for s in steps)]
        problems.append(
            Problem(
                "KFNB-W213",
                f"this cell is tagged as {' and '.join(claimed)}",
                f"kfnb treats it as {claimed[0]}. Keep one of the tags.",
            )
        )
    return (roles[0] if roles else "step" if steps else None), problems


def _misspelt(tag: str, key: str, colon: bool) -> list[Problem]:
    """Suggest one of our tags for a similar one; anything else belongs to another tool."""
    if colon:
        near = _SHORT.get(key.lower()) or nearest(key, _KEYS, cutoff=0.75)
        meant = f"{near}{tag[len(key) :]}"
    # The word is right, but the name after it is missing.
    elif tag.lower() in NAMED:
        near = meant = f"{tag.lower()}:NAME"
    else:
        # A plain word is often another tool's tag, so it has to be more similar than one with a
        # colon.
        near = nearest(tag, (*ROLES, ON_EXIT, ONCE), cutoff=0.85)
        meant = f"{near}"
    if near is None:
        return []
    return [
        Problem(
            "KFNB-W212",
            f'the tag "{tag}" is ignored, because kfnb does not know it',
            f'Did you mean "{meant}"?',
        )
    ]
