"""``python -m kfnb.store.remote.serve FOLDER``: serve a store in a folder to clients with a token.

It runs in a pod that mounts the volume of a store, and listens on the pod's loopback address, which
only the API server's port-forward can reach. ``KFNB_READER_DIGEST`` is the SHA-256 of the token
that requests must have. The token itself is known neither here nor to the cluster.

=======================  ==========================================================
``GET /key/KEY``         the record, 404 if there is none; ``HEAD``: its size
``PUT /key/KEY``         whole or not at all; ``If-None-Match: *``: 412 if it is there
``DELETE /key/KEY``      also if there is none
``GET /keys?prefix=P``   a JSON object: size and time of writing by key
``DELETE /keys?prefix=P``  all of them
=======================  ==========================================================
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from kfnb.errors import InfrastructureError
from kfnb.store.remote.base import check_key
from kfnb.store.remote.folder import FolderRemote

DIGEST = "KFNB_READER_DIGEST"
PORT = 8737
PIECE = 1 << 20


def digest_of(token: str) -> str:
    """Return the digest of a token, from which the token cannot be computed."""
    return hashlib.sha256(token.encode()).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one folder until there was no request for a while."""

    # A client that sends nothing must not keep the server from ending.
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, *, digest: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = FolderRemote(folder)
        self.digest = digest
        self._busy = 0
        self._last_request = time.monotonic()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count a request: while it lasts, the server is not idle."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._last_request = time.monotonic()

    def idle(self) -> float:
        """Return the seconds since the last request."""
        with self._lock:
            return 0.0 if self._busy else time.monotonic() - self._last_request

    def end_when_idle(self, seconds: float) -> None:
        """Stop serving after so many seconds without a request."""
        while (left := seconds - self.idle()) > 0:
            time.sleep(max(0.01, left))
        self.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    # The default, HTTP/1.0, closes the connection after each request.
    protocol_version = "HTTP/1.1"
    # For so long a client that has vanished occupies a thread.
    timeout = 600

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base)
        """Log nothing: a pod's log is not the right place for the keys of values."""

    def _answer(self, method: str) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        # A plain comparison takes longer the more characters agree, which helps to guess.
        if not hmac.compare_digest(digest_of(token), self.server.digest):
            # The body of an unauthorized request is not read.
            self.close_connection = True
            self._answer_with(HTTPStatus.UNAUTHORIZED, b"")
            return
        with self.server.request():
            try:
                self._serve(method)
            except ValueError as error:
                self.close_connection = True
                self._answer_with(HTTPStatus.BAD_REQUEST, str(error).encode())
            except (InfrastructureError, OSError) as error:
                self.close_connection = True
                self._answer_with(HTTPStatus.INSUFFICIENT_STORAGE, str(error).encode())

    def _serve(self, method: str) -> None:
        where = urlsplit(self.path)
        if where.path == "/keys":
            prefix = parse_qs(where.query, keep_blank_values=True).get("prefix", [""])[0]
            if prefix:
                check_key(prefix.rstrip("/"))
            self._keys(method, prefix)
            return
        if not where.path.startswith("/key/"):
            raise ValueError(f"there is nothing at {where.path}")
        key = check_key(unquote(where.path.removeprefix("/key/")))
        if method == "PUT":
            self._take(key)
        elif method == "DELETE":
            self.server.store.delete(key)
            self._answer_with(HTTPStatus.NO_CONTENT, b"")
        else:
            self._give(key, whole=method == "GET")

    def _keys(self, method: str, prefix: str) -> None:
        if method == "DELETE":
            self.server.store.delete_all(prefix)
            self._answer_with(HTTPStatus.NO_CONTENT, b"")
            return
        objects = self.server.store.list_objects(prefix)
        plain = {key: [about.size, about.written] for key, about in objects.items()}
        self._answer_with(HTTPStatus.OK, json.dumps(plain).encode())

    def _take(self, key: str) -> None:
        # Without a length the server could not tell a whole body from one that was cut off.
        size = int(self.headers.get("Content-Length") or -1)
        if size < 0:
            raise ValueError("a length is missing")
        if self.headers.get("If-None-Match") == "*":
            made = self.server.store.create(key, b"".join(self._pieces(size)))
            self._answer_with(HTTPStatus.CREATED if made else HTTPStatus.PRECONDITION_FAILED, b"")
            return
        self.server.store.receive(key, self._pieces(size))
        self._answer_with(HTTPStatus.CREATED, b"")

    def _pieces(self, left: int) -> Iterator[bytes]:
        """Yield the request's body; raise if it ends too early, so that nothing is stored."""
        while left:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                raise ConnectionError("the sender ended too early")
            left -= len(piece)
            yield piece

    def _give(self, key: str, *, whole: bool) -> None:
        opened = self.server.store.open(key)
        if opened is None:
            self._answer_with(HTTPStatus.NOT_FOUND, b"")
            return
        with opened as file:
            left = os.fstat(file.fileno()).st_size
            self._head(HTTPStatus.OK, left)
            while whole and left:
                piece = file.read(min(left, PIECE))
                if not piece:
                    self.close_connection = True  # The reader sees that the answer is too short.
                    return
                left -= len(piece)
                self.wfile.write(piece)

    def _answer_with(self, status: HTTPStatus, body: bytes) -> None:
        # The client may have gone away; it repeats its request on a new connection.
        with contextlib.suppress(OSError):
            self._head(status, len(body))
            if self.command != "HEAD":
                self.wfile.write(body)

    def _head(self, status: HTTPStatus, size: int) -> None:
        self.send_response(status)
        # HTTP allows no Content-Length in a response with status 204.
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(size))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def main(arguments: list[str] | None = None) -> int:
    """Serve a folder until there are no more requests."""
    parser = argparse.ArgumentParser(prog="kfnb.store.remote.serve")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds without requests")
    options = parser.parse_args(arguments)
    digest = os.environ.get(DIGEST, "")
    if len(digest) != len(digest_of("")):
        print(f"kfnb: {DIGEST} must be the SHA-256 of a token", file=sys.stderr)
        return 2
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"kfnb: {options.folder} cannot be used: {error}", file=sys.stderr)
        return 4
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(options.folder, digest=digest, port=options.port) as server:
        threading.Thread(target=server.end_when_idle, args=(options.idle,), daemon=True).start()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
