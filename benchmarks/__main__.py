"""Print the table: ``python3 dev.py bench [ROW ...]``."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from .measure import adopt_orphans
from .rows import IN_A_BROWSER, ON_A_CLUSTER, ROWS


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    # Rows in a browser need other packages, so dev.py calls them separately. The cluster is
    # measured only if it is named.
    apart = {*IN_A_BROWSER, *ON_A_CLUSTER}
    chosen = parser.parse_args().rows or [row for row in ROWS if row not in apart]
    unknown = [row for row in chosen if row not in ROWS]
    if unknown:
        parser.error(f"no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    adopt_orphans()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}\n")
    print("| row | who | figure | beside kfnb | |\n|---|---|---|---|---|")
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="kfnb-bench-") as folder:
            ours: dict[str, float] = {}
            for figure in ROWS[name](Path(folder)):
                first = ours.setdefault(figure.unit, figure.value)
                beside = f"{figure.value / first:.2f} ×" if first and figure.value != first else ""
                print(
                    f"| {name} | {figure.who} | {figure.value:.3g} {figure.unit} "
                    f"| {beside} | {figure.note} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
