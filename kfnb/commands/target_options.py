"""Command-line options that choose where on a cluster a run executes, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from kfnb.api.use_cases.target_flags import (
    LISTS,
    PAIRS,
    STORE_FLAGS,
    TEXTS,
    option_name,
    toleration,
)
from kfnb.errors import UsageError


def on_option(help_text: str) -> click.Option:
    """Make the option ``--on`` with a help text of its own."""
    return click.Option(
        ["--on", "target"],
        type=click.Choice(["local", "kubernetes"]),
        default="local",
        help=help_text,
    )


def store_options() -> list[click.Parameter]:
    """Make the options that are enough to find a cluster's store."""
    return [_text_option(*one) for one in TEXTS if one[0] in STORE_FLAGS]


def target_options() -> list[click.Parameter]:
    """Make the options of the target ``kubernetes``."""
    pairs = [
        click.Option([flag, name], metavar="KEY=VALUE", multiple=True, help=f"Kubernetes: {text}")
        for flag, name, text in PAIRS
    ]
    lists = [
        click.Option([flag, name], metavar=metavar, multiple=True, help=f"Kubernetes: {text}")
        for flag, name, metavar, text in LISTS
    ]
    return [*(_text_option(*one) for one in TEXTS), *pairs, *lists]


def take_target_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the target's options out of the parameters of a command.

    Raises
    ------
    click.UsageError
        If a value is not ``KEY=VALUE`` where that is expected, or not a toleration.
    """
    names = [option_name(flag) for flag, _, _ in TEXTS]
    found = {name: given.pop(name) for name in names if name in given}
    for flag, name, _ in PAIRS:
        found[name] = dict(_pair(flag, text) for text in given.pop(name, ()))
    found["image_pull_secrets"] = tuple(given.pop("image_pull_secrets", ()))
    found["tolerations"] = tuple(_toleration(text) for text in given.pop("tolerations", ()))
    return found


def set_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that have a value."""
    return {name: value for name, value in options.items() if value not in (None, (), {})}


def _text_option(flag: str, metavar: str, text: str) -> click.Parameter:
    return click.Option([flag], metavar=metavar, help=f"Kubernetes: {text}")


def _toleration(text: str) -> dict[str, str]:
    try:
        return toleration(text)
    except UsageError as error:
        raise click.UsageError(str(error), click.get_current_context(silent=True)) from error


def _pair(flag: str, text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        context = click.get_current_context(silent=True)
        raise click.UsageError(f"{flag} expects KEY=VALUE, not {text!r}", context)
    return key, value
