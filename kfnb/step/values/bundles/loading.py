"""Load bundles; large buffers are mapped into memory instead of read."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.step.values import mapped_memory
from kfnb.step.values.bundles import container


@dataclass(frozen=True)
class Loaded:
    """A bundle's values by name, the mapping that holds their large buffers, and the file.

    ``span`` has the mapping's addresses: first, one past the last.
    """

    values: dict[str, Any]
    mapping: Any = None
    span: tuple[int, int] | None = None
    file: Path | None = None


def load(files: Sequence[Path], *, names: Collection[str] | None = None) -> Loaded:
    """Load a bundle; large buffers are mapped, privately and writable.

    Parameters
    ----------
    files
        The files of the bundle (this codec makes one).
    names
        Which values are wanted; all are loaded, because they share objects.

    Raises
    ------
    DamagedError
        If a file is incomplete, or is not a bundle.
    MissingDefinitionError
        If a value needs a definition of the notebook that this process does not have.
    """
    (file,) = files
    pickled, buffers, mapping = container.read(Path(file))
    values: dict[str, Any] = pickle.loads(pickled, buffers=buffers)
    if names is not None:
        values = {name: values[name] for name in names if name in values}
    span = mapped_memory.span(memoryview(mapping)) if mapping is not None else None
    return Loaded(values, mapping, span, Path(file))
