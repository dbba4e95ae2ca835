"""Notice that a step has changed in place what it loaded."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfnb.step.values import mapped_memory
from kfnb.step.values.bundles import container
from kfnb.step.values.bundles.loading import Loaded
from kfnb.step.values.bundles.saving import dump
from kfnb.step.values.changes.comparison_pickler import ComparingPickler, ContentPickler

_ORIGIN = "watch"


@dataclass(frozen=True)
class _Look:
    """The state of a value: a digest, and the buffers that are in the mapping."""

    digest: bytes
    mapped: Sequence[tuple[int, memoryview]]
    foreign: bool
    unknowable: bool
    classes: Mapping[type, int]


@dataclass(frozen=True)
class _Watched:
    bundle: Loaded
    name: str
    value: Any
    before: _Look | None


class Watch:
    """Finds the loaded values that were changed in place since the watch began.

    The pickle of each value is compared with the one made at the beginning. Buffers in
    the bundle's mapping are not read for that: the system knows whether any page of it
    was written to, and only then are they compared with the file. A pickle that differs
    is compared once more by contents with the value as the file has it, because reading
    a value may make a library rearrange or remember something.

    Parameters
    ----------
    loaded
        What was loaded, or values by name.
    names
        Which names to watch; None: all.
    definitions
        As for :func:`~kfnb.step.values.save`.

    Attributes
    ----------
    unknown
        After :meth:`changed`: names of values for which this cannot be decided, because they
        cannot be pickled or their pickles differ each time.
    """

    def __init__(
        self,
        loaded: Iterable[Loaded] | Mapping[str, Any],
        *,
        names: Collection[str] | None = None,
        definitions: Collection[str] = (),
    ) -> None:
        bundles = [Loaded(dict(loaded))] if isinstance(loaded, Mapping) else loaded
        self._definitions = frozenset(definitions)
        self._watched = [
            _Watched(bundle, name, value, self._look(bundle, value))
            for bundle in bundles
            for name, value in bundle.values.items()
            if names is None or name in names
        ]
        self.unknown: set[str] = set()

    def changed(self) -> set[str]:
        """Return the names of values that have changed."""
        changed_names: set[str] = set()
        self.unknown = set()
        touched = mapped_memory.written(
            {w.bundle.span for w in self._watched if w.bundle.span is not None}
        )
        for watched in self._watched:
            verdict = self._verdict(watched, watched.bundle.span in touched)
            if verdict is None:
                self.unknown.add(watched.name)
            elif verdict:
                changed_names.add(watched.name)
        return changed_names

    def _verdict(self, watched: _Watched, touched: bool) -> bool | None:
        bundle, before = watched.bundle, watched.before
        if before is None:
            return None
        now = self._look(bundle, watched.value)
        if now is None:
            return True  # It could be pickled before, so something was put into it.
        if now.digest == before.digest:
            if touched and not _as_in_file(bundle, now.mapped):
                return True
            return None if now.unknowable else False
        # Some values have another pickle each time, which says nothing about changes.
        again = self._look(bundle, watched.value)
        if again is None or again.digest != now.digest:
            return None
        if any(now.classes.get(kind, n) != n for kind, n in before.classes.items()):
            return True
        if (now.foreign or before.foreign) and bundle.file is not None:
            return not self._equal_contents(watched)
        return True

    def _look(self, bundle: Loaded, value: Any) -> _Look | None:
        # Without a file there is no second comparison by contents, so this one must be by contents.
        by = ComparingPickler if bundle.file is not None else ContentPickler
        try:
            one = dump(value, definitions=self._definitions, origin=_ORIGIN, by=by)
        except Exception:
            return None
        digest = hashlib.blake2b(one.pickled, digest_size=16)
        mapped = []
        for buffer in one.pickler.buffers:
            first, last = mapped_memory.span(buffer)
            if bundle.span is not None and bundle.span[0] <= first and last <= bundle.span[1]:
                at = first - bundle.span[0]
                digest.update(f"{at}:{buffer.nbytes};".encode())
                mapped.append((at, buffer))
            else:
                digest.update(buffer)
        pickler = one.pickler
        return _Look(digest.digest(), mapped, pickler.foreign, pickler.unknowable, pickler.versions)

    def _equal_contents(self, watched: _Watched) -> bool:
        """Compare a value with the one in the file, by their visible contents."""
        assert watched.bundle.file is not None
        try:
            pickled, buffers, _ = container.read(watched.bundle.file)
            original = pickle.loads(pickled, buffers=buffers)[watched.name]
            one, two = (
                dump(v, definitions=self._definitions, origin=_ORIGIN, by=ContentPickler)
                for v in (original, watched.value)
            )
        # What cannot be compared counts as changed: a lost change would be a wrong value.
        except Exception:
            return False
        return (
            one.pickled == two.pickled
            and len(one.pickler.buffers) == len(two.pickler.buffers)
            and all(map(mapped_memory.equal, one.pickler.buffers, two.pickler.buffers))
        )


def _as_in_file(bundle: Loaded, mapped: Sequence[tuple[int, memoryview]]) -> bool:
    """Tell whether buffers of a mapping still equal the file."""
    if not mapped:
        return True
    assert bundle.file is not None
    try:
        with container.mapped(bundle.file) as original:
            return all(
                mapped_memory.equal(buffer, original[at : at + buffer.nbytes])
                for at, buffer in mapped
            )
    except OSError:
        return False
