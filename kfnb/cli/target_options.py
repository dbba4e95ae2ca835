"""Flags for the options of targets, made of what the targets declare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from kfnb.runners.options import Option, options_of
from kfnb.runners.target import find_target, target_names

if TYPE_CHECKING:
    from kfnb.pipeline import Pipeline


def with_store(command: Any) -> Any:
    """Give a command the options by which a target's store is found."""
    return _with(command, [one for one in _flags() if one[1].locates_store])


def with_target(command: Any) -> Any:
    """Give a command the options of all targets."""
    return _with(command, list(_flags()))


def target_options(values: dict[str, Any]) -> dict[str, Any]:
    """Take the targets' options out of the values of a command's options.

    Raises
    ------
    click.UsageError
        If a value is not of the form that its flag wants.
    """
    found: dict[str, Any] = {}
    for name, option, _ in _flags():
        if name not in values:
            continue
        value = values.pop(name)
        if option.kind == "table":
            found[name] = dict(_pair(option, text) for text in value)
        elif option.kind == "list":
            found[name] = tuple(_item(option, text) for text in value)
        else:
            found[name] = value
    return found


def target_flags(options: Mapping[str, Any]) -> list[str]:
    """Write a target's options as the words of a command: what :func:`target_options` reads.

    What no flag can express (a caller in Python may have said it) is left out.

    >>> target_flags({"namespace": "a", "labels": {"team": "x"}})
    ['--namespace', 'a', '--label', 'team=x']
    """
    words: list[str] = []
    for name, option, _ in _flags():
        value = options.get(name)
        assert option.flag is not None
        if not value:
            continue
        if option.kind == "table":
            texts = [f"{key}={item}" for key, item in dict(value).items()]
        elif option.kind == "list":
            texts = [text for item in value if (text := _text(option, item)) is not None]
        else:
            texts = [str(value)]
        for text in texts:
            words += [option.flag, text]
    return words


def echo_objects(
    pipeline: Pipeline, parameters: Mapping[str, Any], *, output: str, **said: Any
) -> None:
    """Print the objects of a run that is not started, as ``kubectl apply -f -`` reads them."""
    from kfnb.api.launch import objects

    found = objects(
        pipeline,
        parameters,
        target=said["target"],
        target_options=target_options(said),
        timeout=said.get("timeout"),
    )
    whole = {"apiVersion": "v1", "kind": "List", "items": found}
    text = json.dumps(whole, indent=2)
    if output == "yaml":
        import yaml

        # Reading the JSON again makes equal parts different objects: YAML writes no references.
        text = yaml.safe_dump_all(json.loads(text)["items"], sort_keys=False).rstrip("\n")
    click.echo(text)


def _flags() -> Iterator[tuple[str, Option, str]]:
    """Yield name, option and the target's title of every option that has a flag, each flag once."""
    seen: set[str] = set()
    for target in map(find_target, target_names()):
        for name, option in options_of(target.options).items():
            if option.flag is not None and name not in seen:
                seen.add(name)
                yield name, option, target.title


def _with(command: Any, flags: list[tuple[str, Option, str]]) -> Any:
    for name, option, title in reversed(flags):
        command = click.option(
            str(option.flag),
            name,
            metavar="KEY=VALUE" if option.kind == "table" else option.metavar,
            multiple=option.kind in ("table", "list"),
            type=int if option.kind == "number" else str,
            help=f"{title}: {option.help}",
        )(command)
    return command


def _pair(option: Option, text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise _refused(f"{option.flag} wants KEY=VALUE, not {text!r}")
    return key, value


def _item(option: Option, text: str) -> Any:
    if option.read is None:
        return text
    try:
        return option.read(text)
    except ValueError as error:
        raise _refused(f"{option.flag} {error}") from error


def _text(option: Option, item: Any) -> str | None:
    return str(item) if option.write is None else option.write(item)


def _refused(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context(silent=True))
