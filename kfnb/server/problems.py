"""Errors as the problem JSON of RFC 9457, in kfnb's own sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"
KEY_IS_USED = "This Idempotency-Key was used for another run. Use a new one."


class ProblemError(Exception):
    """A request that is answered by an error.

    Parameters
    ----------
    status
        The HTTP status.
    detail
        One sentence on what is wrong and what to do.
    more
        Further members of the problem, such as the findings of a notebook.
    """

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more: Mapping[str, Any] = more

    def body(self) -> bytes:
        """Return the problem as JSON."""
        return problem(self.status, self.detail, self.more)


def problem(status: int, detail: str, more: Mapping[str, Any] | None = None) -> bytes:
    """Return a problem as JSON."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    plain = {**(more or {}), "title": title, "status": status, "detail": detail}
    return json.dumps(plain).encode()
