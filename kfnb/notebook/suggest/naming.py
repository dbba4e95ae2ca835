"""Name a proposed step: by its heading, by what it calls, or by what it makes."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from kfnb.notebook.suggest.cell_facts import CellFacts

_LONGEST = 40
_VERBS: tuple[tuple[str, str], ...] = (
    (r"train_test_split|KFold|TimeSeriesSplit", "split"),
    (r"fit|fit_transform|train|backward", "fit"),
    (r"read_\w+|load\w*|fetch_\w+|loadtxt|genfromtxt|make_\w+", "load"),
    (r"\w*_score|classification_report|confusion_matrix|\w*_error|evaluate", "evaluate"),
    (r"predict\w*|forecast", "predict"),
    (r"to_\w+|dump|save\w*|write\w*", "save"),
    (r"merge|join|concat|groupby|pivot\w*|dropna|fillna|assign|transform", "prepare"),
    (r"plot\w*|hist|scatter|imshow|bar|heatmap|subplots", "plot"),
)


def step_name(cells: Sequence[CellFacts], needed: Sequence[str], taken: set[str]) -> str:
    """Return a name that no other step has; ``needed`` are the values that later steps read."""
    name = _from_heading(cells[0].heading) or _from_code(cells, needed)
    made, number = name, 2
    while made in taken:
        made, number = f"{name} {number}", number + 1
    return made


def _from_heading(heading: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[*_`~]|<[^>]+>", "", text)
    # Numbers of sections, and symbols that decorate a heading.
    text = re.sub(
        r"^[\W\d_]*(?=\w)|^(step|part|section)\s*\d+\s*[:.)-]*\s*", "", text, flags=re.IGNORECASE
    )
    text = re.sub(r"^[\d.]+[:.)]?\s*", "", text)
    text = re.split(r"\s[-–—:]\s|[:;(]", text.strip())[0].strip(" .!?,")
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rsplit(" ", 1)[0]
    words = text.split()
    if words and words[0][1:].islower():
        words[0] = words[0].lower()
    return " ".join(words)


def _from_code(cells: Sequence[CellFacts], needed: Sequence[str]) -> str:
    makes = [name for name in needed if any(name in cell.makes for cell in cells)]
    made = makes[-1:] or [name for cell in cells for name in cell.makes][:1]
    main = made[0] if made else ""
    calls = [name for cell in cells if not cell.shows for name in _calls(cell)]
    calls = calls or [name for cell in cells for name in _calls(cell)]
    for pattern, verb in _VERBS:
        if any(re.fullmatch(pattern, call) for call in calls):
            words = main.replace("_", " ").strip()
            return f"{verb} {words}".strip() if verb not in ("split", "evaluate", "plot") else verb
    return main.replace("_", " ").strip() or "show"


def _calls(cell: CellFacts) -> list[str]:
    return [
        node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        for node in cell.parsed.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name))
    ]
