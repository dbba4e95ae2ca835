"""What is wrong with a call, as a sentence: a notebook shows it without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from kfnb.draw import visible
from kfnb.errors import KfnbError

P = ParamSpec("P")
R = TypeVar("R")


def in_a_sentence(function: Callable[P, R]) -> Callable[P, R]:
    """Let IPython show an error of kfnb's that a function raises as its sentence alone.

    The error stays what it is: who catches it, and Python outside of a notebook, see no other.
    """

    @wraps(function)
    def telling(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except KfnbError as error:
            said = "\n".join(visible(line) for line in f"kfnb: {error}".split("\n"))
            # IPython asks the error how it is to be shown.
            error.__dict__["_render_traceback_"] = lambda: [said]
            raise

    return telling
