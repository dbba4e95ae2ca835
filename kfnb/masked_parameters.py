"""Which parameters are secrets, and how their values travel between processes.

Whatever is stored or shown has :data:`MASK` in place of such a value. The value itself is passed
to a child process through a pipe, because files, arguments and variables of the environment can be
read by others, or outlive the run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MASK = "***"
"""What is stored and shown instead of a masked value."""

DIGEST = "masked:"
"""The beginning of a digest, which stands for a masked value where values are compared."""

VARIABLE = "KFNB_MASKED_FD"
"""The variable that gives a process the number of the pipe with its masked values."""

_SECRET = re.compile(
    r"(?:.*_)?(?:password|passwd|secret|token|api_key|access_key|secret_key|private_key)",
    re.IGNORECASE | re.DOTALL,
)
# A pipe takes at least so many bytes without a reader.
_MOST = 60_000


class TooLongError(ValueError):
    """The masked values of a run do not fit into a pipe."""


def is_masked_name(name: str) -> bool:
    """Return whether a parameter's name says that its value is a secret.

    >>> [is_masked_name(name) for name in ("password", "db_password", "API_KEY", "tokens")]
    [True, True, True, False]
    """
    return _SECRET.fullmatch(name) is not None


def masked_names(
    names: Collection[str], *, mask: Collection[str] = (), no_mask: Collection[str] = ()
) -> list[str]:
    """Return which of a notebook's parameters are masked, in their order."""
    return [n for n in names if n in mask or (is_masked_name(n) and n not in no_mask)]


def shown(values: Mapping[str, Any], masked: Collection[str]) -> dict[str, Any]:
    """Return parameters as they may be shown; an empty value hides nothing."""
    return {n: MASK if n in masked and v not in (None, "") else v for n, v in values.items()}


@contextmanager
def passed(values: Mapping[str, Any]) -> Iterator[int | None]:
    """Give the read end of a pipe that has the values; None if there are none.

    Raises
    ------
    TooLongError
        If they do not fit into a pipe.
    """
    if not values:
        yield None
        return
    data = json.dumps(dict(values)).encode()
    if len(data) > _MOST:
        raise TooLongError(
            f"The masked parameters {', '.join(values)} have more than {_MOST} bytes together. "
            "Pass the path of a file instead, and read it in the step."
        )
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
    finally:
        os.close(writing)
    try:
        yield reading
    finally:
        os.close(reading)


def received(environment: MutableMapping[str, str]) -> dict[str, Any]:
    """Read the values that were passed to this process, and forget where they were."""
    number = environment.pop(VARIABLE, "")
    if not number:
        return {}
    try:
        with os.fdopen(int(number), "rb") as pipe:
            values: dict[str, Any] = json.loads(pipe.read())
    except (OSError, ValueError):
        return {}
    return values


def hide_arguments(
    texts: Sequence[str],
    *,
    mask: Collection[str] = (),
    no_mask: Collection[str] = (),
    all_pairs: bool = False,
) -> None:
    """Overwrite the values of masked parameters in this process's command line, as ``ps`` shows it.

    Parameters
    ----------
    texts
        The ``NAME=VALUE`` pairs of the command line.
    mask, no_mask
        Names that are masked, or not, whatever the name says.
    all_pairs
        Whether all of them are masked.
    """
    for text in texts:
        name, sign, value = text.partition("=")
        name = name.strip()
        if sign and value and (all_pairs or masked_names([name], mask=mask, no_mask=no_mask)):
            _overwrite(os.fsencode(text), after=len(os.fsencode(text)) - len(os.fsencode(value)))


def _overwrite(argument: bytes, *, after: int) -> None:
    """Replace the end of an argument in the memory that ``/proc/PID/cmdline`` shows."""
    try:
        with Path("/proc/self/stat").open("rb") as file:  # only Linux has it
            # The name of the program, in parentheses, may contain spaces.
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        import ctypes

        line = ctypes.string_at(start, end - start)
        at = line.find(argument)
        while at >= 0:
            ctypes.memset(start + at + after, ord("*"), len(argument) - after)
            at = line.find(argument, at + len(argument))
    except (OSError, ValueError, IndexError, ImportError):
        return
