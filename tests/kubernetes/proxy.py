"""A proxy on loopback between kfnb and the real API server, which does wrong on order.

It takes plain HTTP and asks the server as the kubeconfig's administrator. Faults are those of
the tests' own API server; beside them connections can be cut after a while, the whole server be
away, and what is created be changed on its way as an admission webhook does.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.runners.kubernetes.wrongs import Answer, Fault, Lost, Plain, Request, Says, refusal


@dataclass(frozen=True)
class Cut:
    """The answer is passed on for so many bytes, then the connection breaks."""

    after: int


class Proxy:
    """Serves until the context ends.

    Parameters
    ----------
    kubeconfig
        Of the real cluster, with a client certificate.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._host, self._port, self._tls = _upstream(kubeconfig)
        self.requests: list[Request] = []
        self.change: Callable[[str, Plain], Plain] = lambda _, body: body
        self.before: Callable[[int, Request], bool] = lambda _, request: True
        """Called with each request and its number, from 1; False: it never reaches the server."""
        self.after: Callable[[int, Request, int], bool] = lambda _, request, status: True
        """Called with the server's answer as well; False: nobody is told."""
        self._orders: list[tuple[str, str, list[Fault | Cut]]] = []
        self._lock = threading.Lock()
        self._numbered = 0
        self._open: set[socket.socket] = set()
        self._server: _Server | None = None
        self._port_here = 0

    def __enter__(self) -> Proxy:  # noqa: PYI034 (Self came with Python 3.11)
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig whose current context is this proxy."""
        server = {"server": f"http://127.0.0.1:{self._port_here}"}
        plain = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": server}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        }
        path = folder / "proxy.kubeconfig"
        path.write_text(json.dumps(plain))
        return path

    def order(self, method: str, plural: str, *faults: Fault | Cut) -> None:
        """Have requests fail, one after the other; the method ``WATCH`` is that of watches."""
        with self._lock:
            self._orders.append((method, plural, list(faults)))

    def ordered(self) -> int:
        """Count the faults that nobody has met yet."""
        with self._lock:
            return sum(len(faults) for _, _, faults in self._orders)

    def asked(self, method: str, plural: str) -> list[Request]:
        """List the requests so far; the method ``WATCH`` is that of watches."""
        with self._lock:
            return [r for r in self.requests if (r.kind, r.plural) == (method, plural)]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Break all connections and refuse new ones for a while, as a restarted server does."""
        self._leave()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        self._server = _Server(("127.0.0.1", self._port_here), _Handler)
        self._server.proxy = self
        self._port_here = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _leave(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        with self._lock:
            connections, self._open = self._open, set()
        for one in connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    # What handlers call

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def number(self) -> int:
        with self._lock:
            self._numbered += 1
            return self._numbered

    def note(self, request: Request) -> Fault | Cut | None:
        with self._lock:
            self.requests.append(request)
            for method, plural, faults in self._orders:
                if (method, plural) == (request.kind, request.plural) and faults:
                    return faults.pop(0)
        return None

    def ask(self, method: str, path: str, headers: Plain, body: bytes | None) -> Any:
        """Ask the real server; connection and response."""
        connection = http.client.HTTPSConnection(
            self._host, self._port, context=self._tls, timeout=300
        )
        connection.request(method, path, body, headers)
        return connection, connection.getresponse()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.proxy.opened(self.connection)

    def do_GET(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _serve(self) -> None:
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        request = Request.of(str(self.command), self.path)
        fault = proxy.note(request)
        number = proxy.number()
        if not proxy.before(number, request):
            self._break()
            return
        if self.command == "POST" and body:
            body = json.dumps(proxy.change(request.plural, json.loads(body))).encode()
        if isinstance(fault, Says):
            self._say(fault)
            return
        if isinstance(fault, (Answer, Lost)) and not fault.done:
            self._refuse(fault)
            return
        skipped = {"host", "connection", "content-length", "accept-encoding"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in skipped}
        connection, response = proxy.ask(str(self.command), self.path, headers, body)
        try:
            if not proxy.after(number, request, response.status):
                self._break()
            elif isinstance(fault, (Answer, Lost)):
                response.read()
                self._refuse(fault)
            else:
                self._pass(response, fault.after if isinstance(fault, Cut) else None)
        finally:
            connection.close()

    def _pass(self, response: http.client.HTTPResponse, limit: int | None) -> None:
        """Pass an answer on as it comes."""
        self.send_response(response.status)
        length = response.getheader("Content-Length")
        for name in ("Content-Type", "Content-Length", "Retry-After"):
            if (value := response.getheader(name)) is not None:
                self.send_header(name, value)
        if length is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        while piece := response.read1(1 << 16):
            if limit is not None and sent + len(piece) > limit:
                self.wfile.write(piece[: limit - sent])
                self.wfile.flush()
                self._break()
                return
            self.wfile.write(piece)
            self.wfile.flush()
            sent += len(piece)

    def _say(self, fault: Says) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(fault.data)
        self.wfile.flush()
        if fault.silent:
            self.connection.recv(1)  # until the client has had enough of it
        self.close_connection = True

    def _refuse(self, fault: Answer | Lost) -> None:
        if isinstance(fault, Lost):
            self._break()
            return
        data = json.dumps(refusal(fault.status, fault.message, "")).encode()
        self.send_response(fault.status)
        for key, value in {**fault.headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _upstream(kubeconfig: Path) -> tuple[str, int, ssl.SSLContext]:
    """Find the real server and what it trusts, as the official client does."""
    from kubernetes import client, config

    found = client.Configuration()
    config.load_kube_config(config_file=str(kubeconfig), client_configuration=found)
    address = urlsplit(found.host)
    tls = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if found.cert_file:
        tls.load_cert_chain(found.cert_file, found.key_file)
    return str(address.hostname), address.port or 443, tls
