"""Remote stores: in a bucket, or on a volume of a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from kfnb.errors import InfrastructureError, UsageError
from kfnb.store.remote.base import Refused, Remote, StoreAddress, check_key

__all__ = ["Refused", "Remote", "StoreAddress", "check_key", "check_once", "open_remote"]


def open_remote(where: StoreAddress, *, probe: bool = True) -> Remote:
    """Open the store at an address.

    Parameters
    ----------
    probe
        Check that it refuses to create a record twice. Otherwise two attempts at one step, or two
        drivers of one run, could both believe that they were first.

    Raises
    ------
    UsageError
        If the address is invalid, or a package that it needs is not installed.
    InfrastructureError
        If the store cannot be reached or written, or does not honour create-if-absent.
    """
    remote: Remote
    if where.url.startswith("s3://"):
        from kfnb.store.remote.s3 import S3Remote

        remote = S3Remote(where)
    elif where.url.startswith("file://"):
        from kfnb.store.remote.folder import FolderRemote

        remote = FolderRemote(Path(unquote(where.url.removeprefix("file://"))))
    else:
        raise UsageError(
            f"{where.url!r} is not a valid store: write s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]."
        )
    if probe:
        check_once(remote)
    return remote


def check_once(remote: Remote) -> None:
    """Check that a store refuses to create a record twice.

    Raises
    ------
    InfrastructureError
        If it does not, or does not answer.
    """
    key = f"staging/probe-{os.getpid()}-{os.urandom(8).hex()}"
    try:
        honoured = remote.create(key, b"probe") and not remote.create(key, b"other")
    finally:
        remote.delete(key)
    if not honoured:
        raise InfrastructureError(
            f"The store {remote.address} allows two clients to create the same record, so results "
            "could be published twice. Use another store."
        )
