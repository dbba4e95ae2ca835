"""The objects of a run as lists and watches tell them, those that are gone too."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]

GONE_KEPT = 1000
"""How many objects that are gone are kept, at most."""

_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")


class VersionExpired(Exception):  # noqa: N818 (what the server says, not a mistake)
    """The version that was watched from is too old: list again."""


class TruncatedLine(Exception):  # noqa: N818
    """A line of a watch is not whole: what it would have said comes again."""


class ObjectCache:
    """What is known of the objects of one kind.

    Objects are kept by UID: what was deleted and made again under its name is another one.
    They are never changed once kept, so that they can be handed out.
    """

    def __init__(self) -> None:
        self.version = ""
        self._of: dict[str, dict[str, Object]] = {}
        self._live: dict[str, str] = {}
        self._gone: OrderedDict[str, str] = OrderedDict()
        self._forgotten: set[str] = set()

    def replace(self, listed: Object) -> set[str]:
        """Take a whole list; return the names of the Jobs that it has news of."""
        items = {uid: item for item in listed.get("items") or () if (uid := _uid(item))}
        changed = set()
        self.version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        for uid in [uid for uid in self._live if uid not in items]:
            item = self._of[self._live[uid]][uid]
            # What was learned from elsewhere may be younger than the list.
            if not _is_later(_version(item), self.version):
                changed |= self._remove(uid, item)
        for uid, item in items.items():
            changed |= self._keep(uid, item)
        return changed

    def learn(self, item: Object) -> set[str]:
        """Take an object that the server gave in another way; return the Job it has news of."""
        uid = _uid(item)
        known = self._of.get(job_name(item), {}).get(uid)
        if known is not None and not _is_later(_version(item), _version(known)):
            return set()
        return self._keep(uid, item) if uid else set()

    def take(self, line: bytes) -> tuple[set[str], Object | None]:
        """Take a line of a watch; return the Jobs it has news of, and the object as it came.

        Raises
        ------
        VersionExpired
            If the server says 410, or anything else that ends a watch.
        TruncatedLine
            If the line is cut.
        """
        if not line.strip():
            return set(), None
        try:
            event = json.loads(line)
            kind, item = event["type"], event["object"]
            metadata = item.get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TruncatedLine from error
        if kind == "ERROR":
            raise VersionExpired(str(item.get("message") or item.get("reason") or item))
        version = str(metadata.get("resourceVersion") or "")
        changed: set[str] = set()
        uid = _uid(item)
        if kind in ("ADDED", "MODIFIED") and uid:
            changed = self._keep(uid, item)
        elif kind == "DELETED" and uid:
            changed = self._remove(uid, item)
        self.version = version or self.version
        return changed, item if changed else None

    def of(self, job: str) -> list[tuple[Object, bool]]:
        """List the objects of a Job as they came, each with whether it is gone."""
        return [(item, uid in self._gone) for uid, item in self._of.get(job, {}).items()]

    def names(self) -> set[str]:
        """List the Jobs that objects are known of and not gone."""
        return set(self._live.values())

    def forget(self, job: str) -> None:
        """Drop what is known of a Job, now and when it is said again."""
        self._forgotten.add(job)
        for uid in self._of.pop(job, {}):
            self._live.pop(uid, None)
            self._gone.pop(uid, None)

    def _keep(self, uid: str, item: Object) -> set[str]:
        job = job_name(item)
        if job in self._forgotten or not job:
            return set()
        known = self._of.setdefault(job, {})
        # What the server said last counts, also where it had said that the object is gone.
        if (
            self._gone.pop(uid, None) is None
            and uid in known
            and _version(known[uid]) == _version(item)
        ):
            return set()
        known[uid] = _trimmed(item)
        self._live[uid] = job
        return {job}

    def _remove(self, uid: str, item: Object) -> set[str]:
        job = job_name(item)
        if job in self._forgotten or not job or uid in self._gone:
            return set()
        self._live.pop(uid, None)
        self._gone[uid] = job
        self._of.setdefault(job, {})[uid] = _trimmed(item)
        while len(self._gone) > GONE_KEPT:
            oldest, owner = self._gone.popitem(last=False)
            del self._of[owner][oldest]
            if not self._of[owner]:
                del self._of[owner]
        return {job}


def job_name(item: Object) -> str:
    """Return the name of the Job that an object is or belongs to; empty if to none."""
    metadata = item.get("metadata") or {}
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "Job":
            return str(owner.get("name") or "")
    labels = metadata.get("labels") or {}
    for label in _JOB_LABELS:
        if label in labels:
            return str(labels[label])
    # Items of a list carry no kind of their own.
    is_pod = "containers" in (item.get("spec") or {})
    return "" if is_pod else str(metadata.get("name") or "")


def _uid(item: Object) -> str:
    return str((item.get("metadata") or {}).get("uid") or "")


def _version(item: Object) -> object:
    return (item.get("metadata") or {}).get("resourceVersion")


def _is_later(version: object, than: object) -> bool:
    """Whether a version is surely later; versions that are no numbers cannot be compared."""
    a, b = str(version), str(than)
    return a.isdecimal() and b.isdecimal() and int(a) > int(b)


def _trimmed(item: Object) -> Object:
    """Leave out what nobody reads and is half of an object's size."""
    metadata = item.get("metadata") or {}
    slim = {k: v for k, v in metadata.items() if k != "managedFields"}
    return {**item, "metadata": slim}
