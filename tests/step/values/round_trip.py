"""Save and load values in this process, as one step and the next would."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kfnb.step import values


def save(
    folder: Path, definitions: Collection[str] = (), origin: str = "test", /, **named: Any
) -> values.Saved:
    folder.mkdir(parents=True, exist_ok=True)
    return values.save(named, folder=folder, definitions=definitions, origin=origin)


def load(saved: values.Saved) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for bundle in saved.bundles:
        found |= values.load(bundle.files).values
    return found


def trip(value: Any) -> Any:
    """Give a value as the next step gets it."""
    with tempfile.TemporaryDirectory() as folder:
        saved = save(Path(folder), value=value)
        assert not saved.failed, saved.failed
        return load(saved)["value"]


def trip_all(folder: Path, **named: Any) -> tuple[values.Saved, dict[str, Any]]:
    saved = save(folder, **named)
    assert not saved.failed, saved.failed
    return saved, load(saved)


def groups(folder: Path, **named: Any) -> list[list[str]]:
    """Give the names that share something."""
    saved = save(folder, **named)
    assert not saved.failed, saved.failed
    return saved.aliases
