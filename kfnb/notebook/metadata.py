"""``metadata.kfnb`` of a cell and of the notebook, and Kale's ``kubeflow_notebook``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kfnb.notebook.claims import Claim, built, option, options_of
from kfnb.notebook.diagnostics import make
from kfnb.pipeline import Diagnostic, Options, Volume

_ROLES = ("step", "setup", "parameters", "metrics", "skip")
_KNOWN = ("role", "step", "after", "changes", "options", "on_exit")


def claim_of(metadata: Mapping[str, Any]) -> Claim | None:
    """Read ``cell.metadata.kfnb``; None where there is none."""
    own = metadata.get("kfnb")
    if own is None:
        return None
    problems: list[tuple[str, str, str]] = []
    if not isinstance(own, Mapping):
        return Claim(
            problems=(
                (
                    "KFNB-E206",
                    "metadata.kfnb of this cell is not an object",
                    "Remove it, or set it in the side panel.",
                ),
            )
        )

    def wrong(sentence: str) -> None:
        problems.append(
            (
                "KFNB-E206",
                f"metadata.kfnb of this cell: {sentence}",
                "Correct it in the cell's metadata.",
            )
        )

    for key in own:
        if key not in _KNOWN:
            wrong(f'"{key}" is not known')
    role, step = own.get("role"), own.get("step")
    if role is not None and role not in _ROLES:
        wrong(f"role is one of {', '.join(_ROLES)}, not {role!r}")
        role = None
    if step is not None and (not isinstance(step, str) or not step.strip()):
        wrong("step is a text that is not empty")
        step = None
    lists: dict[str, tuple[str, ...]] = {}
    for key in ("after", "changes"):
        value = own.get(key, ())
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            wrong(f"{key} is a list of texts")
            value = ()
        lists[key] = tuple(value)
    options, sentences = options_of(own.get("options") or {})
    for sentence in sentences:
        wrong(sentence)
    if role is None and step is not None:
        role = "step"
    return Claim(
        role,
        step.strip() if step else None,
        lists["after"],
        lists["changes"],
        bool(own.get("on_exit")),
        options,
        False,
        tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class NotebookClaim:
    """What the notebook's metadata says about the pipeline."""

    name: str | None = None
    description: str = ""
    defaults: Options = Options()
    targets: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    on_exit: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def notebook_claim(metadata: Mapping[str, Any]) -> NotebookClaim:
    """Read ``metadata.kfnb`` and Kale's ``metadata.kubeflow_notebook``; ours wins."""
    found: list[Diagnostic] = []
    kale = _kale(metadata.get("kubeflow_notebook"))
    own = metadata.get("kfnb")
    if own is None:
        return kale
    if not isinstance(own, Mapping):
        found.append(_wrong("it is not an object"))
        own = {}
    options, sentences = options_of(_object(own, "defaults", found))
    found += [_wrong(sentence) for sentence in sentences]
    targets = dict(_object(own, "targets", found))
    if isinstance(own.get("store"), str):
        targets["store"] = own["store"]
    volumes = [v for item in own.get("volumes") or () if (v := _volume(item, found))]
    on_exit = own.get("on_exit")
    return NotebookClaim(
        name=_text(own.get("name")) or kale.name,
        description=_text(own.get("description")) or kale.description,
        defaults=built({**{k: getattr(kale.defaults, k) for k in kale.defaults.said()}, **options}),
        targets=MappingProxyType({**kale.targets, **targets}),
        volumes=tuple(volumes) or kale.volumes,
        on_exit=on_exit if isinstance(on_exit, str) else None,
        diagnostics=tuple(found),
    )


def _kale(own: Any) -> NotebookClaim:
    if not isinstance(own, Mapping):
        return NotebookClaim()
    defaults: dict[str, Any] = {}
    image = own.get("docker_image") or own.get("base_image")
    steps = own.get("steps_defaults")
    for tag in steps if isinstance(steps, list) else ():
        key, _, value = str(tag).partition(":")
        try:
            name, given = option(key, value)
        except (ValueError, KeyError):
            continue
        defaults[name] = (
            {**defaults[name], **given} if isinstance(defaults.get(name), dict) else given
        )
    if isinstance(image, str) and image.strip():
        defaults["image"] = image.strip()
    found: list[Diagnostic] = []
    volumes = [v for item in own.get("volumes") or () if (v := _volume(item, found))]
    return NotebookClaim(
        name=_text(own.get("pipeline_name")),
        description=_text(own.get("pipeline_description")) or "",
        defaults=built(defaults),
        volumes=tuple(volumes),
    )


def _volume(item: Any, found: list[Diagnostic]) -> Volume | None:
    mount = item.get("mount") or item.get("mount_point") if isinstance(item, Mapping) else None
    if not isinstance(mount, str):
        found.append(_wrong("a volume needs a mount point"))
        return None
    claim = item.get("claim") or (item.get("name") if item.get("type") in ("pvc", "pv") else None)
    size = item.get("size")
    unit = item.get("size_type", "")
    return Volume(
        name=str(item.get("name") or claim or "volume"),
        mount=mount,
        claim=str(claim) if claim else None,
        size=f"{size}{unit}" if size else None,
        storage_class=_text(item.get("storage_class") or item.get("storage_class_name")),
    )


def _object(own: Mapping[str, Any], key: str, found: list[Diagnostic]) -> Mapping[str, Any]:
    value = own.get(key) or {}
    if isinstance(value, Mapping):
        return value
    found.append(_wrong(f"{key} is not an object"))
    return {}


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _wrong(sentence: str) -> Diagnostic:
    return make(
        "KFNB-E206",
        f"metadata.kfnb of the notebook: {sentence}",
        "Correct it in the notebook's metadata.",
    )
