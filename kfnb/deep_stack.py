"""Calling a function with a large stack, for trees and values that are nested very deeply."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def with_deep_stack(work: Callable[[], T], *, recursion: int, stack: int) -> T:
    """Call ``work`` in a thread of its own, whose stack is large, and return its result.

    Parameters
    ----------
    recursion
        Python's limit of nested calls meanwhile, unless it is higher already.
    stack
        Size of the thread's stack in bytes.

    Raises
    ------
    RecursionError
        If that is not enough; other errors of ``work`` are raised here too.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def act() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    # The size is for all threads that start later, so the old one is restored below.
    limit, size = sys.getrecursionlimit(), threading.stack_size(stack)
    try:
        sys.setrecursionlimit(max(limit, recursion))
        thread = threading.Thread(target=act, name="kfnb-deep-stack")
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if errors:
        raise errors[0]
    return results[0]
