"""Values of parameters from a mapping, from typed text, or from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError
from kfnb.json_values import json_value
from kfnb.pipeline import Parameter


def from_values(parameters: Sequence[Parameter], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the given values as JSON values that fit the parameters.

    Raises
    ------
    UsageError
        If there is no such parameter, or a value does not fit it.
    """
    from kfnb.runners import check_parameters

    if given is None:
        return {}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise UsageError(f"Parameters must be a mapping of names to values, not {kind}.")
    return check_parameters(parameters, {name: plain(v, name) for name, v in given.items()})


def from_text(parameters: Sequence[Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return values for ``name=text`` pairs as typed; raises as :func:`from_values`."""
    from kfnb.runners import check_parameters, parse_parameter

    read = {name: parse_parameter(parameters, name, text) for name, text in texts.items()}
    return check_parameters(parameters, read)


def from_file(parameters: Sequence[Parameter], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the values in a YAML or JSON file; raises as :func:`from_values`."""
    from kfnb.runners import parse_parameter

    numeric = {p.name for p in parameters if type(p.default) in (int, float)}
    values = read_file(path)
    for name, value in values.items():
        if name in numeric and isinstance(value, str):
            # YAML reads 1e-3 as text.
            values[name] = parse_parameter(parameters, name, value)
    return from_values(parameters, values)


def read_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of parameters.

    Raises
    ------
    UsageError
        If it does not exist, is not YAML, or not a mapping.
    """
    import yaml

    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"Cannot read the parameters in {path}: {reason.lower()}.") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path} is not YAML{where}: {problem}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path} must be a YAML mapping of parameters to values.")
    # YAML reads keys such as 1 or yes as numbers and booleans.
    return {str(k): v for k, v in content.items()}


def plain(value: Any, name: str) -> Any:
    """Return ``value`` as JSON can hold it.

    Scalars of numpy, paths and dates become numbers and texts.

    Raises
    ------
    UsageError
        If JSON has no such value.
    """
    return json_value(value, other=lambda part: _number_or_text(part, name))


def _number_or_text(value: Any, name: str) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # Dates and times, also those of pandas.
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat):
        return str(isoformat())
    item = getattr(value, "item", None)
    # Arrays have item() as well, but only one without dimensions is a number.
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return plain(item(), name)
    raise UsageError(
        f'The parameter "{name}" cannot be a {type(value).__name__}: a parameter is a number, a '
        "text, true, false, null, or a list or mapping of these."
    )
