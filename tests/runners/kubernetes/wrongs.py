"""What the API server of the tests can be told to do wrong, and what it writes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Plain = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An answer instead of the server's own; ``done``: the request is carried out before."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "as the test says"
    done: bool = False


@dataclass(frozen=True)
class Lost:
    """The connection breaks without an answer; ``done``: the request is carried out before."""

    done: bool = True


@dataclass(frozen=True)
class Says:
    """A watch that says these bytes; then it is closed, or silent as a socket that is half open."""

    data: bytes = b""
    silent: bool = False


Fault = Answer | Lost | Says


@dataclass(frozen=True)
class Request:
    """What a client asked for; ``plural`` is that of the kind, ``at`` when."""

    method: str
    plural: str
    name: str
    query: Mapping[str, str]
    at: float

    @property
    def kind(self) -> str:
        """The method; ``WATCH`` for a watch."""
        return "WATCH" if "watch" in self.query else self.method

    @staticmethod
    def of(method: str, url: str) -> Request:
        """Read ``/api/v1/namespaces/NS/PLURAL[/NAME[/log]]`` and ``/apis/GROUP/VERSION/…``."""
        asked = urlsplit(url)
        query = {k: v[0] for k, v in parse_qs(asked.query).items()}
        parts = [unquote(part) for part in asked.path.split("/") if part]
        if "namespaces" in parts:
            parts = parts[parts.index("namespaces") + 2 :]
        plural, name, more = [*parts, "", "", ""][:3]
        return Request(
            method, f"{plural}/{more}" if more else plural, name, query, time.monotonic()
        )


def line(change: str, item: Plain) -> bytes:
    """Return a watch's line."""
    return json.dumps({"type": change, "object": item}).encode() + b"\n"


def refusal(code: int, message: str, reason: str) -> Plain:
    """Return the object that says no."""
    return {"kind": "Status", "code": code, "message": message, "reason": reason}


def now() -> str:
    """Return the time as objects have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
