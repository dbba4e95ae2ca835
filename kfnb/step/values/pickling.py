"""cloudpickle for values that move from one notebook kernel to another.

It differs from cloudpickle in four ways. Definitions of the notebook that every step replays from
source are pickled by reference. Other functions use the ``__main__`` of the kernel that loads them,
and closures still share their cells. Classes by value keep one identity, the same each time.
Arrays keep their memory layout, and share memory after loading if they did before.
"""

from __future__ import annotations

import gc
import io
import logging
import pickle
import sys
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

import cloudpickle

from kfnb.step.values import arrays, classes, frames, functions, subarrays, tensors
from kfnb.step.values.codecs import codec_of

OUT_OF_BAND = 64 * 1024
"""Buffers of this many bytes and more are not copied into the pickle."""
SINGLETONS = (
    ("dataclasses", "MISSING"),
    ("dataclasses", "KW_ONLY"),
    ("random", "_inst"),
    ("sys", "stdout"),
    ("sys", "stderr"),
    ("numpy.random.mtrand", "_rand"),
)
"""Objects that libraries compare by identity, or that are one for the whole process."""

_REFUSED = {
    ("IPython.core.display_functions", "DisplayHandle"),
    ("IPython.display", "DisplayHandle"),
    # What it removes is gone when the process ends that has made it.
    ("weakref", "finalize"),
}
_LOADS = frozenset(
    ("__main__", "numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "statsmodels", "torch",
     "xgboost", "lightgbm", "catboost", "networkx", "xarray", "PIL", "geopandas", "shapely",
     "dateutil", "pytz", "pydantic", "attr", "attrs", "omegaconf", "tqdm", "joblib", "kfnb")
)  # fmt: skip
"""Packages whose objects load if they can be saved."""
# Python has no public names for these types.
_VIEWS: dict[type, tuple[type, Any]] = {
    type(getattr(kind(), name)()): (kind, getattr(kind, name))
    for kind in (dict, OrderedDict)
    for name in ("keys", "values", "items")
}
_Reducer = Callable[[Any], Any]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles values of ``__main__``.

    Parameters
    ----------
    definitions
        Names that every step that loads the value replays from source.
    origin
        Stable text from which the ids of classes made here are derived.
    layout
        Memory that several arrays of the value share.

    Attributes
    ----------
    classes, globals
        Definitions that a kernel needs to load the value, and names that its functions read.
    leaves
        Objects in the value that cannot be changed through two names, by id.
    uses
        Arrays in the value, with their addresses.
    versions
        Classes that are pickled by value, and how often each was changed.
    unproven
        Whether it has met an object of a class of which it is not known whether it loads again.
    foreign
        Whether the value contains instances of other packages' classes, which may hide state.
    """

    def __init__(
        self,
        file: io.BytesIO,
        *,
        definitions: Collection[str],
        origin: str,
        layout: arrays.Layout | None = None,
    ) -> None:
        self.buffers: list[memoryview] = []
        # The first protocol with buffers out of band.
        super().__init__(file, protocol=5, buffer_callback=self._store_out_of_band)
        self._origin = origin
        self._layout = layout or arrays.Layout()
        self._main = vars(sys.modules["__main__"])
        self._names = frozenset(definitions)
        self._references = _references(self._main, self._names)
        self._how: dict[type, _Reducer | None] = {}
        self._cells: dict[int, Any] = {}
        self._wholes: dict[int, Any] = {}
        self.classes: dict[str, None] = {}
        self.globals: dict[str, None] = {}
        self.leaves: dict[int, Any] = {}
        self.uses: list[arrays.Use] = []
        self.versions: dict[type, int] = {}
        self.foreign = False
        self.unproven = False

    def reducer_override(self, obj: Any) -> Any:
        """Reduce objects for which cloudpickle's way is not the right one."""
        if id(obj) in self._references:
            return self._reference(obj)
        kind = type(obj)
        try:
            # Found once for each type, because a value may hold millions of objects.
            how = self._how[kind]
        except KeyError:
            how = self._how[kind] = self._reducer(kind)
        return NotImplemented if how is None else how(obj)

    def _reducer(self, kind: type) -> _Reducer | None:
        """Find out how values of a type are reduced; None if as pickle does."""
        if kind is types.FunctionType:
            return self._function
        if issubclass(kind, type):
            return self._class
        if kind is functions.CACHED:
            return self._cached
        # Cells are filled by their functions' state, so that functions which share a cell still do.
        if kind is types.CellType:
            return lambda cell: (types.CellType, ()) if id(cell) in self._cells else NotImplemented
        if kind is typing.TypeVar:
            return self._type_variable
        # A logger is pickled by its name, so values that hold the same one share nothing.
        if issubclass(kind, logging.Logger):
            return self._leaf
        if kind in _VIEWS:
            return _view
        if kind is io.TextIOWrapper or (kind.__module__, kind.__name__) in _REFUSED:
            return _refuse
        package = kind.__module__.partition(".")[0]
        self.foreign |= package != "numpy" and package not in sys.stdlib_module_names
        self.unproven |= package not in _LOADS and package not in sys.stdlib_module_names
        if arrays.is_array_kind(kind):
            return self._array
        if arrays.is_dtype_kind(kind):
            return self._dtype
        if subarrays.knows(kind):
            return subarrays.reduce
        if tensors.knows(kind):
            return lambda storage: tensors.reduce(storage) or NotImplemented
        if frames.has_parts(kind):
            return self._frame
        codec = codec_of(kind)
        if codec is not None:
            return lambda value: codec.reduce(value) or NotImplemented
        return None

    def _store_out_of_band(self, buffer: pickle.PickleBuffer) -> bool:
        try:
            view = buffer.raw()
        # Memory with gaps cannot be saved out of band.
        except BufferError:
            return True
        if view.nbytes < OUT_OF_BAND:
            return True
        self.buffers.append(view)
        return False

    def _leaf(self, obj: Any) -> Any:
        self.leaves[id(obj)] = obj
        return NotImplemented

    def _reference(self, obj: Any) -> Any:
        home, name = self._references[id(obj)]
        self._leaf(obj)
        if home is not None:
            return getattr, (sys.modules[home], name)
        self.classes[name] = None
        return functions.lookup, (name,)

    def _named(self, obj: Any) -> Any:
        """Reduce a part of a definition to a reference; None if it is not part of one."""
        name = getattr(obj, "__qualname__", "")
        top = name.partition(".")[0]
        if top not in self._names or "<locals>" in name:
            return None
        if functions.find(self._main, name) is not obj:
            return None
        self.classes[top] = None
        return functions.lookup, (name,)

    def _function(self, function: types.FunctionType) -> Any:
        # A library's wrapper may claim to be in __main__; its globals show that it is not.
        if function.__globals__ is not self._main:
            for part in (
                function.__dict__,
                function.__kwdefaults__,
                function.__globals__.get("__path__"),
                getattr(function, "__annotations__", None),
                *(function.__closure__ or ()),
            ):
                self._leaf(part)
            return super().reducer_override(function)
        if (reduced := self._named(function)) is not None:
            return reduced
        self._cells.update((id(cell), cell) for cell in function.__closure__ or ())
        for name in functions.reads(function):
            if name in self._main:
                self.globals[name] = None
        return functions.reduce(function)

    def _cached(self, function: Any) -> Any:
        if function.__module__ != "__main__":
            return NotImplemented
        return self._named(function) or (
            functions.cached,
            (function.__wrapped__, function.cache_parameters()),
        )

    def _class(self, kind: type) -> Any:
        if kind.__module__ == "__main__" and (reduced := self._named(kind)) is not None:
            return reduced
        if not classes.by_value(kind):
            return super().reducer_override(kind)
        self.track(kind)
        self.versions[kind] = classes.version(kind)
        for part in classes.own_parts(kind):
            self._leaf(part)
        return classes.with_version(kind, super().reducer_override(kind))

    def _type_variable(self, variable: Any) -> Any:
        self.track(variable)
        return self._leaf(variable)

    def track(self, kind: Any) -> None:
        """Give a class that is pickled by value its id."""
        classes.track(kind, self._origin)

    def _frame(self, frame: Any) -> Any:
        for part in frames.constant_parts(frame):
            self._leaf(part)
        return NotImplemented

    def _dtype(self, dtype: Any) -> Any:
        reduced = dtype.__reduce__()
        for part in reduced[2]:  # All arrays with this dtype share one table of fields.
            self._leaf(part)
        return reduced

    def _array(self, array: Any) -> Any:
        # This is the piece of memory itself, to which views of it refer.
        if id(array) in self._wholes:
            return NotImplemented
        self.uses.append(arrays.use(array))
        hull = self._layout.find(array)
        if hull is not None:
            self._wholes[id(hull.whole)] = hull.whole
            reduced = arrays.reduce_view(array, hull) if hull.whole is not array else None
            if reduced is not None:
                return reduced
        flags = array.flags
        if array.dtype.kind in arrays.BUFFERED and (flags.c_contiguous or flags.f_contiguous):
            return NotImplemented
        reduced = arrays.reduce_memory(array)
        if reduced is None:
            return NotImplemented
        self._wholes[id(reduced[1][0])] = reduced[1][0]
        return reduced


