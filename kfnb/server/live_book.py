"""A notebook as it is being edited in a page: its steps and its graph after each edit."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

import msgspec

from kfnb.server.processes import Answer
from kfnb.server.state import ServerState

PAUSE_SECONDS = 0.05
"""Least time between two readings: more edits than that are read together."""


class Sender(Protocol):
    """The socket of the page."""

    def push(self, header: dict[str, Any], body: bytes) -> None:
        """Send a message as it is."""


class Envelope(msgspec.Struct, frozen=True):
    """What every message of a page has."""

    ch: str
    kind: str
    re: int | str | None = None
    name: str | None = None


class Edit(msgspec.Struct, frozen=True):
    """Cells that changed, as the notebook's format has them, and the order of all cells.

    ``metadata`` is the notebook's; the cells and it are passed on as they are.
    """

    rev: int
    order: list[str]
    cells: dict[str, msgspec.Raw] = {}
    metadata: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class LiveBook:
    """One notebook in one page; the newest revision wins."""

    def __init__(self, state: ServerState, path: str, sender: Sender) -> None:
        self._state = state
        self._path = path
        self._sender = sender
        self._cells: dict[str, bytes] = {}
        self._order: list[str] = []
        self._metadata = b"{}"
        self._rev: int | None = None
        self._re: int | str | None = None
        self._busy = False

    def take(self, kind: str, data: bytes, re: int | str | None) -> None:
        """Take a message of the page: ``open-book``, ``edit`` or ``suggest``."""
        if kind == "open-book":
            self._state.spawn(self._open(re))
        elif kind == "suggest":
            self._state.spawn(self._suggest(re))
        elif kind == "edit":
            try:
                self._edit(msgspec.json.decode(data, type=Edit), re)
            except msgspec.ValidationError as error:
                self._tell("notice", {"text": f"This edit does not fit: {error}.", "re": re})

    def _edit(self, edit: Edit, re: int | str | None) -> None:
        self._cells.update((key, bytes(cell)) for key, cell in edit.cells.items())
        self._order = edit.order
        self._metadata = bytes(edit.metadata) or self._metadata
        unknown = [one for one in self._order if one not in self._cells]
        if unknown:
            text = f"The cell {unknown[0][:100]!r} was never sent. Send all cells with this edit."
            self._tell("notice", {"text": text, "level": "error", "re": re})
            return
        self._cells = {key: self._cells[key] for key in self._order}
        size = sum(map(len, self._cells.values()))
        if size > self._state.limits.notebook_bytes:
            limit = self._state.limits.notebook_bytes
            text = f"This notebook has more than {limit:,} bytes, so it is not read."
            self._tell("notice", {"text": text, "level": "error", "re": re})
            return
        self._rev, self._re = edit.rev, re
        if not self._busy:
            self._busy = True
            self._state.spawn(self._read())

    async def _open(self, re: int | str | None) -> None:
        """Send the notebook as it is on the disk."""
        body = msgspec.json.encode({"path": self._path, "target": "local"})
        answer = await self._state.check.call("check", body)
        self._send("book" if answer.ok else "problem", answer, {"re": re, "rev": 0})

    async def _suggest(self, re: int | str | None) -> None:
        """Suggest steps for the newest revision, or for the file if none was sent."""
        file = msgspec.json.encode({"path": self._path})
        body = self._arguments() if self._order else file
        rev = self._rev
        answer = await self._state.check.call("suggest", body)
        self._send("proposal" if answer.ok else "problem", answer, {"re": re, "rev": rev})

    async def _read(self) -> None:
        """Read the newest revision until there is no newer one."""
        done = None
        try:
            while self._rev != done:
                done, re = self._rev, self._re
                body = self._arguments()
                # What is shown at the cells needs no data flow, so it is sent first.
                for call in ("outline", "graph"):
                    answer = await self._state.check.call(call, body)
                    self._send(call if answer.ok else "problem", answer, {"re": re, "rev": done})
                    if self._rev != done or not answer.ok:
                        break
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._busy = False

    def _arguments(self) -> bytes:
        """Return the arguments of a call; the cells are joined without being decoded."""
        cells = b",".join(self._cells.values())
        return (
            b'{"path":%b,"notebook":{"nbformat":4,"nbformat_minor":5,"metadata":%b,"cells":[%b]}}'
            % (json.dumps(self._path).encode(), self._metadata, cells)
        )

    def _send(self, kind: str, answer: Answer, more: dict[str, Any]) -> None:
        """Send the page an answer, without decoding it."""
        head = self._head(kind, more)
        self._sender.push({}, b'%b,"%b":%b}' % (head[:-1], kind.encode(), answer.body))

    def _tell(self, kind: str, message: dict[str, Any]) -> None:
        self._sender.push({}, self._head(kind, {"level": "error", **message}))

    def _head(self, kind: str, more: dict[str, Any]) -> bytes:
        given = {key: value for key, value in more.items() if value is not None}
        return json.dumps({"ch": f"book:{self._path}", "kind": kind, **given}).encode()
