"""Warn of values that were made with other versions than those that load them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import metadata

from kfnb.pipeline import Diagnostic
from kfnb.step.order import MadeWith

PYTHON = "KFNB-W702"
PACKAGES = "KFNB-W703"


def differences(
    made_with: Mapping[str, MadeWith],
    *,
    python: str | None = None,
    installed: Callable[[str], str | None] | None = None,
) -> list[Diagnostic]:
    """Return a warning for each step whose values were made with other versions.

    Only the first two numbers of a version are compared.

    Parameters
    ----------
    python
        This interpreter's version, by default that of the process.
    installed
        Returns the version of a package here, None if it is not installed.
    """
    here = python or sys.version.split()[0]
    version = installed or _installed
    diagnostics = []
    for step, made in made_with.items():
        if made.python and _series(made.python) != _series(here):
            diagnostics.append(_of_python(step, made.python, here))
        others = {name: version(name) for name in made.packages}
        differing = [
            f"{name} {made.packages[name]} ({f'here {now}' if now else 'not installed here'})"
            for name, now in others.items()
            if now is None or _series(now) != _series(made.packages[name])
        ]
        if differing:
            diagnostics.append(_of_packages(step, differing))
    return diagnostics


def _of_python(step: str, made: str, here: str) -> Diagnostic:
    return Diagnostic(
        code=PYTHON,
        severity="warning",
        message=f'the values of step "{step}" were saved by Python {made}, but this step has '
        f"{here}: functions and classes in these values may not work",
        remedy="Use the same Python for both steps, for example the same image.",
    )


def _of_packages(step: str, differing: list[str]) -> Diagnostic:
    return Diagnostic(
        code=PACKAGES,
        severity="warning",
        message=f'the values of step "{step}" were saved with {", ".join(differing)}',
        remedy="If they do not load or results differ, use the same versions in both steps.",
    )


def _series(version: str) -> tuple[str, ...]:
    # Versions that differ only in the third number are expected to load each other's values.
    return tuple(version.split(".")[:2])


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
