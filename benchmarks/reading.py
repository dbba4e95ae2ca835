"""Measure reading a notebook, and reading it again with one cell changed: CPU seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import kfnb


def _cpu(path: Path) -> float:
    start = time.process_time()
    kfnb.read(path)
    return time.process_time() - start


def main(path: Path) -> None:
    """Print the cost of reading, and of reading again after a change of one cell."""
    cpu_seconds = {"first": _cpu(path)}
    book = json.loads(path.read_text())
    for name, index in (
        ("first cell changed", 0),
        ("middle cell changed", len(book["cells"]) // 2),
    ):
        book["cells"][index]["source"] += "\nunused = 1"
        path.write_text(json.dumps(book))
        cpu_seconds[name] = _cpu(path)
    print(json.dumps(cpu_seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
