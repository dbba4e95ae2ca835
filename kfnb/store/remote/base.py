"""The operations that kfnb needs of a remote store: an object store, or a volume of a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kfnb.errors import InfrastructureError


class Refused(InfrastructureError):  # noqa: N818 (the store's answer, not a mistake)
    """The store refuses, or its data is damaged: repeating the request does not help."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A key's size in bytes, and when it was written, in seconds since the epoch."""

    size: int
    written: float


class Remote(Protocol):
    """A flat store of small records and big blobs by key.

    Keys are relative paths with ``/`` between their parts, never ``..``. Every call raises
    :class:`~kfnb.errors.InfrastructureError`, with a sentence, where the store does not
    answer or refuses; what may pass by itself was tried again before.
    """

    @property
    def address(self) -> str:
        """The address, for messages; it contains no secret."""

    def get(self, key: str) -> bytes | None:
        """Return a record, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Write a record, replacing it: a reader sees the old one or the new, whole."""

    def create(self, key: str, data: bytes) -> bool:
        """Create a record if it is absent, whole; False if one is there.

        If the reply to a creation is lost, this may be False for the caller's own record; compare
        the content to be sure.
        """

    def upload(self, key: str, file: Path) -> None:
        """Write a file; it is not visible before it is whole."""

    def download(self, key: str, file: Path) -> bool:
        """Read into a file that appears whole or not at all; False if there is no such key."""

    def size(self, key: str) -> int | None:
        """Return the size in bytes, None if there is no such key."""

    def list(self, prefix: str) -> list[str]:
        """List the keys that begin with ``prefix``, sorted."""

    def list_objects(self, prefix: str) -> dict[str, ObjectInfo]:
        """List the keys that begin with ``prefix``, each with its size and age."""

    def delete(self, key: str) -> None:
        """Remove a key if it is there."""

    def delete_all(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is: ``s3://BUCKET/PREFIX`` or ``file:///FOLDER``, and at which endpoint."""

    url: str
    endpoint: str | None = None

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> StoreAddress | None:
        """Read ``KFNB_STORE`` and ``KFNB_STORE_ENDPOINT``; None where there is no store."""
        variables = os.environ if environment is None else environment
        url = variables.get("KFNB_STORE")
        return StoreAddress(url, variables.get("KFNB_STORE_ENDPOINT") or None) if url else None


def check_key(key: str) -> str:
    """Return ``key``; raises ValueError where it could leave the store."""
    if not key or any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in key.split("/")):
        raise ValueError(f"not a key of the store: {key!r}")
    return key
