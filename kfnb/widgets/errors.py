"""Errors of a wrong call, shown in a notebook as a sentence without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from kfnb.draw import visible
from kfnb.errors import KfnbError

P = ParamSpec("P")
R = TypeVar("R")


def without_traceback(function: Callable[P, R]) -> Callable[P, R]:
    """Make IPython show only the message of a kfnb error that a function raises.

    The exception itself does not change, so code that catches it is not affected.
    """

    @wraps(function)
    def wrapper(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except KfnbError as error:
            text = "\n".join(visible(line) for line in f"kfnb: {error}".split("\n"))
            # IPython calls this method, if an exception has it, to render its traceback.
            error.__dict__["_render_traceback_"] = lambda: [text]
            raise

    return wrapper
