"""``metadata.kfnb`` of a cell and of the notebook.

Their form is in ``schemas/cell.schema.json`` and ``schemas/notebook.schema.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kfnb.notebook.authoring.declarations import (
    ROLES,
    CellRole,
    Declaration,
    Problem,
    changed_names,
)
from kfnb.notebook.authoring.options import Entry, options_of
from kfnb.notebook.suggestions import nearest
from kfnb.pipeline import Volume

_CELL_KEYS = ("role", "step", "after", "changes", "options", "on_exit")
_BOOK_KEYS = ("name", "description", "defaults", "targets", "volumes", "store", "on_exit")
_VOLUME_KEYS = ("name", "mount", "claim", "size", "storage_class")

Wrong = Callable[[str], None]


def cell_declaration(metadata: Mapping[str, Any]) -> Declaration | None:
    """Read ``cell.metadata.kfnb``; None where there is none. Never raises."""
    own = metadata.get("kfnb")
    if own is None:
        return None
    problems: list[Problem] = []

    def wrong(sentence: str) -> None:
        problems.append(
            Problem(
                "KFNB-E206",
                f"metadata.kfnb of this cell: {sentence}",
                "Correct it in the cell's metadata, or set it in the side panel.",
            )
        )

    if not isinstance(own, Mapping):
        wrong("it is not an object")
        own = {}
    _known(own, _CELL_KEYS, wrong)
    step = _text(own, "step", wrong)
    role = _role(own, step, wrong)
    changes: list[str] = []
    for text in _texts(own, "changes", wrong):
        try:
            changes += changed_names(text)
        except ValueError as error:
            wrong(f"changes {error}")
    options, sentences = options_of(_object(own, "options", wrong))
    for sentence in sentences:
        wrong(sentence)
    on_exit = own.get("on_exit")
    if on_exit is not None and not isinstance(on_exit, bool):
        wrong("on_exit must be true or false")
    return Declaration(
        role=role,
        step=step if role == "step" else None,
        after=_texts(own, "after", wrong),
        changes=tuple(changes),
        on_exit=on_exit is True,
        options=options,
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class NotebookDeclaration:
    """What the notebook's metadata declares about the pipeline; None and empty mean nothing."""

    name: str | None = None
    description: str | None = None
    defaults: Mapping[Entry, Any] = field(default_factory=dict)
    targets: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    on_exit: str | None = None
    problems: tuple[Problem, ...] = ()


def notebook_declaration(metadata: Mapping[str, Any]) -> NotebookDeclaration:
    """Read ``notebook.metadata.kfnb``. Never raises."""
    own = metadata.get("kfnb")
    if own is None:
        return NotebookDeclaration()
    problems: list[Problem] = []

    def wrong(sentence: str) -> None:
        problems.append(
            Problem(
                "KFNB-E206",
                f"metadata.kfnb of the notebook: {sentence}",
                "Correct it in the notebook's metadata.",
            )
        )

    if not isinstance(own, Mapping):
        wrong("it is not an object")
        own = {}
    _known(own, _BOOK_KEYS, wrong)
    defaults, sentences = options_of(_object(own, "defaults", wrong))
    for sentence in sentences:
        wrong(f"defaults: {sentence}")
    return NotebookDeclaration(
        name=_text(own, "name", wrong),
        description=_text(own, "description", wrong),
        defaults=defaults,
        targets=_targets(own, wrong),
        volumes=_volumes(own, wrong),
        on_exit=_text(own, "on_exit", wrong),
        problems=tuple(problems),
    )


def _role(own: Mapping[str, Any], step: str | None, wrong: Wrong) -> CellRole | None:
    given = own.get("role")
    if given is None:
        # A name alone declares a step.
        return "step" if step else None
    if given not in ROLES:
        wrong(f"role must be one of {', '.join(ROLES)}, not {given!r}")
        return "step" if step else None
    if given == "step" and not step:
        wrong("a step needs a name")
        return None
    # Metadata may hold anything; after the checks above it is a role.
    role: CellRole = given
    return role


def _targets(own: Mapping[str, Any], wrong: Wrong) -> Mapping[str, Any]:
    targets: dict[str, Any] = {}
    for name, options in _object(own, "targets", wrong).items():
        if isinstance(options, Mapping):
            targets[str(name)] = dict(options)
        else:
            wrong(f'targets: "{name}" is not an object')
    # The store is an option of the target that has one.
    if store := _text(own, "store", wrong):
        targets.setdefault("kubernetes", {}).setdefault("store", store)
    return MappingProxyType(targets)


def _volumes(own: Mapping[str, Any], wrong: Wrong) -> tuple[Volume, ...]:
    items = own.get("volumes")
    if items is None:
        return ()
    if not isinstance(items, list):
        wrong("volumes must be a list")
        return ()
    volumes: list[Volume] = []
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            wrong(f"volumes: number {number} is not an object")
            continue

        # The default binds the number now: the function would otherwise see the loop's last one.
        def inside(sentence: str, number: int = number) -> None:
            wrong(f"volumes: number {number}: {sentence}")

        _known(item, _VOLUME_KEYS, inside)
        texts = {key: _text(item, key, inside) for key in _VOLUME_KEYS}
        # A claim's name will do for the volume.
        mount, name = texts["mount"], texts["name"] or texts["claim"]
        if not mount or not mount.startswith("/"):
            inside("mount must be an absolute path")
        elif not name:
            inside("it has no name")
        else:
            volumes.append(
                Volume(
                    name=name,
                    mount=mount,
                    claim=texts["claim"],
                    size=texts["size"],
                    storage_class=texts["storage_class"],
                )
            )
    return tuple(volumes)


def _known(own: Mapping[str, Any], keys: tuple[str, ...], wrong: Wrong) -> None:
    for key in own:
        if key not in keys:
            near = nearest(str(key), keys)
            wrong(f'"{key}" is not known' + (f' (is it "{near}"?)' if near else ""))


def _object(own: Mapping[str, Any], key: str, wrong: Wrong) -> Mapping[str, Any]:
    value = own.get(key)
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    wrong(f"{key} is not an object")
    return {}


def _text(own: Mapping[str, Any], key: str, wrong: Wrong) -> str | None:
    value = own.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        wrong(f"{key} must be a text")
        return None
    return value.strip() or None


def _texts(own: Mapping[str, Any], key: str, wrong: Wrong) -> tuple[str, ...]:
    value = own.get(key)
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        wrong(f"{key} must be a list of texts")
        return ()
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
