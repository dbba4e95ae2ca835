"""A cache of a run's objects, including those that were deleted."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]

GONE_KEPT = 1000
"""How many deleted objects are kept at most."""

# Kubernetes 1.27 introduced the first of these; older versions set only the second.
_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")


class VersionExpired(Exception):  # noqa: N818 (what the server says, not a mistake)
    """The server no longer has the version to watch from: list again."""


class TruncatedLine(Exception):  # noqa: N818
    """A line of a watch is cut; the server sends it again."""


class ObjectCache:
    """The objects of one kind.

    They are kept by UID, because an object that was deleted and created again is another one.
    They are never modified, so that callers may keep them.
    """

    def __init__(self) -> None:
        self.version = ""
        self._of: dict[str, dict[str, Object]] = {}
        self._live: dict[str, str] = {}
        self._gone: OrderedDict[str, str] = OrderedDict()
        self._forgotten: set[str] = set()

    def replace(self, listed: Object) -> set[str]:
        """Replace the content by a list; return the names of the Jobs that changed."""
        items = {uid: item for item in listed.get("items") or () if (uid := _uid(item))}
        changed = set()
        self.version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        for uid in [uid for uid in self._live if uid not in items]:
            item = self._of[self._live[uid]][uid]
            # An object that was added by itself may be newer than the list.
            if not _is_later(_version(item), self.version):
                changed |= self._remove(uid, item)
        for uid, item in items.items():
            changed |= self._keep(uid, item)
        return changed

    def learn(self, item: Object) -> set[str]:
        """Add an object from another answer of the server; return its Job if that changed."""
        uid = _uid(item)
        known = self._of.get(job_name(item), {}).get(uid)
        # The watch may have reported a newer state while this answer was on its way.
        if known is not None and not _is_later(_version(item), _version(known)):
            return set()
        return self._keep(uid, item) if uid else set()

    def take(self, line: bytes) -> tuple[set[str], Object | None]:
        """Apply a line of a watch; return the Jobs that changed, and the object.

        Raises
        ------
        VersionExpired
            If the server answers 410, or with another error that ends a watch.
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
        # Bookmarks carry nothing but a version, which is kept too.
        self.version = version or self.version
        return changed, item if changed else None

    def of(self, job: str) -> list[tuple[Object, bool]]:
        """List the objects of a Job, each with whether it was deleted."""
        return [(item, uid in self._gone) for uid, item in self._of.get(job, {}).items()]

    def names(self) -> set[str]:
        """Return the names of the Jobs that have objects which were not deleted."""
        return set(self._live.values())

    def forget(self, job: str) -> None:
        """Forget a Job, and ignore it from now on."""
        # Reports of the Job's deletion, which come later, must not bring it back.
        self._forgotten.add(job)
        for uid in self._of.pop(job, {}):
            self._live.pop(uid, None)
            self._gone.pop(uid, None)

    def _keep(self, uid: str, item: Object) -> set[str]:
        job = job_name(item)
        if job in self._forgotten or not job:
            return set()
        known = self._of.setdefault(job, {})
        # The server's last answer counts, even if the object was deleted in an earlier one.
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
        # A long run would otherwise keep every object that it ever had.
        while len(self._gone) > GONE_KEPT:
            oldest, owner = self._gone.popitem(last=False)
            del self._of[owner][oldest]
            if not self._of[owner]:
                del self._of[owner]
        return {job}


def job_name(item: Object) -> str:
    """Return the name of the Job that an object is or belongs to; empty if there is none."""
    metadata = item.get("metadata") or {}
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "Job":
            return str(owner.get("name") or "")
    labels = metadata.get("labels") or {}
    for label in _JOB_LABELS:
        if label in labels:
            return str(labels[label])
    # Items of a list have no kind.
    is_pod = "containers" in (item.get("spec") or {})
    return "" if is_pod else str(metadata.get("name") or "")


def _uid(item: Object) -> str:
    return str((item.get("metadata") or {}).get("uid") or "")


def _version(item: Object) -> object:
    return (item.get("metadata") or {}).get("resourceVersion")


def _is_later(version: object, than: object) -> bool:
    """Return whether a version is certainly later; only numbers can be compared."""
    a, b = str(version), str(than)
    return a.isdecimal() and b.isdecimal() and int(a) > int(b)


def _trimmed(item: Object) -> Object:
    """Drop the managed fields, which no later reader needs: they are half of an object's size."""
    metadata = item.get("metadata") or {}
    slim = {k: v for k, v in metadata.items() if k != "managedFields"}
    return {**item, "metadata": slim}
