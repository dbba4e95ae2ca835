"""A store in a bucket, through s3fs. Credentials are the environment's (``AWS_*``) or the pod's."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kfnb.errors import InfrastructureError, UsageError
from kfnb.store import disk
from kfnb.store.remote.base import ObjectInfo, Refused, StoreAddress, check_key

T = TypeVar("T")

_TRIES = 5
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")
_PART = 8 << 20
# S3 accepts at most 10,000 parts for one object.
_MOST_PARTS = 9_000
_PARTS_AT_ONCE = 4
_PERMANENT = {"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class S3Remote:
    """Keys below a prefix of a bucket.

    Parameters
    ----------
    address
        ``s3://BUCKET/PREFIX`` and the endpoint, None for that of the cloud.
    """

    def __init__(self, address: StoreAddress) -> None:
        try:
            import s3fs
        except ImportError:
            raise UsageError(
                f"{address.url} needs the client of object stores. Install it: "
                "pip install 'kfnb[s3]'"
            ) from None
        self._where = address
        self._top = address.url.removeprefix("s3://").strip("/")
        if not self._top:
            raise UsageError(f"{address.url} has no bucket: write s3://BUCKET/PREFIX.")
        self._fs = s3fs.S3FileSystem(
            endpoint_url=address.endpoint,
            config_kwargs={
                "connect_timeout": 10,
                "read_timeout": 60,
                "retries": {"max_attempts": 2, "mode": "standard"},
                # Servers other than Amazon's rarely have a host name for each bucket.
                "s3": {"addressing_style": "path"} if address.endpoint else {},
            },
            # Other machines write the same bucket, so cached listings and instances would be out of
            # date.
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    @property
    def address(self) -> str:
        """The URL, and the endpoint if it is not the cloud's."""
        return self._where.url + (f" at {self._where.endpoint}" if self._where.endpoint else "")

    def get(self, key: str) -> bytes | None:
        """Return a record, or None."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            return bytes(self._try(lambda: self._fs.cat_file(path), key))
        return None

    def put(self, key: str, data: bytes) -> None:
        """Write a record, replacing it."""
        path = self._path(key)
        self._try(lambda: self._fs.pipe_file(path, data), key)

    def create(self, key: str, data: bytes) -> bool:
        """Create a record if it is absent (``If-None-Match: *``)."""
        path = self._path(key)
        try:
            self._try(lambda: self._fs.pipe_file(path, data, mode="create"), key)
        except FileExistsError:
            return False
        return True

    def upload(self, key: str, file: Path) -> None:
        """Write a file, in parts where it is big."""
        path = self._path(key)
        bounds = _bounds(file.stat().st_size)
        self._try(lambda: self._fs.put_file(os.fspath(file), path, **bounds), key)

    def download(self, key: str, file: Path) -> bool:
        """Read into a file that appears whole or not at all."""
        path = self._path(key)
        temporary = file.with_name(f".part-{os.getpid()}-{os.urandom(6).hex()}")
        with disk.writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._try(lambda: self._fs.get_file(path, os.fspath(temporary), **_bounds()), key)
            with disk.writing(file):
                temporary.replace(file)
        except FileNotFoundError:
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return True

    def size(self, key: str) -> int | None:
        """Return the size in bytes, None if there is no such key."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            info = self._try(lambda: self._fs.info(path), key)
            # s3fs reports a prefix with keys below it as a folder.
            return int(info["size"]) if info.get("type") == "file" else None
        return None

    def list(self, prefix: str) -> list[str]:
        """List the keys that begin with ``prefix``, sorted."""
        folder, _, _ = prefix.rpartition("/")
        path = f"{self._top}/{folder}" if folder else self._top
        try:
            paths = self._try(lambda: self._fs.find(path), prefix)
        except FileNotFoundError:
            return []
        # s3fs returns paths that begin with the bucket.
        keys = (str(one).removeprefix(self._top).lstrip("/") for one in paths)
        return sorted(key for key in keys if key and key.startswith(prefix))

    def list_objects(self, prefix: str) -> dict[str, ObjectInfo]:
        """List the keys that begin with ``prefix``, each with its size and age."""
        folder, _, _ = prefix.rpartition("/")
        path = f"{self._top}/{folder}" if folder else self._top
        try:
            listed = self._try(lambda: self._fs.find(path, detail=True), prefix)
        except FileNotFoundError:
            return {}
        objects = {
            str(one).removeprefix(self._top).lstrip("/"): ObjectInfo(
                int(about["size"]), about["LastModified"].timestamp()
            )
            for one, about in listed.items()
            # s3fs adds folders to a listing, which the store itself does not have.
            if about.get("type") == "file" and "LastModified" in about
        }
        return {key: info for key, info in objects.items() if key and key.startswith(prefix)}

    def delete(self, key: str) -> None:
        """Remove a key if it is there."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            self._try(lambda: self._fs.rm_file(path), key)

    def delete_all(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""
        paths = [self._path(key) for key in self.list(prefix)]
        if paths:
            self._try(lambda: self._fs.rm(paths), prefix)

    def _path(self, key: str) -> str:
        return f"{self._top}/{check_key(key)}"

    def _try(self, act: Callable[[], T], key: str) -> T:
        """Call ``act``, repeatedly if that may help; raises InfrastructureError with a sentence."""
        for left in reversed(range(_TRIES)):
            try:
                return act()
            except (FileNotFoundError, FileExistsError):
                # s3fs raises the same error for a missing bucket and for a missing key.
                if not self._has_bucket():
                    raise Refused(self._no_bucket()) from None
                raise
            except PermissionError as error:
                raise Refused(
                    f"The store {self.address} refuses access to {key}: {_words(error)}. Check "
                    "the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
                    "--store-secret for pods) and their permissions."
                ) from error
            except Exception as error:
                code = _code(error)
                if code in _PERMANENT or type(error).__name__ in _NO_CREDENTIALS:
                    raise Refused(self._sentence(error, key)) from error
                if left == 0:
                    raise InfrastructureError(self._sentence(error, key)) from error
                time.sleep(0.2 * 2 ** (_TRIES - left - 1))
        raise AssertionError("not reached")

    def _has_bucket(self) -> bool:
        bucket = self._top.partition("/")[0]
        try:
            return bool(self._fs.exists(bucket))
        except Exception:  # Unknown: the original error is reported.
            return True

    def _no_bucket(self) -> str:
        bucket = self._top.partition("/")[0]
        return f'The store {self.address} has no bucket "{bucket}". Create it, or name another one.'

    def _sentence(self, error: Exception, key: str) -> str:
        name = type(error).__name__
        if name in _NO_CREDENTIALS:
            return (
                f"There are no credentials for the store {self.address}. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        if "Connect" in name or "Timeout" in name:
            return (
                f"The store {self.address} does not answer. Check its address "
                "(--store-endpoint for pods, --store-client-endpoint for this machine)."
            )
        return f"The store {self.address} failed at {key}: {_words(error)}."


def _bounds(size: int = 0) -> dict[str, int]:
    """Return sizes for a transfer; with its defaults, s3fs holds half a gigabyte in memory."""
    part = max(_PART, -(-size // _MOST_PARTS))
    return {"chunksize": part, "max_concurrency": _PARTS_AT_ONCE}


def _code(error: BaseException) -> str:
    """Return S3's code for an error; empty if the error is not from S3."""
    cause: Any = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code") or "")
        cause = cause.__cause__
    return ""


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
