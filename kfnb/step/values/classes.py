"""Classes that are pickled by value: each keeps one identity and one state in every kernel.

cloudpickle recognises a class that it has loaded before by an id. Here, the id is derived from
where the class was made, so that it is the same each time a step makes it. Several bundles may
contain one class, saved before and after it was changed: each copy has the number of changes, and
the latest counts, in whatever order they are loaded. Saved files name :func:`make_class` and
:func:`set_state` by module path, so these two must stay here.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any

from cloudpickle import cloudpickle as machinery

# Python sets these by itself, so they do not show that somebody changed the class.
_NOT_STATE = frozenset({
    "__dict__", "__weakref__", "_abc_impl", "__abstractmethods__", "__firstlineno__",
    "__static_attributes__", "__annotations__", "__annotations_cache__", "__annotate_func__",
    "__annotate__", "__slotnames__",
})  # fmt: skip
_PLAIN = (int, float, complex, str, bytes, type(None), type, types.FunctionType, property,
          staticmethod, classmethod, types.MemberDescriptorType)  # fmt: skip

_loaded: weakref.WeakKeyDictionary[Any, tuple[int, dict[str, Any]]] = weakref.WeakKeyDictionary()


def track(kind: Any, origin: str) -> str | None:
    """Give a class or type variable an id that is derived from where it was made.

    Returns
    -------
    str or None
        The new id; None if it had one.
    """
    with machinery._DYNAMIC_CLASS_TRACKER_LOCK:
        if kind in machinery._DYNAMIC_CLASS_TRACKER_BY_CLASS:
            return None
        # A step may make several classes of one name.
        number = 0
        name = getattr(kind, "__qualname__", kind.__name__)
        while True:
            text = f"{origin}\0{name}\0{number}"
            key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
            if key not in machinery._DYNAMIC_CLASS_TRACKER_BY_ID:
                break
            number += 1
        machinery._DYNAMIC_CLASS_TRACKER_BY_CLASS[kind] = key
        machinery._DYNAMIC_CLASS_TRACKER_BY_ID[key] = kind
    return key


def forget(kind: Any, key: str) -> None:
    """Remove the id that :func:`track` gave."""
    with machinery._DYNAMIC_CLASS_TRACKER_LOCK:
        machinery._DYNAMIC_CLASS_TRACKER_BY_CLASS.pop(kind, None)
        machinery._DYNAMIC_CLASS_TRACKER_BY_ID.pop(key, None)


def by_value(kind: type) -> bool:
    """Tell whether no module has this class under its name."""
    # pickle knows these three, although builtins does not have them under their names.
    return not machinery._should_pickle_by_reference(kind) and kind not in (
        type(None),
        type(...),
        type(NotImplemented),
    )


def with_version(kind: type, reduced: Any) -> Any:
    """Add the number of changes to cloudpickle's reduction of a class."""
    if not isinstance(reduced, tuple) or len(reduced) != 6:
        return reduced
    make, arguments, state, items, pairs, setter = reduced
    if setter is not machinery._class_setstate:
        return reduced
    # Python adds these to a class when it is pickled, or asked for annotations that it lacks.
    state[0].pop("__slotnames__", None)
    if not state[0].get("__annotations__", True):
        del state[0]["__annotations__"]
    if make is machinery._make_skeleton_class:
        make = make_class
    return make, arguments, (version(kind), kind.__qualname__, state), items, pairs, set_state


def make_class(
    constructor: type,
    name: str,
    bases: tuple[type, ...],
    contents: dict[str, Any],
    key: str,
    *_: Any,
) -> type:
    """Rebuild a class, unless this kernel has it already; :func:`set_state` fills it.

    The notebook's own hooks (a metaclass's ``__new__`` and ``__init__``, ``__init_subclass__``)
    are not called again: what they did when the class was made is part of its state.
    """
    with machinery._DYNAMIC_CLASS_TRACKER_LOCK:
        known: type | None = machinery._DYNAMIC_CLASS_TRACKER_BY_ID.get(key)
    if known is not None:
        return known
    contents = {sys.intern(attribute): value for attribute, value in contents.items()}
    makers = [m for m in constructor.__mro__ if m.__module__ != "__main__"]
    with _no_hooks(bases):
        if makers[0] is constructor:
            made = types.new_class(
                name, bases, {"metaclass": constructor}, lambda body: body.update(contents)
            )
        else:
            made = makers[0].__new__(constructor, name, types.resolve_bases(bases), contents)
    tracked: type = machinery._lookup_class_or_track(key, made)
    return tracked


@contextlib.contextmanager
def _no_hooks(bases: tuple[type, ...]) -> Iterator[None]:
    hook = "__init_subclass__"
    # A base in the source need not be a class (typing.NamedTuple is a function).
    above = {base for each in bases if isinstance(each, type) for base in each.__mro__}
    own = {base for base in above if base.__module__ == "__main__"}
    hooks = {base: vars(base)[hook] for base in own if hook in vars(base)}
    for base in hooks:
        # Not delattr(), because a metaclass may have its own __delattr__.
        type.__delattr__(base, hook)
    try:
        yield
    finally:
        for base, function in hooks.items():
            type.__setattr__(base, hook, function)


def set_state(kind: type, state: tuple[int, str, Any]) -> type:
    """Fill a class that was loaded, unless this kernel has a later state of it."""
    number, name, contents = state
    known = _loaded.get(kind)
    if known is None or known[0] < number:
        machinery._class_setstate(kind, contents)
        if kind.__qualname__ != name:
            kind.__qualname__ = name
        _loaded[kind] = number, _snapshot(kind)
    return kind


def own_parts(kind: type) -> Iterator[Any]:
    """Yield the objects that a class holds; sharing them does not tie its instances together.

    A class keeps its identity by its id, so values that share it need not be in one bundle.
    """
    for item in vars(kind).values():
        yield item
        for function in _functions(item):
            yield function
            yield function.__dict__
            yield function.__kwdefaults__
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
            yield from (cell for name, cell in cells if name == "__class__")


def _functions(item: Any) -> Iterator[types.FunctionType]:
    if isinstance(item, property):
        candidates = (item.fget, item.fset, item.fdel)
    else:
        candidates = (getattr(item, "__func__", item), None, None)
    yield from (f for f in candidates if isinstance(f, types.FunctionType))


def version(kind: type) -> int:
    """Return how often a class was changed since it was made."""
    known = _loaded.get(kind)
    if known is None:
        return 0
    number, then = known
    now = _snapshot(kind)
    same = then.keys() == now.keys() and all(_same(then[name], now[name]) for name in then)
    return number if same else number + 1


def _snapshot(kind: type) -> dict[str, Any]:
    return {
        name: (item, _contents(item)) for name, item in vars(kind).items() if name not in _NOT_STATE
    }


def _same(then: tuple[Any, bytes | None], now: tuple[Any, bytes | None]) -> bool:
    return then[0] is now[0] and then[1] == now[1]


def _contents(item: Any) -> bytes | None:
    if isinstance(item, _PLAIN):
        return None
    try:
        return pickle.dumps(item)
    except Exception:
        return None  # Only the replacement of such an object is noticed.
