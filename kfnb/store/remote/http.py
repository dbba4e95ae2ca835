"""A store that is served over HTTP by :mod:`kfnb.store.remote.serve`."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Protocol, TypeVar
from urllib.parse import quote

from kfnb.errors import InfrastructureError
from kfnb.store import disk
from kfnb.store.remote.base import ObjectInfo, Refused, check_key

T = TypeVar("T")

_TRIES = 6
_FIRST_WAIT = 0.1
_SILENCE = 60.0
_PIECE = 1 << 20
# Missing records and existing ones are answers; any other status is tried again.
_ANSWERS = (200, 201, 204, 404, 412)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server can be reached from here, and the token that it requires."""

    host: str
    port: int
    token: str = field(repr=False)


_Connection = tuple[HTTPConnection, ServerAddress]


class ServerFinder(Protocol):
    """Finds the server's present address. Any thread may call it."""

    def find(self, *, instead_of: ServerAddress | None = None) -> ServerAddress:
        """Return the address, a new one if ``instead_of`` does not work any more.

        Raises
        ------
        InfrastructureError
            If there is none.
        """


class HttpRemote:
    """Keys of a folder that another machine serves.

    Parameters
    ----------
    address
        The name of the store in messages.
    wait
        Waits for a number of seconds.
    """

    def __init__(
        self, finder: ServerFinder, address: str, *, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._finder = finder
        self._address = address
        self._wait = wait
        # http.client's connections are not safe to use from several threads.
        self._mine = threading.local()

    @property
    def address(self) -> str:
        """The name of the store in messages."""
        return self._address

    def get(self, key: str) -> bytes | None:
        """Return a record, or None."""
        return self._ask("GET", _of(key), lambda r: r.read() if r.status == 200 else None)

    def put(self, key: str, data: bytes) -> None:
        """Write a record, replacing it."""
        self._ask("PUT", _of(key), _done, body=data)

    def create(self, key: str, data: bytes) -> bool:
        """Create a record if it is absent."""
        headers = {"If-None-Match": "*"}
        return self._ask("PUT", _of(key), lambda r: r.status == 201, body=data, headers=headers)

    def upload(self, key: str, file: Path) -> None:
        """Write a file."""
        where = _of(key)
        with file.open("rb") as opened:
            self._ask("PUT", where, _done, body=opened)

    def download(self, key: str, file: Path) -> bool:
        """Read into a file that appears whole or not at all."""
        where = _of(key)
        temporary = file.with_name(f".part-{os.getpid()}-{os.urandom(6).hex()}")
        with disk.writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)

        def take(response: HTTPResponse) -> bool:
            if response.status != 200:
                return False
            left = int(response.headers["Content-Length"])
            with disk.writing(file), temporary.open("wb") as opened:
                while left:
                    piece = _read(response, min(left, _PIECE))
                    left -= len(piece)
                    opened.write(piece)
            return True

        try:
            exists = self._ask("GET", where, take)
            if exists:
                with disk.writing(file):
                    temporary.replace(file)
            return exists
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def size(self, key: str) -> int | None:
        """Return the size in bytes, None if there is no such key."""

        def take(response: HTTPResponse) -> int | None:
            return int(response.headers["Content-Length"]) if response.status == 200 else None

        return self._ask("HEAD", _of(key), take)

    def list(self, prefix: str) -> list[str]:
        """List the keys that begin with ``prefix``, sorted."""
        return sorted(self.list_objects(prefix))

    def list_objects(self, prefix: str) -> dict[str, ObjectInfo]:
        """List the keys that begin with ``prefix``, each with its size and age."""
        plain = self._ask("GET", _below(prefix), lambda response: json.loads(response.read()))
        return {
            key: ObjectInfo(int(size), float(written)) for key, (size, written) in plain.items()
        }

    def delete(self, key: str) -> None:
        """Remove a key if it is there."""
        self._ask("DELETE", _of(key), _done)

    def delete_all(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""
        self._ask("DELETE", _below(prefix), _done)

    def _ask(
        self,
        method: str,
        where: str,
        take: Callable[[HTTPResponse], T],
        *,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Send a request, repeatedly and to a new address if need be; all are idempotent."""
        problem = ""
        for number in range(_TRIES):
            if number:
                self._wait(_FIRST_WAIT * 2 ** (number - 1))
            if body is not None and not isinstance(body, bytes):
                # The attempt before may have sent a part of the file.
                body.seek(0)
            connection = None
            try:
                connection, way = self._connection()
                sent = {"Authorization": f"Bearer {way.token}", **(headers or {})}
                if isinstance(body, bytes):
                    sent["Content-Length"] = str(len(body))
                elif body is not None:
                    # Otherwise http.client would send the file in chunks.
                    sent["Content-Length"] = str(os.fstat(body.fileno()).st_size)
                connection.request(method, where, body=body, headers=sent)
                response = connection.getresponse()
                # The port-forward may lead to a pod that replaced the one whose token we have.
                if response.status == 401:
                    raise HTTPException("another server answers")
                # The request is wrong or the volume is full: trying again would not help.
                if response.status in (400, 507):
                    words = response.read().decode("utf-8", "replace").strip().rstrip(".")
                    raise Refused(
                        f"The store {self.address} refused the request: {words or response.reason}."
                    )
                if response.status not in _ANSWERS:
                    raise HTTPException(f"its server answered {response.status}")
                answer = take(response)
                response.read()
                return answer
            except (HTTPException, OSError) as error:
                problem = (str(error) or type(error).__name__).rstrip(".")
                self._drop()
            except BaseException:
                self._drop()  # Its answer was not read to the end.
                raise
        raise InfrastructureError(f"The store {self.address} does not answer: {problem}.")

    def _connection(self) -> _Connection:
        """Return this thread's connection, made if it has none."""
        connection: tuple[HTTPConnection, ServerAddress] | None = getattr(
            self._mine, "connection", None
        )
        if connection is None:
            way = self._finder.find(instead_of=getattr(self._mine, "failed", None))
            connection = HTTPConnection(way.host, way.port, timeout=_SILENCE), way
            self._mine.connection, self._mine.failed = connection, None
        return connection

    def _drop(self) -> None:
        """Let the next request use another connection, to another address."""
        current: _Connection | None = getattr(self._mine, "connection", None)
        if current is not None:
            connection, self._mine.failed = current
            connection.close()
        self._mine.connection = None


def _of(key: str) -> str:
    return f"/key/{quote(check_key(key), safe='/')}"


def _below(prefix: str) -> str:
    return f"/keys?prefix={quote(prefix, safe='')}"


def _done(response: HTTPResponse) -> None:
    # A connection can be used again only when its answer was read to the end.
    response.read()


def _read(response: HTTPResponse, most: int) -> bytes:
    piece = response.read(most)
    if not piece:
        raise HTTPException("the answer ended too early")
    return piece
