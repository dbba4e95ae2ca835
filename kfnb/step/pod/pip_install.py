"""Packages that a notebook installs: had before its kernel starts, where images are read-only.

They go into a folder of their own that is first on the module path. The notebook's own lines
execute as well, and find what they ask for.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_LINE = re.compile(r"^[%!]\s*(?:python3?\s+-m\s+)?pip3?\s+install\s+(\S.*)$", re.MULTILINE)
_COMMENT = re.compile(r"\s#.*$")
_SAID = 20_000
_NAMES_A_FILE = {
    *("-r", "--requirement", "-c", "--constraint", "-e", "--editable"),
    *("-f", "--find-links"),
}


def install_lines(notebook: Path) -> list[list[str]]:
    """Return the arguments of the notebook's ``%pip install`` lines.

    Lines that are put together at run time (``{name}``, ``$name``) are not among them.
    """
    found = []
    for cell in json.loads(notebook.read_bytes())["cells"]:
        source = cell.get("source", "")
        source = "".join(source) if isinstance(source, list) else str(source)
        if cell.get("cell_type") == "code":
            found += lines_of(source)
    return found


def lines_of(source: str) -> list[list[str]]:
    r"""Return the arguments of a cell's ``%pip install`` lines, as :func:`install_lines`.

    >>> lines_of("%pip install -q 'pandas>2'  # frames\nimport pandas")
    [['-q', 'pandas>2']]
    """
    found = []
    for said in _LINE.findall(source):
        text = _COMMENT.sub("", said)
        if "{" in text or "$" in text:
            continue
        with contextlib.suppress(ValueError):  # the line itself says what is wrong with it
            found.append(shlex.split(text))
    return found


def paths_of(line: list[str]) -> list[str]:
    """Return what files and folders a ``%pip install`` line names.

    >>> paths_of(["-q", "-r", "needs.txt", "./wheels/a-1.whl", "pandas>2", "-e", "mine"])
    ['needs.txt', './wheels/a-1.whl', 'mine']
    """
    found = []
    before = ""
    for word in line:
        flag, _, value = word.partition("=")
        if before in _NAMES_A_FILE:
            found.append(word)
        elif flag in _NAMES_A_FILE and value:
            found.append(value)
        elif not word.startswith("-") and "://" not in word and _is_path(word):
            found.append(word.partition("[")[0])
        before = word
    return found


def _is_path(word: str) -> bool:
    return word.startswith(".") or "/" in word or word.endswith((".whl", ".zip", ".tar.gz"))


def install(
    lines: list[list[str]], *, site: Path, workdir: Path, environment: Mapping[str, str]
) -> str:
    """Install what the lines ask for into ``site``; what pip said where it failed, else empty.

    What the image has keeps its version as far as that can be.
    """
    said = ""
    if not lines:
        return said
    kept = site.with_name("image.txt")
    kept.write_text("".join(f"{name}=={version}\n" for name, version in _here()))
    for line in lines:
        command = [
            *(sys.executable, "-m", "pip", "install", "--target", str(site), "--upgrade"),
            *("--no-input", "--disable-pip-version-check", "--quiet", "--no-warn-conflicts"),
            *line,
        ]
        for extra in (["--constraint", str(kept)], []):
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
            text = ended.stdout[-_SAID:].decode("utf-8", "replace")
            said += f"pip install {shlex.join(line)}:\n{text}"
    return said


def _here() -> list[tuple[str, str]]:
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name and distribution.version:
            found[name] = distribution.version
    return sorted(found.items())
