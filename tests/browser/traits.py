"""What a view's model holds, made by hand: the protocol as a page sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfnb import __version__

WIDTH = 25


def state_of(status: str, **more: Any) -> dict[str, Any]:
    """The state of one step."""
    return {
        "step": "",
        "index": "",
        "round": 0,
        "again": "",
        "status": status,
        "attempts": 0 if status == "pending" else 1,
        "why": None,
        "reason": None,
        "cells_done": 0,
        "cells_total": None,
        "location": None,
        "started": None,
        "finished": None,
        "duration": None,
        "retry_at": None,
        "error": None,
        "outputs": [],
        "notebook": None,
        "resources": None,
        **more,
    }


def location(cell: int, line: int | None = None, text: str = "") -> dict[str, Any]:
    """A cell as a person sees it; it has been executed."""
    return {
        "cell": cell,
        "id": f"c{cell}",
        "execution_count": cell + 1,
        "line": line,
        "text": text or f"x{cell} = {cell}",
    }


def layered(count: int) -> list[tuple[int, int]]:
    """Edges of ``count`` steps in layers; each reads from two of the layer before."""
    return [(above, n) for n in range(count) for above in (n - WIDTH, n - WIDTH - 1) if above >= 0]


def traits(names: Sequence[str], edges: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """A view of a run that has just begun: steps by name, edges by position."""
    nodes = [
        {
            "id": f"n{n}",
            "name": name,
            "cells": [location(n)],
            "after": [],
            "options": {},
            "inputs": {f"v{a}": names[a] for a, b in edges if b == n} if len(names) < 99 else {},
            "outputs": [f"v{n}"],
            "parameters": [],
            "on_exit": False,
        }
        for n, name in enumerate(names)
    ]
    drawn = [
        {
            "id": f"e{k}",
            "source": f"n{a}",
            "target": f"n{b}",
            "names": [f"v{a}"],
            "files": [],
            "explicit": False,
            "found": False,
            "why": f"v{a}",
        }
        for k, (a, b) in enumerate(edges)
    ]
    lines = [f"{node['id']} [shape=box];" for node in nodes]
    lines += [f'{e["source"]} -> {e["target"]} [id="{e["id"]}"];' for e in drawn]
    return {
        "engine": "test",
        "version": __version__,
        "graph": {
            "name": "made by hand",
            "notebook": None,
            "options": {},
            "parameters": [],
            "volumes": [],
            "dot": "digraph pipeline {rankdir=TB;\n" + "\n".join(lines) + "\n}",
            "nodes": nodes,
            "edges": drawn,
            "diagnostics": [],
        },
        "run": {
            "title": "",
            "id": "20260101-000000-made-0000",
            "notebook": None,
            "target": "local",
            "parameters": {},
            "created": 1.7e9,
            "folder_hint": None,
        },
        "state": {
            "seq": 1,
            "at": 1.7e9,
            "status": "running",
            "driver": "alive",
            "error": None,
            "paused": 0.0,
            "finished": None,
            "steps": {node["id"]: state_of("pending") for node in nodes},
            "metrics": [],
            "warnings": [],
        },
        "ui": {
            "tab": "dag",
            "only": False,
            "selected": None,
            "compare": [],
            "height": None,
            "ansi": True,
        },
    }
