"""What the API server of the tests can be told to do wrong, and what it writes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    def is_watch(self) -> bool:
        return "watch" in self.query


def line(change: str, item: Plain) -> bytes:
    """Return a watch's line."""
    return json.dumps({"type": change, "object": item}).encode() + b"\n"


def refusal(code: int, message: str, reason: str) -> Plain:
    """Return the object that says no."""
    return {"kind": "Status", "code": code, "message": message, "reason": reason}


def now() -> str:
    """Return the time as objects have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
