"""Install a notebook's packages before its kernel starts, since images may be read-only.

They go into a separate folder that is first on the module path. The notebook's own ``%pip install``
lines are executed as well, and find everything installed.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"^[%!]\s*(?:python3?\s+-m\s+)?pip3?\s+install\s+(\S.*)$", re.MULTILINE)
_COMMENT = re.compile(r"\s#.*$")
_OUTPUT_LIMIT = 20_000
_NAMES_A_FILE = {
    *("-r", "--requirement", "-c", "--constraint", "-e", "--editable"),
    *("-f", "--find-links"),
}


def install_lines(notebook: Path) -> list[list[str]]:
    """Return the arguments of the notebook's ``%pip install`` lines.

    Lines that are built at run time (``{name}``, ``$name``) are left out.
    """
    lines = []
    for cell in json.loads(notebook.read_bytes())["cells"]:
        source = cell.get("source", "")
        source = "".join(source) if isinstance(source, list) else str(source)
        if cell.get("cell_type") == "code":
            lines += lines_of(source)
    return lines


def lines_of(source: str) -> list[list[str]]:
    r"""Return the arguments of a cell's ``%pip install`` lines, as :func:`install_lines`.

    >>> lines_of("%pip install -q 'pandas>2'  # frames\nimport pandas")
    [['-q', 'pandas>2']]
    """
    lines = []
    for arguments in _LINE.findall(source):
        text = _COMMENT.sub("", arguments)
        if "{" in text or "$" in text:
            continue
        with contextlib.suppress(ValueError):  # The notebook's own line will show the error.
            lines.append(shlex.split(text))
    return lines


def paths_of(line: list[str]) -> list[str]:
    """Return the files and folders that a ``%pip install`` line names.

    >>> paths_of(["-q", "-r", "needs.txt", "./wheels/a-1.whl", "pandas>2", "-e", "mine"])
    ['needs.txt', './wheels/a-1.whl', 'mine']
    """
    paths = []
    before = ""
    for word in line:
        flag, _, value = word.partition("=")
        if before in _NAMES_A_FILE:
            paths.append(word)
        elif flag in _NAMES_A_FILE and value:
            paths.append(value)
        elif not word.startswith("-") and "://" not in word and _is_path(word):
            # Extras in brackets are no part of the path.
            paths.append(word.partition("[")[0])
        before = word
    return paths


def _is_path(word: str) -> bool:
    return word.startswith(".") or "/" in word or word.endswith((".whl", ".zip", ".tar.gz"))


def install(
    lines: list[list[str]], *, site: Path, workdir: Path, environment: Mapping[str, str]
) -> str:
    """Install the lines' packages into ``site``; the output of pip where it failed, else empty.

    Packages of the image keep their versions if pip can satisfy the lines with them.
    """
    errors = ""
    if not lines:
        return errors
    constraints = site.with_name("image.txt")
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in _installed()))
    for line in lines:
        command = [
            *(sys.executable, "-m", "pip", "install", "--target", str(site), "--upgrade"),
            *("--no-input", "--disable-pip-version-check", "--quiet", "--no-warn-conflicts"),
            *line,
        ]
        # Once more without the image's versions, if they contradict what the notebook asks for.
        for extra in (["--constraint", str(constraints)], []):
            ended = subprocess.run(
                [*command, *extra],
                cwd=workdir,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if ended.returncode == 0:
                break
        else:
            text = ended.stdout[-_OUTPUT_LIMIT:].decode("utf-8", "replace")
            errors += f"pip install {shlex.join(line)}:\n{text}"
    return errors


def _installed() -> list[tuple[str, str]]:
    # Drivers import this module too, and need no versions.
    from importlib import metadata

    versions = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name and distribution.version:
            versions[name] = distribution.version
    return sorted(versions.items())
