"""A client that refuses to change the cluster when another driver has taken the run over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kfnb.runners.kubernetes.job_creation import Object, WriteClient


@dataclass(frozen=True, slots=True)
class FencedClient:
    """The writing half of a cluster's client; ``fence`` is called before each change."""

    write_client: WriteClient
    fence: Callable[[], None]

    def create(self, kind: str, body: Object) -> Object:
        """Create an object; raises as the fence does."""
        self.fence()
        return self.write_client.create(kind, body)

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""
        return self.write_client.get(kind, name)

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> None:
        """Delete an object; raises as the fence does."""
        self.fence()
        self.write_client.delete(kind, name, uid=uid)
