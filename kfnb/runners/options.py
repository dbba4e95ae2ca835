"""Options of a target, declared once: flags, notebook metadata and configuration are read from it.

A target's options are a frozen dataclass whose fields are made with :func:`option`. Everything
that a person can write about a target is checked against these fields, wherever it was written.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kfnb.errors import UsageError
from kfnb.json_values import from_plain
from kfnb.pipeline import Pipeline

Kind = Literal["text", "list", "table", "number"]

_WANTED = {"text": "a text", "list": "a list", "table": "a table", "number": "a whole number"}


@dataclass(frozen=True, slots=True)
class Option:
    """What an option is called on the command line, and which values it takes.

    Parameters
    ----------
    flag, metavar, help
        How the command line offers it; an option without a flag can only be written in the
        notebook's metadata or in the configuration file.
    kind
        ``table`` options are repeated ``KEY=VALUE`` flags, ``list`` options repeated flags.
    choices
        The values that a text may have; empty for any.
    pattern, form
        A regular expression that a text must match, and the words that describe it.
    check
        Refuses a value with a UsageError; it gets the value and where it was written.
    items
        The type of a list's items.
    adds
        Whether a table is added to what less specific sources say, instead of replacing it.
    per_step
        Whether single steps may have their own value.
    locates_store
        Whether it is needed to find the store of earlier runs.
    read, write
        Turn one repetition of a list's flag into an item and back; ``read`` raises ValueError,
        ``write`` returns None for an item that the flag cannot express.
    """

    flag: str | None = None
    metavar: str = "TEXT"
    help: str = ""
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    check: Callable[[Any, str], Any] | None = None
    items: type = str
    wanted: str = ""
    adds: bool = False
    per_step: bool = False
    locates_store: bool = False
    read: Callable[[str], Any] | None = None
    write: Callable[[Any], str | None] | None = None


# Returns Any, as dataclasses.field does, so that a field may have any type.
def option(default: Any = dataclasses.MISSING, *, factory: Any = None, **attributes: Any) -> Any:
    """Declare a field of a target's options; keywords are those of :class:`Option`."""
    metadata = {"option": Option(**attributes)}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def options_of(declared: type) -> Mapping[str, Option]:
    """Return the options that a dataclass declares, by name."""
    return {
        field.name: field.metadata["option"]
        for field in dataclasses.fields(declared)
        if "option" in field.metadata
    }


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have a value: flags that were not typed have none."""
    return {name: value for name, value in values.items() if value not in (None, (), {}, [])}


def collect(
    declared: type,
    *,
    target: str,
    title: str,
    pipeline: Pipeline | None,
    call: Mapping[str, Any],
    config: Path | None = None,
) -> Any:
    """Merge what the configuration file, the notebook and the call say of a target.

    Parameters
    ----------
    declared
        The dataclass of the target's options.
    target, title
        The target's name, as a key of metadata and configuration, and as a person calls it.
    call
        Options of this run, by name; they win over the notebook, and that over the file.
    config
        The file; by default :func:`config_file`.

    Returns
    -------
    object
        An instance of ``declared``.

    Raises
    ------
    UsageError
        If an option does not exist, or a value does not fit.
    """
    path = config or config_file()
    metadata = dict((pipeline.targets if pipeline else {}).get(target) or {})
    # From the least to the most specific: a later source wins.
    sources = (
        (str(path), read_config(path, target)),
        ("the notebook's metadata", metadata),
        ("the call", given(call)),
    )
    known = options_of(declared)
    merged: dict[str, Any] = {}
    for where, values in sources:
        for key, value in values.items():
            name = option_name(key, known, where=where, title=title)
            checked = check_value(known, name, value, where=where, title=title)
            merged[name] = merge_value(known[name], name, merged.get(name), checked)
    if pipeline is not None:
        # Only the notebook's are checked: the configuration file is for other notebooks too.
        _check_steps(pipeline, metadata.get("steps") or {})
    return from_plain(declared, merged)


def config_file() -> Path:
    """Return the path of the user's configuration file, whether or not it exists."""
    configured = os.environ.get("KFNB_CONFIG")
    if configured:
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("kfnb")) / "config.toml"


def read_config(path: Path, target: str) -> dict[str, Any]:
    """Read a target's table in a configuration file; empty where there is none.

    Raises
    ------
    UsageError
        If the file is not TOML.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(text.decode()).get(target) or {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a TOML file: {error}.") from error
    return dict(table)


def option_name(key: str, known: Mapping[str, Option], *, where: str, title: str) -> str:
    """Return an option's name, which may be written with hyphens; raises UsageError."""
    name = key.replace("-", "_")
    # A misspelt option that is silently ignored would run a step with the wrong settings.
    if name not in known:
        raise UsageError(
            f'{where} has an option "{key}" for {title}, which does not exist. '
            f"There are: {', '.join(sorted(known))}."
        )
    return name


def check_value(
    known: Mapping[str, Option], name: str, value: Any, *, where: str, title: str
) -> Any:
    """Return an option's value if it fits; raises UsageError."""
    one = known[name]
    if one.kind == "list":
        fits = isinstance(value, (list, tuple)) and all(isinstance(v, one.items) for v in value)
    elif one.kind == "table":
        fits = isinstance(value, Mapping)
    elif one.kind == "number":
        # Python counts True as the integer 1.
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    else:
        fits = isinstance(value, str) and bool(value)
    if not fits:
        wanted = one.wanted or _WANTED[one.kind]
        raise UsageError(f"{where}: {name} must be {wanted}, not {value!r}.")
    if one.choices and value not in one.choices:
        raise UsageError(f"{where}: {name} is {', '.join(one.choices)}; not {value!r}.")
    if one.pattern and not re.fullmatch(one.pattern, value):
        raise UsageError(f"{where}: {name} is {one.form}; not {value!r}.")
    if one.check is not None:
        one.check(value, f"{where}: {name}")
    if name != "steps":
        return value
    return {step: _of_step(known, step, own, where, title) for step, own in value.items()}


def merge_value(one: Option, name: str, before: Any, value: Any) -> Any:
    """Return a table with a more specific one added to it; any other value replaces the former."""
    if name == "steps":
        # Options of single steps are merged step by step, because two sources may name different
        # steps.
        steps = {**(before or {}), **value}
        return {step: {**(before or {}).get(step, {}), **value.get(step, {})} for step in steps}
    return {**(before or {}), **value} if one.adds else value


def _of_step(
    known: Mapping[str, Option], step: str, own: Any, where: str, title: str
) -> dict[str, Any]:
    where = f'{where}, step "{step}"'
    if not isinstance(own, Mapping):
        raise UsageError(f"{where}: this must be a table, not {own!r}.")
    allowed = {name: one for name, one in known.items() if one.per_step}
    names = {key: option_name(key, allowed, where=where, title=title) for key in own}
    return {
        names[key]: check_value(allowed, names[key], value, where=where, title=title)
        for key, value in own.items()
    }


def _check_steps(pipeline: Pipeline, steps: Mapping[str, Any]) -> None:
    for step in steps:
        if step not in pipeline.steps:
            listed = ", ".join(f'"{name}"' for name in pipeline.steps)
            raise UsageError(
                f'the notebook\'s metadata has options for a step "{step}", which does not exist. '
                f"There are: {listed}."
            )
