"""Say which part of a value cannot be saved, and what to do instead."""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from kfnb.step.values.describing import type_name

_PATIENCE = 5.0
_ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("generator", "async_generator", "coroutine", "zip", "map", "filter", "enumerate"),
     "Keep what it gives: list(...) of it, or make it in the step that uses it"),
    (("lock", "RLock", "Lock", "Condition", "Event", "Semaphore", "Thread", "_thread.RLock"),
     "Make it in the step that uses it, or leave it out of the object's state (__getstate__)"),
    (("TextIOWrapper", "BufferedReader", "BufferedWriter", "BufferedRandom", "FileIO"),
     "Close the file and keep its path; open it again in the step that needs it"),
    (("Connection", "Cursor", "socket", "SSLSocket", "Session", "Engine"),
     "Keep what it takes to connect, and connect in the step that uses it"),
)  # fmt: skip


class Unsaveable(Exception):  # noqa: N818 (a finding as much as an error)
    """A value that cannot be saved: ``path_in_value`` is the part that is in the way."""

    def __init__(
        self,
        *,
        name: str,
        type: str,
        path_in_value: str,
        reason: str,
        remedy: str,
    ) -> None:
        super().__init__(f"{path_in_value} cannot be saved: {reason}. {remedy}.")
        self.name = name
        self.type = type
        self.path_in_value = path_in_value
        self.reason = reason
        self.remedy = remedy


def refuse(
    name: str, value: object, error: BaseException, attempt: Callable[[object], object]
) -> Unsaveable:
    """Find the part of ``value`` that ``attempt`` fails on, and say what to do.

    The search is bounded in time: what it has found by then is said.
    """
    deep = isinstance(error, RecursionError) or "recursion" in str(error)
    if deep or isinstance(error, MemoryError):
        reason = "it is nested too deeply" if deep else "there is not enough memory to save it"
        return Unsaveable(
            name=name,
            type=type_name(value),
            path_in_value=name,
            reason=reason,
            remedy="Keep it in a flatter form, such as a list or an array",
        )
    deadline = time.monotonic() + _PATIENCE
    path, part, why = name, value, error
    seen: set[int] = set()
    while time.monotonic() < deadline:
        seen.add(id(part))
        for step, child in _children(part):
            if id(child) in seen:
                continue
            try:
                attempt(child)
            except Exception as found:
                path, part, why = path + step, child, found
                break
            if time.monotonic() > deadline:
                break
        else:
            break
    kind = type(part).__name__
    advice = next(
        (text for kinds, text in _ADVICE if kind in kinds),
        "Make it in the step that uses it, or keep something simpler that it can be made from",
    )
    own = str(why).strip().rstrip(".") or type(why).__name__
    reason = (
        f"a {type_name(part)} cannot leave its process"
        if kind in own
        else (f"saving a {type_name(part)} raised {type(why).__name__}: {own}")
    )
    return Unsaveable(
        name=name, type=type_name(part), path_in_value=path, reason=reason, remedy=advice
    )


def _children(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{_short(key)}]", item
            yield f".keys()[{_short(key)}]", key
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{n}]", item) for n, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f".{_short(item)}", item) for item in value)
    elif isinstance(value, types.FunctionType):
        for cell_name, cell in zip(
            value.__code__.co_freevars, value.__closure__ or (), strict=False
        ):
            try:
                yield f".closure.{cell_name}", cell.cell_contents
            except ValueError:
                continue
        yield from ((f".default[{n}]", d) for n, d in enumerate(value.__defaults__ or ()))
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
    elif not isinstance(value, (type, types.ModuleType)):
        state = getattr(value, "__dict__", None)
        if isinstance(state, dict):
            yield from ((f".{key}", item) for key, item in list(state.items()))
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, slot) and slot not in ("__dict__", "__weakref__"):
                    yield f".{slot}", getattr(value, slot)


def _short(key: object) -> str:
    try:
        text = repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return text if len(text) <= 40 else text[:37] + "..."