def _references(main: dict[str, Any], names: Collection[str]) -> dict[int, tuple[Any, str]]:
    """Return objects to pickle by reference, by id: their module (None: ``__main__``) and name."""
    references: dict[int, tuple[Any, str]] = {}
    for home, name in SINGLETONS:
        loaded = sys.modules.get(home)
        if loaded is not None and getattr(loaded, name, None) is not None:
            references[id(getattr(loaded, name))] = home, name
    for name in sorted(names):
        obj = main.get(name)
        # pickle refers to these by module and name anyway.
        if isinstance(obj, types.ModuleType) or importable(obj):
            continue
        # The result of a decorator counts as well. An object that is neither class nor function
        # counts only if it has the name itself, because the step may have bound another one.
        if isinstance(obj, (type, types.FunctionType)) or getattr(obj, "__name__", None) == name:
            references[id(obj)] = None, name
    return references


def importable(value: Any) -> bool:
    """Tell whether a value is a module's own class or function, which can be imported."""
    name = getattr(value, "__qualname__", None)
    home = sys.modules.get(getattr(value, "__module__", None) or "")
    if not isinstance(name, str) or home is None or home.__name__ == "__main__":
        return False
    return functions.find(vars(home), name) is value


def _view(view: Any) -> Any:
    """Reduce a view of a dict to the call that makes it; cloudpickle would copy its items."""
    kind, method = _VIEWS[type(view)]
    # The attribute `mapping` of a view is only a read-only proxy of the dictionary.
    (shown,) = (obj for obj in gc.get_referents(view) if isinstance(obj, kind))
    return method, (shown,)


def _refuse(value: Any) -> Any:
    raise TypeError(f"cannot pickle '{type(value).__name__}' object")
