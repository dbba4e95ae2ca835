"""Find the part of a value that cannot be saved, and say what to do instead."""

from __future__ import annotations

import collections
import io
import itertools
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kfnb.step.values.summaries import type_name

_SEARCH_SECONDS = 5.0
# The name of a class, or of one that it inherits from, and what helps.
_ADVICE: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"generator", "async_generator", "zip", "map", "filter", "enumerate"}),
     "Assign its items as a list(...), or create it in the step that uses it"),
    (frozenset({"coroutine", "Task", "Future"}),
     "Await it and assign its result"),
    (frozenset({"lock", "RLock", "Lock", "Condition", "Event", "Semaphore", "Barrier",
                "SemLock", "Queue", "SimpleQueue", "local"}),
     "Create it in the step that uses it, or exclude it from the object's state (__getstate__)"),
    (frozenset({"Thread", "Process", "BaseProcess", "Popen", "Pool", "Executor", "Client",
                "ThreadPoolExecutor", "ProcessPoolExecutor", "AbstractEventLoop"}),
     "Wait for its end in the step that started it, and assign its results"),
    (frozenset({"TextIOWrapper", "BufferedReader", "BufferedWriter", "BufferedRandom", "FileIO",
                "_TemporaryFileWrapper", "ZipFile", "TarFile", "mmap"}),
     "Close it and assign its path; open it again in the step that needs it"),
    (frozenset({"Connection", "Cursor", "socket", "Session", "Engine"}),
     "Assign the connection's parameters, and connect in the step that uses it"),
    (frozenset({"DisplayHandle"}),
     "Update a display only in the step that created it"),
)  # fmt: skip
_OTHERWISE = (
    "Create it in the step that uses it, or assign a simpler value from which that step can create "
    "it"
)


class Unsaveable(Exception):  # noqa: N818 (a finding as much as an error)
    """A value that cannot be saved, because of the part at ``path_in_value``."""

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

    The search is bounded in time and reports the innermost part that it has reached by then.
    """
    deep = isinstance(error, RecursionError) or "recursion" in str(error)
    # A search for the part would meet the same limit again.
    if deep or isinstance(error, MemoryError):
        reason = "it is nested too deeply" if deep else "there is not enough memory to save it"
        return Unsaveable(
            name=name,
            type=type_name(value),
            path_in_value=name,
            reason=reason,
            remedy="Assign it in a flatter form, such as a list or an array",
        )
    path, part, why = _culprit(name, value, error, attempt)
    own = " ".join(str(why).split()).rstrip(".") or type(why).__name__
    says = "cannot pickle" in own or "not pickleable" in own or type(part).__name__ in own
    return Unsaveable(
        name=name,
        type=type_name(part),
        path_in_value=path,
        reason=(
            f"{_described(part)} cannot be passed to another step"
            if _advice(part) or (says and type(why) is TypeError)
            else f"saving a {type_name(part)} raised {type(why).__name__}: {own}"
        ),
        remedy=_advice(part) or _OTHERWISE,
    )


def _described(part: object) -> str:
    return "an open file" if isinstance(part, io.IOBase) else f"a {type_name(part)}"


def _culprit(
    name: str, value: object, error: BaseException, attempt: Callable[[object], object]
) -> tuple[str, object, BaseException]:
    """Descend to the first part that cannot be saved by itself."""
    deadline = time.monotonic() + _SEARCH_SECONDS
    path, part, why = name, value, error
    seen: set[int] = set()
    while not _advice(part):
        seen.add(id(part))
        for step, child in _children(part):
            if time.monotonic() > deadline:
                return path, part, why
            # A value may contain itself.
            if id(child) in seen:
                continue
            try:
                attempt(child)
            except Exception as failure:
                path, part, why = path + step, child, failure
                break
        else:
            break
    return path, part, why


def _advice(part: object) -> str | None:
    if isinstance(part, type):
        return None
    # A class of the notebook may happen to be called Session or Client.
    names = {kind.__name__ for kind in type(part).__mro__ if kind.__module__ != "__main__"}
    return next((text for kinds, text in _ADVICE if not kinds.isdisjoint(names)), None)


def _children(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{_short(key)}]", item
            yield f".keys()[{_short(key)}]", key
    elif isinstance(value, (list, tuple, collections.deque)):
        yield from ((f"[{n}]", item) for n, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f"[{_short(item)}]", item) for item in value)
    elif isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        for name, cell in cells:
            try:
                yield f".<closure>.{name}", cell.cell_contents
            except ValueError:
                continue
        yield from ((f".__defaults__[{n}]", d) for n, d in enumerate(value.__defaults__ or ()))
        yield from (
            (f".__kwdefaults__[{_short(n)}]", d) for n, d in (value.__kwdefaults__ or {}).items()
        )
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
    elif isinstance(value, type):
        yield from ((f".{key}", item) for key, item in list(vars(value).items()))
        return
    elif (items := _elements(value)) is not None:
        yield from ((f"[{_short(key)}]", item) for key, item in items)
        return
    if not isinstance(value, types.ModuleType):
        state = getattr(value, "__dict__", None)
        if isinstance(state, dict):
            yield from ((f".{key}", item) for key, item in list(state.items()))
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                    yield f".{slot}", getattr(value, slot)
        for part in ("func", "args", "keywords"):  # functools.partial has them in C
            if type(value).__name__ == "partial" and hasattr(value, part):
                yield f".{part}", getattr(value, part)


def _elements(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """Yield the objects in an array, a series or a frame; None for anything else."""
    package = type(value).__module__.partition(".")[0]
    if package == "numpy" and getattr(getattr(value, "dtype", None), "hasobject", False):
        return ((key[0] if len(key) == 1 else key, value[key]) for key in _indices(value.shape))
    if package == "pandas" and type(value).__name__ in ("DataFrame", "Series"):
        pairs: Iterator[tuple[Any, Any]] = iter(value.items())
        return pairs
    return None


def _indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(size) for size in shape))


def _short(key: object) -> str:
    try:
        text = repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return text if len(text) <= 40 else text[:37] + "..."
