"""The protocol from page to kernel: what a page may ask for.

In a request, ``step`` and ``index`` name a step or one of its instances (``index`` is empty for a
plain step); without ``attempt`` the newest attempt is meant.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class Hello(TypedDict):
    """A page opened the view; ``have`` if it has the engine already."""

    kind: Literal["hello"]
    have: bool


class AskLayoutScript(TypedDict):
    """Send the script that lays graphs out; the page keeps it for all views."""

    kind: Literal["layout-script"]


FollowLog = TypedDict(
    "FollowLog",
    {
        "kind": 'Literal["follow-log"]',
        "step": str,
        "index": str,
        "attempt": "int | None",
        "from": int,
    },
)
"""Send a step's log, and what is appended; without ``attempt`` always the newest attempt's."""


class UnfollowLog(TypedDict):
    """Stop sending a step's log."""

    kind: Literal["unfollow-log"]
    step: str
    index: str


class AskOutputs(TypedDict):
    """Send the outputs of a step's cells."""

    kind: Literal["outputs"]
    step: str
    index: str
    attempt: int | None


class AskNotebook(TypedDict):
    """Send the executed notebook of a step."""

    kind: Literal["notebook"]
    step: str
    index: str
    attempt: int | None


class AskResources(TypedDict):
    """Send what the newest attempt of a step used over time."""

    kind: Literal["resources"]
    step: str
    index: str


class AskMetrics(TypedDict):
    """Send all points again; with ``runs`` from now on also those of these runs."""

    kind: Literal["metrics"]
    runs: list[str] | None


class AskCompare(TypedDict):
    """Send a comparison of runs."""

    kind: Literal["compare"]
    runs: list[str]


class AskRuns(TypedDict):
    """List the runs of the notebook, or with ``all`` those of every notebook."""

    kind: Literal["runs"]
    all: bool


class Command(TypedDict):
    """Stop or resume the run, or start a new one with the notebook as it is now."""

    kind: Literal["command"]
    name: Literal["stop", "resume", "run-again"]


class Select(TypedDict):
    """The user chose a step."""

    kind: Literal["select"]
    id: str | None


ToKernel = (
    Hello
    | AskLayoutScript
    | FollowLog
    | UnfollowLog
    | AskOutputs
    | AskNotebook
    | AskResources
    | AskMetrics
    | AskCompare
    | AskRuns
    | Command
    | Select
)
