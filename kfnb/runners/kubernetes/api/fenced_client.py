"""Only the one driver of a run changes its cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kfnb.runners.kubernetes.runner import Object, Writes


@dataclass(frozen=True, slots=True)
class Fenced:
    """The writing half of a cluster's client, which asks before each change."""

    writes: Writes
    fence: Callable[[], None]

    def create(self, kind: str, body: Object) -> Object:
        """Create an object, as the one driver."""
        self.fence()
        return self.writes.create(kind, body)

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""
        return self.writes.get(kind, name)

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> None:
        """Delete an object, as the one driver."""
        self.fence()
        self.writes.delete(kind, name, uid=uid)
