"""Save the values that leave a step; those that share mutable objects are saved together."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kfnb.deep_stack import with_deep_stack
from kfnb.step.values.arrays import Layout
from kfnb.step.values.bundles import container
from kfnb.step.values.bundles.sharing import Reached, groups, layout_within
from kfnb.step.values.bundles.unsaveable import Unsaveable, refuse
from kfnb.step.values.pickling import Pickler


@dataclass(frozen=True)
class BundleFile:
    """Values that are loaded together, and the file that they are in.

    ``classes`` are definitions that a kernel must have to load it, ``globals`` the names of the
    notebook that functions in it read.
    """

    names: tuple[str, ...]
    files: tuple[Path, ...]
    codec: str
    classes: tuple[str, ...]
    globals: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Saved:
    """Bundles that were saved, names that share objects, and values that could not be saved."""

    bundles: list[BundleFile] = field(default_factory=list)
    aliases: list[list[str]] = field(default_factory=list)
    failed: dict[str, Unsaveable] = field(default_factory=dict)


@dataclass
class Dump:
    """A pickled value: the pickle and the buffers beside it."""

    pickled: bytes
    pickler: Pickler


def save(
    values: Mapping[str, object], *, folder: Path, definitions: Collection[str], origin: str
) -> Saved:
    """Save values by name into files of ``folder``.

    Parameters
    ----------
    definitions
        Names of ``__main__`` that every step that loads a value replays from source.
    origin
        Stable text (the step and a hash of its source) for the ids of classes made here.

    Raises
    ------
    NoSpaceError
        If the disk is full; files made by this call are removed.
    """
    saved = Saved()
    dumps: dict[str, Dump] = {}
    for name, value in values.items():
        try:
            dumps[name] = dump({name: value}, definitions=definitions, origin=origin)
            if dumps[name].pickler.unproven:
                _try_to_load(dumps[name])
        except Exception as error:
            dumps.pop(name, None)
            saved.failed[name] = refuse(name, value, error, _attempt(definitions, origin))
    single = len(dumps) == 1
    # A single value shares with nobody, so its objects need not be looked through.
    reached = {name: Reached.of(d.pickler, objects=not single) for name, d in dumps.items()}
    made: list[Path] = []
    try:
        for group in groups(reached):
            layout = layout_within([reached[name] for name in group])
            one = dumps[group[0]]
            if len(group) > 1:
                saved.aliases.append(list(group))
            # Pickled once more, together, so that what they share is one object in the pickle.
            if len(group) > 1 or layout:
                whole = {name: values[name] for name in group}
                try:
                    one = dump(whole, definitions=definitions, origin=origin, layout=layout)
                except Exception as error:
                    attempt = _attempt(definitions, origin)
                    saved.failed.update((n, refuse(n, values[n], error, attempt)) for n in group)
                    continue
            path = folder / f"value-{len(made)}.kfnb"
            made.append(path)
            size = container.write(path, one.pickled, one.pickler.buffers)
            classes, names = tuple(sorted(one.pickler.classes)), tuple(sorted(one.pickler.globals))
            saved.bundles.append(BundleFile(tuple(group), (path,), "pickle5", classes, names, size))
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return saved


def dump(
    value: object,
    *,
    definitions: Collection[str],
    origin: str,
    layout: Layout | None = None,
    by: type[Pickler] = Pickler,
) -> Dump:
    """Pickle a value in memory, its large buffers beside it."""

    def once() -> Dump:
        file = io.BytesIO()
        pickler = by(file, definitions=definitions, origin=origin, layout=layout)
        pickler.dump(value)
        return Dump(file.getvalue(), pickler)

    try:
        return once()
    except (RecursionError, pickle.PicklingError) as error:
        # cloudpickle turns the first into the second.
        if isinstance(error, pickle.PicklingError) and "recursion" not in str(error):
            raise
    # A long linked structure.
    return with_deep_stack(once, recursion=60_000, stack=512 << 20)


def _try_to_load(one: Dump) -> None:
    """Raise what a later step would meet: some objects can be saved and not loaded."""
    # Copies, since what is loaded may change its buffers.
    buffers = [bytearray(buffer) for buffer in one.pickler.buffers]
    pickle.loads(one.pickled, buffers=buffers)


def _attempt(definitions: Collection[str], origin: str) -> Callable[[object], object]:
    def attempt(value: object) -> object:
        one = dump(value, definitions=definitions, origin=origin)
        if one.pickler.unproven:
            _try_to_load(one)
        return one

    return attempt
