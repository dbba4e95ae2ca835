"""Watches that a page talks to this machine only, and that nothing hostile ran in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog, Page

_INSIDE = ("blob", "data", "about", "file")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def leaves(url: str) -> bool:
    """Whether a request for ``url`` would go to another machine."""
    parts = urlsplit(url)
    return parts.scheme not in _INSIDE and parts.hostname not in _LOOPBACK


@dataclass
class Guard:
    """What pages of a context asked for, said in their consoles, and popped up."""

    urls: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._note(request.url))
        context.on("page", self._watch_page)

    def _note(self, url: str) -> None:
        self.urls.append(url)
        if leaves(url):
            self.left.append(url)

    def _watch_page(self, page: Page) -> None:
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", lambda socket: self._note(socket.url.replace("ws", "http", 1)))
        page.on("dialog", self._answer)

    def _answer(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":  # the notebook's own: leave without saving?
            dialog.accept()
            return
        self.dialogs.append(dialog.message)
        dialog.dismiss()
