"""Parameters as callers give them: a mapping of Python values, typed text, a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError
from kfnb.json_values import json_value
from kfnb.pipeline import Pipeline


def from_values(pipeline: Pipeline, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the given values as a run keeps them: plain JSON values that fit.

    Raises
    ------
    UsageError
        If a name is no parameter of the pipeline, or a value does not fit it.
    """
    from kfnb.runners import check_parameters

    if given is None:
        return {}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise UsageError(f"Parameters must be a mapping of names to values, not {kind}.")
    return check_parameters(pipeline, {name: plain(v, name) for name, v in given.items()})


def from_text(pipeline: Pipeline, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return values for ``name=text`` pairs as a person types them; raises as above."""
    from kfnb.runners import check_parameters, parse_parameter

    read = {name: parse_parameter(pipeline, name, text) for name, text in texts.items()}
    return check_parameters(pipeline, read)


def from_file(pipeline: Pipeline, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the values in a YAML or JSON file; raises as above."""
    from kfnb.runners import parse_parameter

    numeric = {p.name for p in pipeline.parameters if type(p.default) in (int, float)}
    found = read_file(path)
    for name, value in found.items():
        if name in numeric and isinstance(value, str):
            # YAML takes 1e-3 for text; where a number is wanted it is one.
            found[name] = parse_parameter(pipeline, name, value)
    return from_values(pipeline, found)


def read_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of parameters.

    Raises
    ------
    UsageError
        If it is not there, not YAML, or no mapping.
    """
    import yaml

    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"Cannot read the parameters in {path}: {said.lower()}.") from error
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        said = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path} is not YAML{where}: {said}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(f"{path} must hold parameters and their values, one on each line.")
    return {str(k): v for k, v in found.items()}


def plain(value: Any, name: str) -> Any:
    """Return ``value`` as JSON can hold it.

    Scalars of numpy, paths and dates are taken as the numbers and texts that they stand for.

    Raises
    ------
    UsageError
        If it is something else.
    """
    return json_value(value, other=lambda part: _number_or_text(part, name))


def _number_or_text(value: Any, name: str) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat):
        return str(isoformat())
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return plain(item(), name)
    raise UsageError(
        f'The parameter "{name}" cannot be a {type(value).__name__}: parameters are numbers, '
        "text, true or false, none, and lists and mappings of these."
    )
