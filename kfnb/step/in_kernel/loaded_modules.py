"""What a step's kernel has imported: distributions with their versions, and the user's files."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_OURS = {"kfnb", "cloudpickle"}
_INSTALLED = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = os.path.realpath(os.__file__).rpartition(os.sep)[0] + os.sep


def packages(modules: Iterable[str], *, before: Iterable[str] = ()) -> dict[str, str]:
    """Return the installed distributions that ``modules`` belong to, with their versions.

    Modules that were loaded ``before`` (the kernel's own) do not count.
    """
    from importlib import metadata

    tops = {name.partition(".")[0] for name in modules}
    tops -= {name.partition(".")[0] for name in before} | _OURS
    tops = {t for t in tops if not t.startswith("_") and t not in sys.stdlib_module_names}
    tops = {t for t in tops if _installed(t)}
    if not tops:
        return {}
    versions = {top: _version(top) for top in tops}
    known = {top: version for top, version in versions.items() if version is not None}
    left = tops - set(known)
    if left:  # sklearn, PIL, yaml: the distribution has another name
        for distribution in metadata.distributions():
            # Only setuptools writes this file; other build tools leave only the list of all files.
            text = distribution.read_text("top_level.txt")
            own = set(text.split()) if text else _tops(distribution)
            if own & left:
                known[distribution.metadata["Name"]] = distribution.version
    return dict(sorted(known.items()))


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _tops(distribution: Any) -> set[str]:
    """Return the top-level packages among a distribution's files."""
    record = distribution.read_text("RECORD") or ""
    return {
        line.partition("/")[0]
        for line in record.splitlines()
        if "/__init__.py," in line and line.count("/") == 1
    }


def _installed(top: str) -> bool:
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    return any(folder in file for folder in _INSTALLED)


def is_own_module(file: str, folder: str) -> bool:
    """Whether a module's file is the user's: below ``folder``, and not in an environment there.

    ``folder`` is a real path that ends with a separator.
    """
    parent, name = os.path.split(os.path.abspath(file))  # noqa: PTH100 (thousands of them)
    # A link to a file counts where it lies; looking at each file would be most of a small step.
    path = os.path.join(_real_folder(parent), name)  # noqa: PTH118
    if not path.startswith(folder) or path.startswith(_STANDARD_LIBRARY):
        return False
    return not any(part in _INSTALLED for part in Path(path[len(folder) :]).parts)


@functools.cache
def _real_folder(folder: str) -> str:
    """Resolve the links in a path, looking at each folder once in the life of the process."""
    parent, name = os.path.split(folder)
    if not name:
        return folder
    here = os.path.join(_real_folder(parent), name)  # noqa: PTH118
    return os.path.realpath(here) if os.path.islink(here) else here  # noqa: PTH114


def own_module_files(workdir: str) -> set[str]:
    """Return the files of the user's own modules that are loaded, relative to ``workdir``.

    The source does not always show them: a module name may be built at run time, and loading a
    value imports the module of its class.
    """
    folder = os.path.realpath(workdir) + os.sep
    files, foreign = set(), set()
    # A copy, because a thread of the notebook may import something meanwhile.
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        # Where a module's folder lies decides, and packages have many modules.
        parent = file.rpartition(os.sep)[0]
        if parent in foreign:
            continue
        if is_own_module(file, folder):
            relative = os.path.relpath(os.path.realpath(file), folder)
            files.add(relative.replace(os.sep, "/"))
        else:
            foreign.add(parent)
    return files
