"""Options of targets as flags of a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.runners.options import Option, options_of
from kfnb.runners.target import find_target, target_names


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag for an option of a target.

    Parameters
    ----------
    name
        The option's name.
    flag
        The flag, with its dashes.
    title
        What a person calls the target.
    """

    name: str
    flag: str
    option: Option
    title: str


def all_flags() -> Iterator[Flag]:
    """Yield a flag for every option that has one; options that several targets share come once."""
    seen: set[str] = set()
    for target in map(find_target, target_names()):
        for name, option in options_of(target.options).items():
            if option.flag is not None and name not in seen:
                seen.add(name)
                yield Flag(name, option.flag, option, target.title)


def target_flags(options: Mapping[str, Any]) -> list[str]:
    """Write target options as words of a command.

    An option that no flag can express (Python callers may pass one) is left out.

    >>> target_flags({"namespace": "a", "labels": {"team": "x"}})
    ['--namespace', 'a', '--label', 'team=x']
    """
    words: list[str] = []
    for flag in all_flags():
        value = options.get(flag.name)
        if value:
            for text in _texts(flag.option, value):
                words += [flag.flag, text]
    return words


def _texts(option: Option, value: Any) -> list[str]:
    if option.kind == "table":
        return [f"{key}={item}" for key, item in dict(value).items()]
    if option.kind != "list":
        return [str(value)]
    if option.write is None:
        return [str(item) for item in value]
    written = map(option.write, value)
    return [text for text in written if text is not None]
