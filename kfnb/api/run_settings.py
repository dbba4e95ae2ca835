"""Settings that hold for a run as a whole: limits, cache, and what a failure leads to."""

from __future__ import annotations

from typing import Any

from kfnb.durations import parse_duration
from kfnb.engine.core.settings import Settings
from kfnb.errors import UsageError

_LEAST = {"parallel": 1, "retries": 0}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "on_failure": ("finish", "stop"),
    "on_mutation": ("fail", "warn"),
    "overwrite_files": (False, True),
}


def run_settings(
    *,
    parallel: int | None = None,
    retries: int | None = None,
    timeout: float | str | None = None,
    cache: bool = True,
    on_failure: str = "finish",
    on_mutation: str = "fail",
    overwrite_files: bool = False,
) -> Settings:
    """Check the settings of a new run.

    Raises
    ------
    UsageError
        If a value does not fit.
    """
    from kfnb.runners.target import LOCAL, find_target

    changes = changed_settings(
        parallel=parallel,
        retries=retries,
        timeout=timeout,
        on_failure=on_failure,
        on_mutation=on_mutation,
        overwrite_files=overwrite_files,
    )
    return Settings(parallel=find_target(LOCAL).parallel(), cache=bool(cache)).changed(changes)


def changed_settings(**given: Any) -> dict[str, Any]:
    """Check the settings that were given, and leave out those that are None.

    Raises
    ------
    UsageError
        If there is no such setting, or a value does not fit.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    unknown = changes.keys() - {*_LEAST, *_CHOICES, "timeout"}
    if unknown:
        raise UsageError(f"There is no option {', '.join(sorted(unknown))}.")
    for name, least in _LEAST.items():
        value = changes.get(name, least)
        # True and False are whole numbers in Python.
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    for name, allowed in _CHOICES.items():
        if changes.get(name, allowed[0]) not in allowed:
            choices = " or ".join(map(str, allowed))
            raise UsageError(f"{name} must be {choices}, not {changes[name]!r}.")
    if "timeout" in changes:
        changes["timeout"] = seconds(changes["timeout"])
    return changes


def seconds(duration: float | str) -> float:
    """Return a duration in seconds.

    Raises
    ------
    UsageError
        If it is not a duration, or not positive.
    """
    try:
        return parse_duration(duration)
    except ValueError as error:
        raise UsageError(str(error)) from error
