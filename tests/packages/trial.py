"""Try which packages a template can import for its children.

``python3 dev.py test --only packages`` tries ten of the table's packages in the environment of the
tests; with ``--all`` every package of the table is installed into a throw-away environment, tried
there, and its row written anew. ``python -m tests.packages.trial NAME ...`` does that for some.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kfnb.step.templates.template import (
    Event,
    Exited,
    Forked,
    ForkOrder,
    NotForked,
    Ready,
    Template,
    TemplateSpec,
    Unusable,
)
from tests.kernel_arguments import kernel_arguments

TABLE = Path(__file__).with_name("table.json")
PATIENCE = 300.0
_CHILDREN = 3
_COMPANIONS = {"plotly": ("numpy", "pandas"), "dask": ("dask[dataframe]",)}
"""What else a package's statement imports."""


@dataclass(frozen=True)
class Row:
    """What is known of a package.

    ``result`` is ``template`` (imported there, and children work), ``child`` (left to the children,
    for the ``reason``), ``broken`` (children of a template that imported it fail) or empty: not
    tried yet, or it could not be installed.
    """

    package: str
    imports: str
    version: str = ""
    result: str = ""
    reason: str = ""


def table() -> list[Row]:
    """Read the table."""
    return [Row(**row) for row in json.loads(TABLE.read_text())]


def write(rows: list[Row]) -> None:
    """Write the table, a row a line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    TABLE.write_text(f"[\n{lines}\n]\n")


def attempt(row: Row, python: str) -> Row:
    """Try a package in the environment of an interpreter, which has ipykernel."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        with log.open("wb") as file:
            spec = TemplateSpec("kernel", python, (row.imports,), environment)
            template = Template.start(spec, log=file.fileno())
        try:
            result, reason = _outcome(template, row.imports, Path(folder))
        finally:
            template.close()
    return Row(row.package, row.imports, _version(row.package, python), result, reason)


def _outcome(template: Template, statement: str, folder: Path) -> tuple[str, str]:
    for event in _events(template):
        if isinstance(event, Ready):
            break
        if isinstance(event, Unusable):
            return "", event.reason
    else:
        return "", "the template was not ready in time"
    if event.left_out:
        return "child", event.left_out[statement]
    for number in range(_CHILDREN):
        failure = _child(template, statement, folder / str(number))
        if failure:
            return "broken", failure
    return "template", ""


def _child(template: Template, statement: str, stem: Path) -> str:
    code = f"{statement}\nopen({str(stem) + '.done'!r}, 'w').close()\nimport os; os._exit(0)"
    template.fork(
        ForkOrder(kernel_arguments(stem, code), str(stem.parent), dict(template.spec.environment)),
        [],
    )
    pid = 0
    for event in _events(template):
        if isinstance(event, Forked):
            pid = event.pid
        elif isinstance(event, NotForked):
            return event.reason
        elif isinstance(event, Exited) and event.pid == pid:
            done = stem.with_suffix(".done").exists()
            return "" if done and event.status == 0 else f"the child ended with {event.status}"
    return "the child did not end"


def _events(template: Template) -> _Stream:
    return _Stream(template)


class _Stream:
    """What a template reports, until nothing came for long."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._deadline = time.monotonic() + PATIENCE
        self._waiting: list[Event] = []

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Event:
        while not self._waiting:
            left = self._deadline - time.monotonic()
            if left < 0:
                raise StopIteration
            select.select([self._template], [], [], left)
            self._waiting = self._template.receive()
        return self._waiting.pop(0)


def _version(package: str, python: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)
    return done.stdout.strip()


def in_an_environment_of_its_own(row: Row) -> Row:
    """Install a package beside ipykernel in a throw-away environment, and try it there."""
    with tempfile.TemporaryDirectory(prefix="kfnb-package-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "-q", "--only-binary", ":all:"]
        done = subprocess.run(
            [*install, "ipykernel", row.package, *_COMPANIONS.get(row.package, ())],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [""])[-1]
            return Row(row.package, row.imports, reason=f"not installed: {reason}"[:200])
        tried = attempt(row, python)
        first = next(iter(tried.reason.splitlines()), "")
        return replace(tried, reason=first.replace(folder + os.sep, ""))


def main(names: list[str]) -> None:
    """Try the packages of these names, or all, and write their rows."""
    rows = table()
    here = "--here" in names
    wanted = {name for name in names if not name.startswith("-")}
    for number, row in enumerate(rows):
        if wanted and row.package not in wanted:
            continue
        if here and not (wanted or _version(row.package, sys.executable)):
            continue
        rows[number] = attempt(row, sys.executable) if here else in_an_environment_of_its_own(row)
        print(rows[number], flush=True)
        write(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
