"""Compare values of the live kernel with saved ones, for ``kfnb check --verify``.

It runs in the user's kernel: standard library only. Libraries of the values are used only if the
notebook has imported them.
"""

from __future__ import annotations

import enum
import functools
import json
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_PLAIN = (int, bool, str, bytes, complex, type(None), type(...), range, slice)
_DEEPEST = 800


def against(spec_path: str, namespace: Mapping[str, Any]) -> None:
    """Compare names of ``namespace`` with saved values, and append the results to a file.

    The JSON file at ``spec_path`` contains ``{"step", "result", "bundles": [{"files",
    "names"}], "absent": [names], "keep": folder, "definitions": [names]}``; one JSON line a name is
    appended to ``result``: ``{"step", "name", "verdict": same|differs|unknown, "reason"}``.
    The names are also saved in the folder ``keep``, for comparing a second reference
    with this one: ``index.json`` says ``{"absent", "bundles"}`` as above.
    """
    from kfnb.step import values

    spec = json.loads(Path(spec_path).read_text(encoding="utf-8"))
    lines: list[dict[str, Any]] = []

    def add(name: str, verdict: str, reason: str = "") -> None:
        lines.append({"step": spec["step"], "name": name, "verdict": verdict, "reason": reason})

    for name in spec["absent"]:
        if name in namespace:
            add(name, "differs", "it is assigned in the notebook, but not in the pipeline")
        else:
            add(name, "same")
    saved: list[dict[str, Any]] = []
    for number, bundle in enumerate(spec["bundles"]):
        here = {name: namespace[name] for name in bundle["names"] if name in namespace}
        saved += _save(values, here, spec, number)
        comparison = Comparison()
        try:
            loaded = values.load([Path(f) for f in bundle["files"]]).values
        except Exception as error:
            for name in bundle["names"]:
                add(name, "unknown", f"the saved value cannot be loaded here: {error}")
            continue
        for name in bundle["names"]:
            if name not in namespace:
                add(name, "differs", "it is assigned in the pipeline, but not in the notebook")
                continue
            try:
                reason = comparison.difference(namespace[name], loaded[name], name)
            except (RecursionError, Incomparable) as error:
                add(name, "unknown", str(error) or "too deep")
            except Exception as error:
                add(name, "unknown", f"{type(error).__name__}: {error}")
            else:
                add(name, "differs" if reason else "same", reason or "")
    index = {"absent": [n for n in spec["absent"] if n not in namespace], "bundles": saved}
    (Path(spec["keep"]) / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with Path(spec["result"]).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def _save(
    values: Any, here: Mapping[str, Any], spec: Mapping[str, Any], number: int
) -> list[dict[str, Any]]:
    folder = Path(spec["keep"]) / str(number)
    folder.mkdir(exist_ok=True)
    try:
        saved = values.save(
            here, folder=folder, definitions=spec["definitions"], origin=f"{spec['step']}/{number}"
        )
    except Exception:
        # A second reference then has nothing to be compared with.
        return []
    return [{"files": [str(f) for f in b.files], "names": list(b.names)} for b in saved.bundles]


class Incomparable(Exception):  # noqa: N818  (an answer, not an error)
    """Two values of a kind that cannot be compared."""


class Comparison:
    """Structural comparison of values, including which parts are one object."""

    def __init__(self) -> None:
        self._partner: dict[int, tuple[Any, Any]] = {}
        self._depth = 0

    def difference(self, here: Any, there: Any, path: str) -> str | None:
        """Say how ``there`` differs from ``here``; None if it does not."""
        if type(here) is not type(there) and _class_name(here) != _class_name(there):
            return f"{path} is {_class_name(here)} in the notebook, {_class_name(there)} here"
        if isinstance(here, float):
            # NaN is not equal to itself, but two of them are no difference.
            same = here == there or (here != here and there != there)
            return None if same else _values(path, here, there)
        if isinstance(here, _PLAIN) and type(here) in _PLAIN:
            return None if here == there else _values(path, here, there)
        known = self._partner.get(id(here))
        if known is not None:
            # It makes no difference whether equal tuples are one object or two.
            if known[1] is there or isinstance(here, (tuple, frozenset)):
                return None
            return f"{path} is shared with another name in the notebook, but not here"
        # Both are held, because Python may give the id of a deleted object to another one.
        self._partner[id(here)] = (here, there)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Incomparable("too deep to compare")
        try:
            return self._structure(here, there, path)
        finally:
            self._depth -= 1

    def _structure(self, here: Any, there: Any, path: str) -> str | None:
        kind = type(here)
        if kind in (list, tuple):
            return self._sequence(here, there, path)
        if kind is dict:
            return self._mapping(here, there, path)
        if kind in (set, frozenset):
            return None if here == there else self._unordered(here, there, path)
        if isinstance(here, (type, types.ModuleType, enum.Enum, types.BuiltinFunctionType)):
            return None if repr(here) == repr(there) else _values(path, here, there)
        if kind is types.FunctionType:
            return self._function(here, there, path)
        if kind is types.MethodType:
            return self.difference(here.__self__, there.__self__, f"{path}.__self__")
        if kind is functools.partial:
            return self._sequence(
                [here.func, here.args, here.keywords],
                [there.func, there.args, there.keywords],
                path,
            )
        if (known := _by_library(here, there)) is not None:
            return None if known else f"{path} differs: {_short(here)} and {_short(there)}"
        if type(here).__module__ == "numpy" and hasattr(here, "dtype") and here.dtype.hasobject:
            if here.shape != there.shape:
                return f"{path} has shape {here.shape} in the notebook, {there.shape} here"
            return self._sequence(here.ravel().tolist(), there.ravel().tolist(), path)
        return self._reduced(here, there, path)

    def _sequence(self, here: Iterable[Any], there: Iterable[Any], path: str) -> str | None:
        left, right = list(here), list(there)
        if len(left) != len(right):
            return f"{path} has {len(left)} items in the notebook, {len(right)} here"
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if difference := self.difference(one, other, f"{path}[{index}]"):
                return difference
        return None

    def _mapping(self, here: Mapping[Any, Any], there: Mapping[Any, Any], path: str) -> str | None:
        # The order of the keys counts as well, since the notebook may iterate over them.
        if difference := self._sequence(here.keys(), there.keys(), f"{path}.keys()"):
            return difference
        for (key, one), other in zip(here.items(), there.values(), strict=True):
            if difference := self.difference(one, other, f"{path}[{_short(key)}]"):
                return difference
        return None

    def _unordered(self, here: Any, there: Any, path: str) -> str | None:
        # Members of classes without __eq__ equal only themselves, so compare their text.
        if sorted(map(repr, here)) == sorted(map(repr, there)):
            return None
        return _values(path, here, there)

    def _function(self, here: Any, there: Any, path: str) -> str | None:
        if _code(here.__code__) != _code(there.__code__):
            return f"{path} is another function in the notebook"
        left = [here.__defaults__, here.__kwdefaults__, here.__dict__, _cells(here)]
        right = [there.__defaults__, there.__kwdefaults__, there.__dict__, _cells(there)]
        return self._sequence(left, right, path)

    def _reduced(self, here: Any, there: Any, path: str) -> str | None:
        """Compare what pickle would save of two objects."""
        try:
            left, right = here.__reduce_ex__(4), there.__reduce_ex__(4)
        except Exception as error:
            raise Incomparable(f"{path} cannot be compared: {error}") from error
        if isinstance(left, str) or isinstance(right, str):
            return None if left == right else _values(path, here, there)
        names = ("made by", "made of", "state", "items", "entries")
        for name, one, other in zip(names, left, right, strict=False):
            if name in ("items", "entries"):
                one, other = list(one or ()), list(other or ())
            if name == "state" and isinstance(one, dict) and isinstance(other, dict):
                # The order in which attributes were set does not matter.
                one, other = _sorted(one), _sorted(other)
            if difference := self.difference(
                one, other, path if name == "state" else f"{path} ({name})"
            ):
                return difference
        return None


def _by_library(here: Any, there: Any) -> bool | None:
    """Let a library compare its own values; None if no known library made them."""
    module = type(here).__module__.partition(".")[0]
    if module == "numpy" and hasattr(here, "dtype"):
        if here.dtype.hasobject:
            return None
        if here.dtype != there.dtype or here.shape != there.shape:
            return False
        # By bytes, because NaN is not equal to itself.
        return bool(here.tobytes() == there.tobytes())
    if module == "pandas" and hasattr(here, "equals"):
        same = bool(here.equals(there)) and getattr(here, "attrs", {}) == getattr(
            there, "attrs", {}
        )
        # equals() ignores the names and the types of the axes.
        for axis in ("index", "columns", "name", "names"):
            if hasattr(here, axis):
                same = same and repr(getattr(here, axis)) == repr(getattr(there, axis))
        return same and repr(getattr(here, "dtypes", "")) == repr(getattr(there, "dtypes", ""))
    if module in ("polars", "pyarrow") and hasattr(here, "equals"):
        return bool(here.equals(there))
    if module == "torch" and hasattr(here, "equal"):
        return bool(here.dtype == there.dtype and here.equal(there))
    return None


def _class_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _code(code: types.CodeType) -> tuple[Any, ...]:
    constants = tuple(
        # By text, because 0.0 and -0.0, or 1 and True, are equal.
        _code(c) if isinstance(c, types.CodeType) else repr(c)
        for c in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, constants


def _cells(function: Any) -> list[Any]:
    return [_content(cell) for cell in function.__closure__ or ()]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # Empty: the name is not bound yet.
        return None


def _sorted(state: dict[Any, Any]) -> dict[Any, Any]:
    return dict(sorted(state.items(), key=lambda item: str(item[0])))


def _values(path: str, here: Any, there: Any) -> str:
    return f"{path} is {_short(here)} in the notebook, {_short(there)} here"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"<{_class_name(value)}>"
    limit = 80
    return text if len(text) <= limit else text[: limit - 1] + "…"
