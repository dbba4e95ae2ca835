"""What a look at a target finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "missing", "warning", "unknown", "fixed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what is so, and the lines that make it as it should be.

    ``missing`` is what runs need; a ``warning`` what they do without; ``unknown`` what could
    not be seen with the rights of who asked.
    """

    check: str
    status: Status
    sentence: str
    commands: tuple[str, ...] = ()
