"""The cache's index: which published results exist for a key.

Entries are stored under the part of a key that is known before a step runs. Each contains what was
only known afterwards (files read, package versions), which a lookup compares. An entry's manifest
is a second name of the run's own record, so that a run can be removed while its results are in use.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfnb.json_values import from_plain, to_plain
from kfnb.store.blobs import Store

_MOST_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A result that can be reused, and the conditions under which it is valid.

    ``files`` maps each path that the step read to its content (None: there was no
    such file), ``packages`` what it imported to versions. ``notebook_id`` identifies the machine
    and the notebook.
    """

    base: str
    run: str
    step: str
    created: float
    key: Mapping[str, Any]
    asked: Mapping[str, Any]
    files: Mapping[str, str | None] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    notebook_id: str = ""

    @property
    def manifest_key(self) -> str:
        """The key of this entry's manifest."""
        return f"{_folder(self.base)}/{self.id}.manifest"


@dataclass(frozen=True, slots=True)
class LastExecution:
    """How a step was executed the last time, for comparison with a later execution."""

    run: str
    key: Mapping[str, Any]
    finished: bool
    files: Mapping[str, str | None] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LearnedEdge:
    """A dependency that the source does not show and a run has found: (step, hash of its code)."""

    source: tuple[str, str]
    target: tuple[str, str]
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class _LearnedEdges:
    edges: tuple[LearnedEdge, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheIndex:
    """Entries and last executions in a store."""

    store: Store

    def entries(self, base: str) -> list[Entry]:
        """List the entries under ``base``, newest first; unreadable ones are left out."""
        entries = []
        for key in self._entry_keys(base):
            entry = _read(Entry, self.store.get(key))
            if isinstance(entry, Entry):
                entries.append(entry)
        return sorted(entries, key=lambda e: e.created, reverse=True)

    def _entry_keys(self, base: str) -> list[str]:
        return [key for key in self.store.list(_folder(base)) if key.endswith(".json")]

    def record(self, entry: Entry, *, manifest: str) -> None:
        """Add an entry for the manifest under the key ``manifest``."""
        entry = _with_id(entry)
        # The manifest first, so that no reader ever sees an entry without one.
        if not self.store.link(manifest, entry.manifest_key):
            return
        self.store.put(_entry_key(entry), _dump(entry), durable=False)
        # One key can have many results, for example if the step reads a file that changes daily.
        if len(self._entry_keys(entry.base)) > _MOST_ENTRIES:
            for old in self.entries(entry.base)[_MOST_ENTRIES:]:
                self.remove(old)

    def adopt(self, entry: Entry, *, manifest: str, blobs: set[str]) -> bool:
        """Make the entry's manifest that of a step of another run, under the key ``manifest``.

        Returns
        -------
        bool
            False if the manifest or one of its blobs was removed.
        """
        # Mark the blobs as used first, so that a concurrent sweep cannot remove them afterwards.
        if not all(self.store.keep(name) for name in blobs):
            return False
        linked = self.store.link(entry.manifest_key, manifest)
        # A link that existed already is fine: this run adopted the entry before it was resumed.
        if not linked and self.store.get(manifest) is None:
            return False
        self.store.touch(_entry_key(entry))
        return True

    def remove(self, entry: Entry) -> None:
        """Remove an entry; the next sweep removes blobs to which nothing else refers."""
        self.store.delete(_entry_key(entry))
        self.store.delete(entry.manifest_key)

    def last(self, notebook: str, step_id: str) -> LastExecution | None:
        """Return how the step of this notebook was executed the last time."""
        last = _read(LastExecution, self.store.get(_last_key(notebook, step_id)))
        return last if isinstance(last, LastExecution) else None

    def remember(self, notebook: str, step_id: str, last: LastExecution) -> None:
        """Store how the step is executed now."""
        self.store.put(_last_key(notebook, step_id), _dump(last), durable=False)

    def learned(self, notebook: str) -> tuple[LearnedEdge, ...]:
        """Return the dependencies that the last run of this notebook has found or confirmed."""
        stored = _read(_LearnedEdges, self.store.get(_learned_key(notebook)))
        return stored.edges if isinstance(stored, _LearnedEdges) else ()

    def learn(self, notebook: str, edges: tuple[LearnedEdge, ...]) -> None:
        """Store what the next run of this notebook begins with."""
        if edges != self.learned(notebook):
            self.store.put(_learned_key(notebook), _dump(_LearnedEdges(edges)), durable=False)


def _with_id(entry: Entry) -> Entry:
    plain = to_plain(entry)
    # The random part distinguishes entries that two machines write at the same time.
    plain["id"] = f"{time.time_ns():x}-{os.urandom(3).hex()}"
    made: Entry = from_plain(Entry, plain)
    return made


def _folder(base: str) -> str:
    return f"cache/entries/{base[:2]}/{base}"


def _entry_key(entry: Entry) -> str:
    return f"{_folder(entry.base)}/{entry.id}.json"


def _last_key(notebook: str, step_id: str) -> str:
    return f"cache/last/{notebook}/{step_id}.json"


def _learned_key(notebook: str) -> str:
    return f"cache/learned/{notebook}.json"


def _read(kind: type[Any], data: bytes | None) -> Any:
    """Read a record; None if it does not exist or is incomplete."""
    if data is None:
        return None
    try:
        return from_plain(kind, json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _dump(value: Any) -> bytes:
    return json.dumps(to_plain(value), ensure_ascii=False).encode()
