"""Load bundles, and notice when a step changes what it has loaded."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.step.values import container
from kfnb.step.values.saving import dump
from kfnb.step.values.watching import ComparingPickler


@dataclass(frozen=True)
class Loaded:
    """A bundle's values by name, and the mapping that their large buffers lie in."""

    values: dict[str, Any]
    mapping: Any = None
    span: tuple[int, int] | None = None


def load(files: Sequence[Path], *, names: Collection[str] | None = None) -> Loaded:
    """Load a bundle; large buffers are mapped, privately and writable.

    Parameters
    ----------
    names
        Which values are wanted; all are made, because they share objects.

    Raises
    ------
    DamagedError
        If a file is cut.
    MissingDefinitionError
        If a value needs a definition of the notebook that this process does not have.
    """
    found: dict[str, Any] = {}
    mapping = span = None
    for file in files:
        pickled, buffers, mapping = container.read(Path(file))
        found |= pickle.loads(pickled, buffers=buffers)
        if mapping is not None:
            span = _span(mapping)
    if names is not None:
        found = {name: found[name] for name in names if name in found}
    return Loaded(found, mapping, span)


class Watch:
    """Tells which loaded values were changed in place since the watch began.

    The pickle of each value is compared with the one made at the beginning. Buffers in
    a mapping are not looked at: the system counts the pages of a private mapping that
    were written to (``Anonymous`` in ``/proc/self/smaps``); where it does not, they are
    hashed.

    Parameters
    ----------
    loaded
        What was loaded, or values by name.
    names
        Which names to watch; None: all.

    Attributes
    ----------
    unknown
        After :meth:`changed`: names whose pickles differ each time, so nobody can tell.
    """

    def __init__(
        self,
        loaded: Iterable[Loaded] | Mapping[str, Any],
        *,
        names: Collection[str] | None = None,
        definitions: Collection[str] = (),
    ) -> None:
        if isinstance(loaded, Mapping):
            loaded = [Loaded(dict(loaded))]
        self._definitions = frozenset(definitions)
        self._watched = [
            (bundle, name, value)
            for bundle in loaded
            for name, value in bundle.values.items()
            if names is None or name in names
        ]
        self._before = [self._digest(bundle, value) for bundle, _, value in self._watched]
        self.unknown: set[str] = set()

    def changed(self) -> set[str]:
        """Give the names of values that are not what they were."""
        found: set[str] = set()
        for (bundle, name, value), before in zip(self._watched, self._before, strict=True):
            if bundle.span is not None and _pages_written(bundle.span):
                found.add(name)
                continue
            now = self._digest(bundle, value)
            if now == before:
                continue
            if before is not None and now is not None and now != self._digest(bundle, value):
                self.unknown.add(name)
                continue
            found.add(name)
        return found

    def _digest(self, bundle: Loaded, value: Any) -> bytes | None:
        try:
            one = dump(value, definitions=self._definitions, origin="watch", by=ComparingPickler)
        except Exception:
            return None
        digest = hashlib.blake2b(one.pickled, digest_size=16)
        for buffer in one.pickler.buffers:
            address = _address(buffer)
            if (
                bundle.span is None
                or _smaps() is None
                or not (bundle.span[0] <= address < bundle.span[1])
            ):
                digest.update(buffer)
            else:
                digest.update(f"{address - bundle.span[0]}:{buffer.nbytes}".encode())
        return digest.digest()


def _span(mapping: Any) -> tuple[int, int]:
    first = _address(memoryview(mapping))
    return first, first + len(mapping)


def _address(view: memoryview) -> int:
    import ctypes

    if not view.nbytes:
        return 0
    if view.readonly:
        # from_buffer wants a writable view: ask the buffer protocol itself.
        holder = ctypes.py_object(view)
        raw = (ctypes.c_ssize_t * 16)()
        ctypes.pythonapi.PyObject_GetBuffer(holder, ctypes.byref(raw), 0)
        address = int(raw[0])
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(raw))
        return address
    return ctypes.addressof(ctypes.c_char.from_buffer(view.cast("B")))


def _smaps() -> Path | None:
    path = Path("/proc/self/smaps")
    return path if path.exists() else None


def _pages_written(span: tuple[int, int]) -> bool:
    """Tell whether any page of a private mapping was written to (False where unknown)."""
    path = _smaps()
    if path is None:
        return False
    inside = False
    with path.open("rb") as lines:
        for line in lines:
            if b"-" in line[:17] and not line[:1].isupper():
                bounds = line.split(b" ", 1)[0].split(b"-")
                start, end = int(bounds[0], 16), int(bounds[1], 16)
                inside = start < span[1] and end > span[0]
            elif inside and line.startswith(b"Anonymous:") and int(line.split()[1]):
                return True
    return False
