"""A store in a bucket or on a volume, with a local folder as a cache of it.

Records are read from the remote store every time, because others write them too. A blob is named by
its content, so that a local copy never becomes outdated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kfnb.store.blobs import Store, open_store
from kfnb.store.content import hash_bytes, hash_file, size_of
from kfnb.store.remote.base import Refused, Remote


@dataclass(frozen=True, slots=True)
class RemoteStore(Store):
    """A store in a bucket or on a volume, with a local folder for the blobs in use.

    :meth:`fetch` downloads a blob. Whatever is added is in the remote store when the call returns.
    """

    remote: Remote

    def has(self, name: str) -> bool:
        """Whether the blob is in the remote store and has the size that its name contains."""
        return self.remote.size(_blob_key(name)) == size_of(name)

    def fetch(self, name: str) -> Path:
        """Download the blob unless it is here; its path.

        Raises
        ------
        Refused
            If it is not in the remote store, or is damaged.
        """
        path = Store.blob(self, name)
        if Store.has(self, name):
            return path
        staging = self.staging()
        file = staging / "blob"
        try:
            if not self.remote.download(_blob_key(name), file):
                raise Refused(
                    f"The blob {name} is no longer in the store {self.remote.address}. Execute "
                    "the step that computes it again (--from)."
                )
            # A transfer or a volume may damage data without an error, and values are unpickled from
            # it.
            if hash_file(file) != name:
                raise Refused(
                    f"The blob {name} in the store {self.remote.address} is damaged. Execute the "
                    "step that computes it again (--from)."
                )
            self._into_place(file, name)
        finally:
            file.unlink(missing_ok=True)
            staging.rmdir()
        return path

    def add_blob(self, file: Path, *, move: bool = True) -> str:
        """As :meth:`Store.add_blob`; the blob is in the remote store when this returns."""
        name = Store.add_blob(self, file, move=move)
        self._upload(name)
        return name

    def add_bytes(self, data: bytes) -> str:
        """As :meth:`Store.add_bytes`."""
        name = hash_bytes(data)
        if not self.has(name):
            self.remote.put(_blob_key(name), data)
        return name

    def keep(self, name: str) -> bool:
        """Whether the blob exists. A remote store's sweep never removes recent blobs."""
        return self.has(name)

    def create(self, key: str, data: bytes) -> bool:
        """Create the record in the remote store if it does not exist there."""
        # If the reply to our first request was lost, the record is there and it is ours.
        return self.remote.create(key, data) or self.remote.get(key) == data

    def link(self, key: str, new: str) -> bool:
        """Give the record a second name; False if it is gone or the name is taken."""
        data = self.remote.get(key)
        return data is not None and self.remote.create(new, data)

    def sync(self, prefix: str) -> None:
        """Do nothing: records in the remote store are durable."""

    def get(self, key: str) -> bytes | None:
        """Return the record, or None."""
        return self.remote.get(key)

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write the record, replacing it."""
        del durable
        self.remote.put(key, data)

    def list(self, prefix: str) -> list[str]:
        """Return the keys of all records below the folder ``prefix``, sorted."""
        return self.remote.list(prefix.rstrip("/") + "/")

    def delete(self, key: str) -> None:
        """Remove the record if it is there."""
        self.remote.delete(key)

    def touch(self, key: str) -> None:
        """Do nothing: remote stores have no times of use."""

    def _upload(self, name: str) -> None:
        if not self.has(name):
            self.remote.upload(_blob_key(name), Store.blob(self, name))


def open_remote_store(folder: Path, remote: Remote) -> RemoteStore:
    """Open the store behind ``remote``, with ``folder`` for local copies.

    Raises
    ------
    InfrastructureError
        If the folder cannot be written.
    """
    return RemoteStore(open_store(folder).root, remote)


def _blob_key(name: str) -> str:
    return f"blobs/{name[:2]}/{name}"
