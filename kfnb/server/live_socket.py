"""The socket of a page, as the server's event loop sees it: messages are passed on undecoded."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from kfnb.server.handlers import PROTOCOL, RESOURCE
from kfnb.server.operations import BASE
from kfnb.server.state import ServerState

if TYPE_CHECKING:
    from kfnb.server.live_book import Envelope, LiveBook

MOST_UNSENT_BYTES = 64_000_000
"""A socket whose page reads so much too slowly is closed; the page connects anew."""
_BOOK, _RUN = "book:", "run:"
_numbers = itertools.count(1)


class LiveSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One page. Its channels are runs, notebooks and the list of runs."""

    auth_resource = RESOURCE

    def initialize(self, state: ServerState) -> None:
        """Take the state that all handlers share."""
        self.state = state
        self.number = next(_numbers)
        self._channels: set[str] = set()
        self._books: dict[str, LiveBook] = {}
        self._unsent = 0

    def set_default_headers(self) -> None:
        """Set none: these headers belong to pages, not to sockets."""

    def get_compression_options(self) -> dict[str, Any] | None:
        """Compress nothing, which would hold up the event loop for large messages."""
        return None

    @property
    def max_message_size(self) -> int:
        """The largest message that is accepted, in bytes."""
        return self.state.limits.message_bytes

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> Any:
        """Open the socket for users who may read and start runs."""
        user = self.current_user
        for action in ("read", "execute"):
            allowed = self.authorizer.is_authorized(self, user, action, RESOURCE)
            if user is None or not await ensure_async(allowed):
                raise web.HTTPError(403)
        return await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Greet the page."""
        from kfnb import __version__

        super().open(*args, **kwargs)
        self.state.sockets[self.number] = self
        self.tell("", {"kind": "hello", "protocol": PROTOCOL, "version": __version__})

    def on_message(self, message: str | bytes) -> None:
        """Take a message of the page."""
        import msgspec  # a server starts without it

        from kfnb.server.live_book import Envelope

        data = message.encode() if isinstance(message, str) else message
        try:
            envelope = msgspec.json.decode(data, type=Envelope)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.tell("", _notice(f"This message does not fit: {error}."))
            return
        if envelope.kind.startswith(("open-", "watch-")):
            known = len(self._channels | {envelope.ch})
            if known > self.state.limits.channels:
                limit = self.state.limits.channels
                text = f"This page follows {limit} runs and notebooks already. Close one first."
                self.tell(envelope.ch, _notice(text), envelope.re)
                return
            self._channels.add(envelope.ch)
        elif envelope.kind == "close":
            self._channels.discard(envelope.ch)
        if envelope.ch.startswith(_BOOK):
            self._book(envelope, data)
        elif envelope.kind == "command" and envelope.name == "run-again":
            self.state.spawn(self._run_again(envelope))
        else:
            self.state.spawn(self.state.follow.send({"socket": self.number}, data))

    def _book(self, envelope: Envelope, data: bytes) -> None:
        book = self._books.get(envelope.ch)
        if envelope.kind == "close":
            self._books.pop(envelope.ch, None)
            return
        if book is None:
            from kfnb.server.live_book import LiveBook

            book = self._books[envelope.ch] = LiveBook(
                self.state, envelope.ch.removeprefix(_BOOK), self
            )
        book.take(envelope.kind, data, envelope.re)

    async def _run_again(self, envelope: Envelope) -> None:
        answer = await self.state.run_again(envelope.ch.removeprefix(_RUN))
        plain = answer.plain()
        if not answer.ok:
            self.tell(envelope.ch, _notice(plain["detail"], "error"), envelope.re)
            return
        self.tell(envelope.ch, {"kind": "started", "run": plain["id"]}, envelope.re)

    def tell(self, channel: str, message: Mapping[str, Any], re: int | str | None = None) -> None:
        """Send the page a small message."""
        envelope = {"ch": channel, **({"re": re} if re is not None else {})}
        self.push({}, json.dumps({**envelope, **message}).encode())

    def push(self, header: Mapping[str, Any], body: bytes) -> None:
        """Send the page a message as it is."""
        del header
        if self._unsent + len(body) > MOST_UNSENT_BYTES:
            self.close(1013, "The page reads too slowly.")
            return
        self._unsent += len(body)
        self.state.spawn(self._send(body))

    async def _send(self, body: bytes) -> None:
        try:
            await self.write_message(body)
        except WebSocketClosedError:
            pass
        finally:
            self._unsent -= len(body)

    def follow_ended(self) -> None:
        """Tell the page that its runs are no longer followed."""
        why = "The process that follows runs has died. Open the run again to follow it."
        for channel in sorted(self._channels):
            if not channel.startswith(_BOOK):
                self.tell(channel, {"kind": "gone", "why": why})
                self._channels.discard(channel)

    def on_close(self) -> None:
        """Stop following what the page followed."""
        super().on_close()
        self.state.sockets.pop(self.number, None)
        self._books.clear()
        if self.state.follow.alive:
            header = {"socket": self.number, "closed": True}
            self.state.spawn(self.state.follow.send(header))


def _notice(text: str, level: str = "error") -> dict[str, Any]:
    return {"kind": "notice", "text": text, "level": level}


def live_handler(state: ServerState) -> tuple[str, type[Any], dict[str, Any]]:
    """Return the handler of the socket."""
    return (f"{BASE}/live", LiveSocket, {"state": state})
