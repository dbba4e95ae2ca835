"""Requests to the extension, answered or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import HTTPClientError

import kfnb
from tests.waiting import wait_until


@dataclass(frozen=True)
class Reply:
    status: int
    kind: str
    body: Any
    headers: Any


async def ask(fetch: Any, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    """Send a request below ``/kfnb/v1``; a refusal is a reply too."""
    if body is not None:
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        options["headers"] = headers
        options["body"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
    elif method in ("POST", "PATCH"):
        options["allow_nonstandard_methods"] = True
    parts = ["kfnb", "v1", *path.strip("/").split("/")]
    try:
        got = await fetch(*parts, method=method, request_timeout=120, **options)
    except HTTPClientError as error:
        if error.response is None:
            raise
        got = error.response
    kind = got.headers.get("Content-Type", "").partition(";")[0]
    return Reply(got.code, kind, json.loads(got.body) if got.body else None, got.headers)


def ended(run: kfnb.Run) -> str:
    """Wait until a run has ended; `Run.wait` gives up on a driver that starts slowly."""
    wait_until(lambda: run.status not in ("pending", "running"))
    return run.status
