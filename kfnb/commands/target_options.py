"""Options of a command for what the targets declare."""

from __future__ import annotations

from typing import Any

import click

from kfnb.api.use_cases.target_flags import Flag, all_flags
from kfnb.runners.target import LOCAL, target_names


def on_option(help_text: str) -> click.Option:
    """Make the option ``--on`` with the help text of a command."""
    return click.Option(
        ["--on", "target"], type=click.Choice(target_names()), default=LOCAL, help=help_text
    )


def store_options() -> list[click.Parameter]:
    """Make the options that are enough to find a target's store."""
    return [_option(flag) for flag in all_flags() if flag.option.locates_store]


def target_options() -> list[click.Parameter]:
    """Make the options of all targets."""
    return [_option(flag) for flag in all_flags()]


def take_target_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the targets' options out of the parameters of a command.

    Raises
    ------
    click.UsageError
        If a value does not have the form that its flag expects.
    """
    options: dict[str, Any] = {}
    for flag in all_flags():
        # A command may have only some of the flags, such as those that locate a store.
        if flag.name not in given:
            continue
        value = given.pop(flag.name)
        if flag.option.kind == "table":
            options[flag.name] = dict(_pair(flag, text) for text in value)
        elif flag.option.kind == "list":
            options[flag.name] = tuple(_item(flag, text) for text in value)
        else:
            options[flag.name] = value
    return options


def _option(flag: Flag) -> click.Parameter:
    option = flag.option
    return click.Option(
        [flag.flag, flag.name],
        metavar="KEY=VALUE" if option.kind == "table" else option.metavar,
        multiple=option.kind in ("table", "list"),
        type=int if option.kind == "number" else str,
        help=f"{flag.title}: {option.help}",
    )


def _pair(flag: Flag, text: str) -> tuple[str, str]:
    # Labels and annotations may contain further signs in their value.
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise _wrong(f"{flag.flag} expects KEY=VALUE, not {text!r}")
    return key, value


def _item(flag: Flag, text: str) -> Any:
    if flag.option.read is None:
        return text
    try:
        return flag.option.read(text)
    except ValueError as error:
        raise _wrong(f"{flag.flag} {error}") from error


def _wrong(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context(silent=True))
