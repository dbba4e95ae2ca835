"""The manifest that a step publishes when it is done, and the record of a failed attempt.

A step's outputs exist when its manifest is published, and not before. The manifest contains what
views, driver and server need to know about each value, so that none of them unpickles anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfnb.json_values import from_plain, to_plain

SCHEMA = 1

FailureClass = Literal[
    "user", "memory", "disk", "timeout", "infrastructure", "configuration", "cancelled"
]


@dataclass(frozen=True, slots=True)
class Output:
    """One published name: where its value is, and a summary of it.

    ``absent``: the name stayed unbound, and a reader starts without it. ``changed``:
    the step made or changed this value (False: it only passed on what it was given,
    because the value shares objects with another). ``size`` is in bytes where known.
    ``in_kernel``: the value could not be saved, and is only in the step's kernel.
    """

    bundle: str | None = None
    type: str = ""
    shape: tuple[int, ...] | None = None
    size: int | None = None
    repr: str = ""
    absent: bool = False
    in_kernel: bool = False
    changed: bool = True
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Values that are saved and loaded together.

    ``classes`` are definitions that must be replayed before loading, ``globals`` the
    names that functions inside read when they are called.
    """

    blobs: tuple[str, ...]
    names: tuple[str, ...]
    codec: str = "pickle"
    classes: tuple[str, ...] = ()
    globals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that the step wrote: its blob, size in bytes and permission bits.

    ``link`` is what a symbolic link says, empty for a file. ``folder`` is the real path of its
    folder, if that was reached through a symbolic link.
    """

    hash: str
    size: int
    mode: int = 0o644
    link: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class CellTime:
    """How long a cell took, in seconds."""

    cell: int
    duration: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record of a step that is done. Times are in unix seconds, durations in seconds.

    A folder in ``files_read`` ends with a slash and stands for the names in it.
    ``files_written`` and ``files_read`` are keyed by the path relative to the
    notebook's folder, ``files_removed`` are those of earlier steps that this one
    deleted, ``files_looked`` says for each path that the step only looked at whether there was
    something, ``files_unseen`` names what may have used other files that nobody could see (child
    processes, libraries in native code). ``metrics`` holds ``[time, name, value, step or null]``.
    ``state`` has for each state of a library what the step's setup made of it, what the step began
    with (``-`` if it did not rely on it), and what it left if it changed it: hashes, empty for a
    fresh process. The state itself is published under a name of its own. ``kernel_lives``: the
    kernel waits for the next step of the group.
    """

    run: str
    step: str
    attempt: int
    started: float
    finished: float
    index: str = ""
    round: int = 0
    outputs: Mapping[str, Output] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    aliases: tuple[tuple[str, ...], ...] = ()
    unexpected: Mapping[str, str] = field(default_factory=dict)
    files_written: Mapping[str, WrittenFile] = field(default_factory=dict)
    files_read: Mapping[str, str] = field(default_factory=dict)
    files_looked: Mapping[str, bool] = field(default_factory=dict)
    files_unseen: tuple[str, ...] = ()
    metrics: tuple[tuple[Any, ...], ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    peak_memory: int = 0
    cpu_seconds: float = 0.0
    resources: Mapping[str, Any] = field(default_factory=dict)
    executed: str | None = None
    log: str | None = None
    duration: float = 0.0
    cells: tuple[CellTime, ...] = ()
    files_removed: tuple[str, ...] = ()
    state: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kernel_lives: bool = False
    schema: int = SCHEMA

    def to_json(self) -> bytes:
        """Return the manifest as it is stored."""
        return _dump(to_plain(self))

    @staticmethod
    def from_json(data: bytes) -> Manifest:
        """Read a manifest from the store; fields that this version does not know are ignored."""
        manifest: Manifest = from_plain(Manifest, json.loads(data))
        return manifest

    def blobs(self) -> set[str]:
        """Every blob that the manifest refers to."""
        names = {name for bundle in self.bundles.values() for name in bundle.blobs}
        names.update(file.hash for file in self.files_written.values())
        names.update(name for name in (self.executed, self.log) if name)
        return names


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: its class, a sentence, and a remedy.

    ``kind`` is called ``class`` in JSON.
    """

    kind: FailureClass
    summary: str
    remedy: str = ""
    ename: str = ""
    evalue: str = ""
    cell: int | None = None
    line: int | None = None
    traceback: str = ""
    executed: str | None = None
    log: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        # "class" is a keyword in Python, but the natural name in JSON.
        plain: dict[str, Any] = to_plain(self)
        return {"class": plain.pop("kind"), **plain}

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return _dump(self.plain())

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Failure:
        """Read the JSON values of a record."""
        # Records of all versions have "class".
        failure: Failure = from_plain(Failure, {"kind": plain.get("class"), **plain})
        return failure

    @staticmethod
    def from_json(data: bytes) -> Failure:
        """Read a record from the store."""
        return Failure.from_plain(json.loads(data))


def manifest_key(run: str, step_id: str, *, index: str = "", round: int = 0) -> str:  # noqa: A002
    """Return the key of a step's manifest in the store; each round of a step has its own."""
    # Round 0 has no suffix, as in stores of older versions, which had no rounds.
    suffix = f".r{round}" if round else ""
    return f"manifests/{run}/{_instance(step_id, index)}{suffix}.json"


def failed_key(run: str, step_id: str, attempt: int, *, index: str = "") -> str:
    """Return the key of a failed attempt's record in the store."""
    return f"failed/{run}/{_instance(step_id, index)}.{attempt}.json"


def _instance(step_id: str, index: str) -> str:
    return f"{step_id}.{index}" if index else step_id


def _dump(plain: Any) -> bytes:
    # Metrics may be NaN or infinite, which strict JSON cannot express.
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=True).encode()
