"""A small API server on loopback, for kfnb's real client: objects in memory, and faults on order.

It keeps what the client relies on: one growing version, watches from a version on, 410 for
versions that are forgotten, UIDs and their preconditions, and the collector that removes what
an owner leaves. Each fault is taken by one request that it fits.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.runners.kubernetes.wrongs import (
    Fault,
    Lost,
    Plain,
    Request,
    Says,
    line,
    now,
    refusal,
)

KINDS = {"jobs": "Job", "pods": "Pod", "configmaps": "ConfigMap", "events": "Event"}


@dataclass
class _Order:
    method: str
    plural: str
    faults: list[Fault]


class ApiServer:
    """One namespace, served until the context ends.

    ``created`` is called, in a thread of its own, with every object that was created.
    """

    def __init__(self, *, created: Callable[[Plain], object] | None = None) -> None:
        self.requests: list[Request] = []
        self.logs: dict[str, bytes] = {}
        self.created = created
        self._objects: dict[tuple[str, str], Plain] = {}
        self._history: list[tuple[int, str, str, Plain]] = []
        self._orders: list[_Order] = []
        self._change = threading.Condition()
        self._version = itertools.count(1)
        self._last = 0
        self._oldest = 0
        self._over = False
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> ApiServer:  # noqa: PYI034 (Self came with Python 3.11)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._over = True
            self._change.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig whose current context is this server."""
        named = {"name": "here"}
        plain = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {}}],
            "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(plain))
        return path

    def order(self, method: str, plural: str, *faults: Fault) -> None:
        """Have requests fail, one after the other; the method ``WATCH`` is that of watches."""
        with self._change:
            self._orders.append(_Order(method, plural, list(faults)))

    def ordered(self) -> int:
        """Count the faults that nobody has met yet."""
        with self._change:
            return sum(len(order.faults) for order in self._orders)

    def asked(self, method: str, plural: str) -> list[Request]:
        """List the requests so far; the method ``WATCH`` is that of watches."""
        with self._change:
            return [r for r in self.requests if (r.kind, r.plural) == (method, plural)]

    def objects(self, plural: str) -> dict[str, Plain]:
        """Return copies of what there is, by name."""
        with self._change:
            found = {n: o for (kind, n), o in self._objects.items() if kind == plural}
            return copy.deepcopy(found)

    def put(self, plural: str, item: Plain) -> Plain:
        """Create or change an object as a controller or kubelet does."""
        with self._change:
            return self._put(plural, copy.deepcopy(item))

    def remove(self, plural: str, name: str) -> None:
        """Remove an object as a person or controller does; what it owned goes too."""
        with self._change:
            self._remove(plural, name)
            self._collect()

    def forget(self) -> None:
        """Forget all versions so far: watches that begin there get 410."""
        with self._change:
            self._oldest = self._last

    # What handlers call

    def note(self, request: Request) -> Fault | None:
        """Note a request; return the fault that was ordered for it."""
        with self._change:
            self.requests.append(request)
            for order in self._orders:
                if (order.method, order.plural) == (request.kind, request.plural) and order.faults:
                    return order.faults.pop(0)
        return None

    def create(self, plural: str, body: Plain) -> tuple[int, Plain]:
        name = body["metadata"]["name"]
        with self._change:
            if (plural, name) in self._objects:
                return 409, refusal(409, f'{plural} "{name}" already exists', "AlreadyExists")
            made = self._put(plural, body)
            self._collect()
        if self.created is not None:
            threading.Thread(target=self.created, args=(made,), daemon=True).start()
        return 201, made

    def delete(self, plural: str, name: str, options: Plain) -> tuple[int, Plain]:
        with self._change:
            found = self._objects.get((plural, name))
            if found is None:
                return 404, refusal(404, f'{plural} "{name}" not found', "NotFound")
            wanted = (options.get("preconditions") or {}).get("uid")
            if wanted not in (None, found["metadata"]["uid"]):
                return 409, refusal(409, "the UID in the precondition differs", "Conflict")
            self._remove(plural, name)
            self._collect()
        return 200, {"kind": "Status", "status": "Success"}

    def get(self, plural: str, name: str) -> tuple[int, Plain]:
        with self._change:
            found = self._objects.get((plural, name))
            if found is None:
                return 404, refusal(404, f'{plural} "{name}" not found', "NotFound")
            return 200, copy.deepcopy(found)

    def list(self, plural: str, query: Mapping[str, str]) -> tuple[int, Plain]:
        with self._change:
            items = [
                copy.deepcopy(o)
                for (kind, _), o in self._objects.items()
                if kind == plural and _chosen(o, query)
            ]
            version = str(self._last)
        return 200, {
            "kind": f"{KINDS[plural]}List",
            "metadata": {"resourceVersion": version},
            "items": items,
        }

    def watch(self, plural: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the lines of a watch until its time is over."""
        since = int(query.get("resourceVersion") or 0)
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 3600)
        if since < self._oldest:
            yield line("ERROR", refusal(410, "too old resource version", "Expired"))
            return
        at = 0
        while True:
            with self._change:
                while at == len(self._history) and not self._over and time.monotonic() < ends:
                    self._change.wait(min(1.0, max(0.0, ends - time.monotonic())))
                if self._over or time.monotonic() >= ends:
                    return
                fresh, at = self._history[at:], len(self._history)
            for version, kind, change, item in fresh:
                if version > since and kind == plural and _chosen(item, query):
                    yield line(change, item)

    def _put(self, plural: str, item: Plain) -> Plain:
        metadata = item.setdefault("metadata", {})
        old = self._objects.get((plural, metadata["name"]))
        number = next(self._version)
        metadata.setdefault("uid", old["metadata"]["uid"] if old else f"uid-{number}")
        metadata.setdefault("creationTimestamp", now())
        item.setdefault("kind", KINDS[plural])
        self._objects[plural, metadata["name"]] = item
        self._happened(number, plural, "MODIFIED" if old else "ADDED", item)
        return copy.deepcopy(item)

    def _remove(self, plural: str, name: str) -> None:
        item = self._objects.pop((plural, name), None)
        if item is not None:
            self._happened(next(self._version), plural, "DELETED", item)

    def _happened(self, number: int, plural: str, change: str, item: Plain) -> None:
        item["metadata"]["resourceVersion"] = str(number)
        self._last = number
        self._history.append((number, plural, change, copy.deepcopy(item)))
        self._change.notify_all()

    def _collect(self) -> None:
        """Remove what belongs to owners that are gone."""
        while True:
            uids = {o["metadata"]["uid"] for o in self._objects.values()}
            orphans = [
                key
                for key, o in self._objects.items()
                if any(r["uid"] not in uids for r in o["metadata"].get("ownerReferences") or ())
            ]
            if not orphans:
                return
            for plural, name in orphans:
                self._remove(plural, name)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    api: ApiServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        api = self.server.api
        request = Request.of(str(self.command), self.path)
        plural, _, more = request.plural.partition("/")
        name, query = request.name, request.query
        fault = api.note(request)
        with contextlib.suppress(OSError):
            if fault is not None:
                self._fail(fault, plural, name, body)
            elif request.kind == "WATCH":
                self._stream(api.watch(plural, query))
            elif more == "log":
                self._log(name)
            else:
                self._reply(*self._do(plural, name, query, body))

    def _do(
        self, plural: str, name: str, query: Mapping[str, str], body: Plain
    ) -> tuple[int, Plain]:
        api = self.server.api
        if self.command == "POST":
            return api.create(plural, body)
        if self.command == "DELETE":
            return api.delete(plural, name, body)
        return api.get(plural, name) if name else api.list(plural, query)

    def _fail(self, fault: Fault, plural: str, name: str, body: Plain) -> None:
        if isinstance(fault, Says):
            self._stream(iter([fault.data] if fault.data else []), silent=fault.silent)
            return
        if fault.done:
            self._do(plural, name, {}, body)
        if isinstance(fault, Lost):
            self._break()
        else:
            said = refusal(fault.status, fault.message, "")
            self._reply(fault.status, said, fault.headers)

    def _reply(self, status: int, body: Plain, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _log(self, pod: str) -> None:
        data = self.server.api.logs.get(pod)
        if data is None:
            self._reply(400, refusal(400, f'container in pod "{pod}" is waiting to start', ""))
            return
        self._stream(iter([data]))

    def _stream(self, lines: Iterator[bytes], *, silent: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        for one in lines:
            self.wfile.write(one)
            self.wfile.flush()
        if silent:
            with contextlib.suppress(OSError):
                self.connection.recv(1)  # until the client has had enough of it
        self.close_connection = True

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _chosen(item: Plain, query: Mapping[str, str]) -> bool:
    labels = item["metadata"].get("labels") or {}
    wanted = [p.partition("=") for p in query.get("labelSelector", "").split(",") if p]
    fields = [p.partition("=") for p in query.get("fieldSelector", "").split(",") if p]
    about = item.get("involvedObject") or {}
    known = {"involvedObject.uid": about.get("uid"), "type": item.get("type")}
    return all(labels.get(k) == v for k, _, v in wanted) and all(
        known.get(k) == v for k, _, v in fields
    )
