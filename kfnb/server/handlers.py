"""HTTP: each operation's request is checked and passed on to the process that answers it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from kfnb.server.operations import BASE, OPERATIONS, RUN_ID, Operation
from kfnb.server.problems import CONTENT_TYPE, ProblemError
from kfnb.server.processes import Answer
from kfnb.server.state import ServerState

RESOURCE = "kfnb"
"""What an authorizer is asked about."""
PROTOCOL = 1
_PACKAGE = Path(__file__).parents[1]
_SCHEMAS = {
    "cell": _PACKAGE / "notebook" / "schemas" / "cell.schema.json",
    "notebook": _PACKAGE / "notebook" / "schemas" / "notebook.schema.json",
    "events": _PACKAGE / "engine" / "events.schema.json",
}
_OPENAPI = Path(__file__).with_name("openapi.json")
_KEY = "[A-Za-z0-9_-]{1,100}"


class ApiHandler(APIHandler):
    """Answers the operations of one path; :func:`handlers` makes a subclass for each path."""

    methods: tuple[str, ...] = ()

    def initialize(self, state: ServerState) -> None:
        """Take the state that all handlers share."""
        self.state = state

    async def relay(self, operation: Operation, in_path: dict[str, str]) -> None:
        """Answer a request."""
        try:
            arguments = self._arguments(operation, in_path)
            answer = await self._answer(operation, arguments)
        except ProblemError as error:
            answer = Answer(error.status, CONTENT_TYPE, error.body())
        if answer.ok:
            self.set_status(operation.status)
            if operation.status == HTTPStatus.NO_CONTENT:
                self.finish()
                return
        else:
            self.set_status(answer.status)
        self.finish(answer.body, set_content_type=answer.content_type)

    async def _answer(self, operation: Operation, arguments: dict[str, Any]) -> Answer:
        if operation.process == "server":
            body = _SERVER_CALLS[operation.call](self, **arguments)
            return Answer(200, "application/json", body)
        if operation.call == "create":
            return await self.state.start_run(arguments, self._key())
        return await self.state.call(operation.process, operation.call, arguments)

    def _arguments(self, operation: Operation, in_path: dict[str, str]) -> dict[str, Any]:
        """Return the arguments of the call; raises ProblemError if one does not fit."""
        import msgspec  # with the types, half of the time that the server would need to start

        from kfnb.server.requests import kind_of

        run = in_path.get("run")
        if run is not None and not re.fullmatch(RUN_ID, run):
            raise ProblemError(404, f"There is no run {run[:100]!r}.")
        arguments: dict[str, Any] = dict(in_path)
        try:
            if operation.query is not None:
                arguments |= self._query(kind_of(operation.query))
            if operation.body is not None:
                arguments |= self._body(kind_of(operation.body))
        except msgspec.ValidationError as error:
            raise ProblemError(400, f"This request does not fit: {error}.") from error
        return arguments

    def _query(self, kind: type[Any]) -> dict[str, Any]:
        import msgspec

        given: dict[str, str] = {}
        for field in msgspec.structs.fields(kind):
            values = self.get_query_arguments(field.encode_name, strip=False)
            if len(values) > 1:
                raise ProblemError(400, f"{field.encode_name} may be given only once.")
            if values == ["null"]:
                # It would count as a value that is missing.
                raise ProblemError(400, f"{field.encode_name} must not be null; leave it out.")
            if values:
                given[field.encode_name] = values[0]
        return msgspec.structs.asdict(msgspec.convert(given, kind, strict=False))

    def _body(self, kind: type[Any]) -> dict[str, Any]:
        import msgspec

        limit = self.state.limits.message_bytes
        if len(self.request.body) > limit:
            raise ProblemError(413, f"This request has more than {limit:,} bytes.")
        sent = self.request.headers.get("Content-Type", "application/json").partition(";")[0]
        if sent.strip().lower() != "application/json":
            raise ProblemError(415, "The body of this request must be application/json.")
        try:
            plain = msgspec.json.decode(self.request.body)
            if isinstance(plain, dict):
                # JSON has no integers of its own: 2.0 is the number 2.
                plain = {key: _whole(value) for key, value in plain.items()}
            return msgspec.structs.asdict(msgspec.convert(plain, kind))
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(400, f"The body of this request is not JSON: {error}.") from error

    def _key(self) -> str | None:
        keys = self.request.headers.get_list("Idempotency-Key")
        if not keys:
            return None
        if len(keys) > 1 or not re.fullmatch(_KEY, keys[0]):
            raise ProblemError(
                400, "Idempotency-Key must have 1 to 100 letters, digits, hyphens and underscores."
            )
        return str(keys[0])

    def write_error(self, status_code: int, **context: Any) -> None:
        """Answer an error of the server, such as a missing token, as a problem."""
        exception = context.get("exc_info", (None, None, None))[1]
        if status_code == HTTPStatus.FORBIDDEN and self.current_user is None:
            status_code = HTTPStatus.UNAUTHORIZED
        message = getattr(exception, "log_message", None) or ""
        detail = {
            401: "The token of this server is missing or wrong.",
            403: "You may not do this on this server, or the page has to be loaded again.",
            404: "There is nothing at this address.",
            405: f"This address takes only {', '.join(self.methods)}.",
        }.get(status_code, message or "The request failed; the server's log may say why.")
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.methods))
        self.set_status(status_code)
        body = ProblemError(status_code, detail).body()
        self.finish(body, set_content_type=CONTENT_TYPE)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _server_status(handler: ApiHandler) -> bytes:
    from kfnb import __version__

    limits = handler.state.limits
    return json.dumps(
        {
            "version": __version__,
            "protocol": PROTOCOL,
            "reads_files": handler.state.root is not None,
            "limits": {
                "notebook_bytes": limits.notebook_bytes,
                "message_bytes": limits.message_bytes,
                "channels": limits.channels,
            },
        }
    ).encode()


def _schema(handler: ApiHandler, schema: str) -> bytes:
    del handler
    if schema not in _SCHEMAS:
        raise ProblemError(404, f"There is no schema {schema[:100]!r}: {', '.join(_SCHEMAS)}.")
    return _SCHEMAS[schema].read_bytes()


def _openapi(handler: ApiHandler) -> bytes:
    document = json.loads(_OPENAPI.read_bytes())
    document["servers"] = [{"url": handler.base_url.rstrip("/") + BASE}]
    return json.dumps(document).encode()


_SERVER_CALLS: dict[str, Callable[..., bytes]] = {
    "server_status": _server_status,
    "schema": _schema,
    "openapi": _openapi,
}


def handlers(state: ServerState) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return a handler for each path."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    made: list[tuple[str, type[Any], dict[str, Any]]] = []
    for path, operations in by_path.items():
        pattern = BASE + re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", re.escape(path))
        members: dict[str, Any] = {m.lower(): _method(one) for m, one in operations.items()}
        members |= {"methods": tuple(operations), "__doc__": f"Answers {path}."}
        made.append((pattern, type("ApiHandler", (ApiHandler,), members), {"state": state}))
    return made


def _method(operation: Operation) -> Callable[..., Awaitable[None]]:
    """Return the handler's method for an operation, for users who may do it."""

    @web.authenticated
    @authorized(operation.action, resource=RESOURCE)
    async def answer(self: ApiHandler, **in_path: str) -> None:
        await self.relay(operation, in_path)

    return cast("Callable[..., Awaitable[None]]", answer)
