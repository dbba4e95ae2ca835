"""The envelope of messages in both directions, by which an answer finds its request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class Envelope(TypedDict, total=False):
    """What every message has besides its kind.

    ``ch`` is the channel that a message belongs to, where one connection carries several:
    ``run:`` and a run's id, ``book:`` and a notebook's path, or ``runs``. A request may have an id
    as ``re``, and the message that answers it has the same.
    """

    ch: str
    re: int | str


def envelope(request: Mapping[str, Any] | None) -> Envelope:
    """Return the envelope of the answer to a request; an empty one for any other message."""
    answer: Envelope = {}
    if request is not None and isinstance(request.get("re"), (int, str)):
        answer["re"] = request["re"]
    return answer
