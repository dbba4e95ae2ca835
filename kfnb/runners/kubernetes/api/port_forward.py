"""Forwards a port of this machine to a port of a pod, through the API server.

Each connection has a separate WebSocket with the protocol ``v4.channel.k8s.io``: the first byte
of a message is its channel, 0 for data and 1 for errors, and the first message of each channel
is the port's number.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from kfnb.errors import KfnbError
from kfnb.runners.kubernetes.api.transport import CONNECT, ApiError, Transport

_DATA, _ERROR = 0, 1
_PIECE = 64 << 10
_PROTOCOL = "v4.channel.k8s.io"


class PortForward:
    """Listens on the loopback address, and forwards connections to the pod until :meth:`close`.

    Parameters
    ----------
    path
        The path of the pod's port at the API server.
    what
        The pod's port, for messages.
    again
        Returns another path if the pod was replaced.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        *,
        what: str,
        again: Callable[[], str] | None = None,
    ) -> None:
        self._transport = transport
        self._path = path
        self._what = what
        self._again = again
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        self._closed = False
        # Fail at once if the pod does not exist, or the right to it is missing.
        self._dial().close()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, name="kfnb-forward", daemon=True).start()

    @property
    def address(self) -> str:
        """The local host and port."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening, and end every connection."""
        with self._lock:
            self._closed = True
            ends, self._open = list(self._open), set()
        # Closing does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for end in ends:
            _end(end)

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listening.accept()
            except OSError:
                # This is how the thread notices that `close` has shut the socket down.
                return
            threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        """Forward one connection in both directions."""
        try:
            remote = self._connect()
        except KfnbError:
            # To the client this is a broken connection, which it handles as at any other time.
            local.close()
            return
        # `close` may have been called while the connection was being made.
        with self._lock:
            if self._closed:
                _end(local)
                _end(remote)
                return
            self._open |= {local, remote}
        threading.Thread(target=self._outward, args=(local, remote), daemon=True).start()
        try:
            self._inward(local, remote)
        finally:
            with self._lock:
                self._open -= {local, remote}
            _end(local)
            _end(remote)

    def _connect(self) -> Any:
        try:
            return self._dial()
        except ApiError as error:
            # Another pod does not help if the server does not answer, or if the right is missing.
            if self._again is None or error.status in (None, 401, 403):
                raise
        self._path = self._again()
        return self._dial()

    def _outward(self, local: socket.socket, remote: Any) -> None:
        import websocket

        # Whichever side breaks the connection, the client sees that it was closed.
        with contextlib.suppress(OSError, websocket.WebSocketException):
            while data := local.recv(_PIECE):
                remote.send_binary(bytes([_DATA]) + data)
        # The protocol has no half-closed connections; the client has read its answer by now.
        _end(remote)

    def _inward(self, local: socket.socket, remote: Any) -> None:
        import websocket

        begun: set[int] = set()
        with contextlib.suppress(OSError, websocket.WebSocketException):
            while message := remote.recv():
                data = message.encode() if isinstance(message, str) else message
                channel, data = data[0], data[1:]
                if channel not in begun:
                    begun.add(channel)
                    # The first message of each channel begins with the port's number, which has two
                    # bytes.
                    data = data[2:]
                if channel == _DATA and data:
                    local.sendall(data)
                elif channel == _ERROR and data:
                    return

    def _dial(self) -> Any:
        import websocket

        where = urlsplit(self._transport.host + self._path)
        scheme = "wss" if where.scheme == "https" else "ws"
        url = where._replace(scheme=scheme).geturl()
        headers = [f"{k}: {v}" for k, v in self._transport.authorization().items()]
        try:
            there = websocket.create_connection(
                url,
                timeout=CONNECT,
                header=headers,
                subprotocols=[_PROTOCOL],
                sslopt=_tls(self._transport.configuration),
                skip_utf8_validation=True,
                **_proxy(self._transport.configuration),
            )
        except websocket.WebSocketBadStatusException as error:
            raise ApiError(
                f"Cannot connect to {self._what}: the API server answers {error.status_code}"
                f"{_REASONS.get(error.status_code, '')}.",
                status=error.status_code,
            ) from error
        except (OSError, websocket.WebSocketException) as error:
            raise ApiError(
                f"Cannot connect to {self._what}: {self._transport.host} does not answer: {error}."
            ) from error
        # The limit was for connecting; a connection may be idle for as long as it is used.
        there.settimeout(None)
        return there


_REASONS = {
    403: " (you have no right to create pods/portforward; kfnb doctor --on kubernetes shows how "
    "to get it)",
    404: " (the pod does not exist)",
}


def _tls(configuration: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    }
    if configuration.ssl_ca_cert:
        options["ca_certs"] = configuration.ssl_ca_cert
    if configuration.cert_file:
        options.update(certfile=configuration.cert_file, keyfile=configuration.key_file)
    if configuration.assert_hostname is False or not configuration.verify_ssl:
        options["check_hostname"] = False
    if getattr(configuration, "tls_server_name", None):
        options["server_hostname"] = configuration.tls_server_name
    return options


def _proxy(configuration: Any) -> dict[str, Any]:
    if not configuration.proxy:
        return {}
    where = urlsplit(configuration.proxy)
    return {
        "http_proxy_host": where.hostname,
        "http_proxy_port": where.port,
        "proxy_type": where.scheme or "http",
    }


def _end(end: Any) -> None:
    """Close a socket or WebSocket, and wake the thread that waits for it."""
    # The other thread may have closed it already.
    with contextlib.suppress(Exception):
        (end if isinstance(end, socket.socket) else end.sock).shutdown(socket.SHUT_RDWR)
    # A WebSocket's close() would wait for the other side's answer; shutdown() does not.
    with contextlib.suppress(Exception):
        end.close() if isinstance(end, socket.socket) else end.shutdown()
