"""Which template can fork a kernel: it depends on the command line, variables, imports and folder.

Standard library only: the template, the step process and the driver ask for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from kfnb.step.kernels.without_debugger import START
from kfnb.step.templates.imports.known_effects import imported_packages
from kfnb.step.templates.imports.leading_imports import READ_FROM_FOLDER
from kfnb.step.templates.kernel_source import shared_environment
from kfnb.step.templates.spec import TemplateSpec

HISTORY = "--HistoryManager.hist_file=:memory:"
"""The argument with which kernels of steps are started: they keep their history to themselves."""

_OPTIONS_BEFORE_CODE = ("-X", "-W", "-O", "-u", "-B", "-q", "-s", "-I", "-E", "-P")
_OWN_ARGUMENTS = ("-f", "--HistoryManager.hist_file=")


def template_spec(
    command: Sequence[str], environment: Mapping[str, str], imports: Sequence[str]
) -> TemplateSpec | None:
    """Return the template for a kernel's command line; None if it cannot be forked.

    The imports are left out where something that is executed before a notebook's first cell could
    have an influence on them: IPython's startup files, configuration, another profile.
    """
    if START not in command:
        return None
    code = list(command).index(START)
    options, arguments = tuple(command[1 : code - 1]), command[code + 1 :]
    if not all(option.startswith(_OPTIONS_BEFORE_CODE) for option in options):
        return None
    # Python resolves these against the current folder, which a template does not share.
    search = environment.get("PYTHONPATH", "").split(os.pathsep)
    if any(path and not os.path.isabs(path) for path in search):  # noqa: PTH117
        return None
    if not has_usual_arguments(arguments) or executes_before_cells(environment):
        imports = ()
    python = command[0] if os.path.isabs(command[0]) else sys.executable  # noqa: PTH117
    shared = shared_environment(environment)
    return TemplateSpec("kernel", python, tuple(imports), shared, options)


def before_local(imports: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the imports before the first one of a module of the notebook's folder.

    The user's own modules may do anything when they are imported.
    """
    own = set(names)
    return tuple(takewhile(lambda source: own.isdisjoint(imported_packages(source)), imports))


def local_names(folder: str) -> tuple[str, ...]:
    """List what a template must not have loaded from elsewhere, for a kernel in ``folder``.

    These are the names of modules, and of files that a library reads when it is imported.
    """
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            name, _, kind = entry.name.partition(".")
            if entry.name in READ_FROM_FOLDER:
                names.add(entry.name)
            elif name.isidentifier() and (not kind or kind == "py" or kind.endswith(("so", "pyc"))):
                names.add(name)
    return tuple(sorted(names))


def has_usual_arguments(arguments: Sequence[str]) -> bool:
    """Whether ipykernel is started with nothing but what kfnb adds."""
    connection = arguments.index("-f") + 1 if "-f" in arguments else -1
    return all(
        number == connection or argument.startswith(_OWN_ARGUMENTS)
        for number, argument in enumerate(arguments)
    )


def executes_before_cells(environment: Mapping[str, str]) -> bool:
    """Whether IPython has configuration or startup files, which may do anything."""
    if environment.get("PYTHONSTARTUP"):
        return True
    home = environment.get("HOME") or str(Path.home())
    own = Path(environment.get("IPYTHONDIR") or Path(home, ".ipython")) / "profile_default"
    system = [Path(prefix, "etc", "ipython") for prefix in ("/", "/usr/local", sys.prefix)]
    patterns = ("startup/*.py", "startup/*.ipy", "*config.py", "*config.json")
    return any(
        next(folder.glob(pattern), None) is not None
        for folder in (own, *system)
        for pattern in patterns
    )
