"""The ``%%step`` line on top of a cell, as a claim."""

from __future__ import annotations

import shlex
from typing import Any

from kfnb.notebook.claims import Claim, merge, option

_TAKES = (
    "--after",
    "--changes",
    "--image",
    "--cpu",
    "--memory",
    "--gpu",
    "--limit",
    "--retries",
    "--timeout",
    "--env",
    "--secret",
    "--label",
    "--annotation",
)
USAGE = (
    "%%step NAME [--after A,B] [--changes X] [--image I] [--cpu C] [--memory M] [--gpu G] "
    "[--retries N] [--timeout 30m] [--cache | --no-cache]"
)


def claim_of(source: str) -> Claim | None:
    """Read the ``%%step`` line of a cell; None where there is none."""
    line = source.lstrip().partition("\n")[0].strip()
    head, _, rest = line.partition(" ")
    if head != "%%step":
        return None
    try:
        words = shlex.split(rest)
    except ValueError as error:
        return _wrong(f"the %%step line cannot be split into words ({error})")
    names: list[str] = []
    lists: dict[str, list[str]] = {"--after": [], "--changes": []}
    options: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if flag in ("--cache", "--no-cache"):
            options["cache"] = flag == "--cache"
        elif flag in _TAKES:
            if not equals:
                if not words:
                    return _wrong(f"{flag} of the %%step line needs a value")
                value = words.pop(0)
            if flag in lists:
                lists[flag] += [part.strip() for part in value.split(",") if part.strip()]
                continue
            try:
                name, given = option(flag[2:], value)
            except ValueError as error:
                return _wrong(f"{flag} of the %%step line {error}, not {value!r}")
            options, _ = merge(options, {name: given})
        elif word.startswith("-"):
            return _wrong(f'the %%step line has an unknown option "{word}"')
        else:
            names.append(word)
    if not names:
        return _wrong("the %%step line names no step")
    return Claim(
        "step", " ".join(names), tuple(lists["--after"]), tuple(lists["--changes"]), False, options
    )


def _wrong(sentence: str) -> Claim:
    return Claim(problems=(("KFNB-E207", sentence, f"Write {USAGE}."),))
