"""Kale's ``notebook.metadata.kubeflow_notebook``, of both generations.

Fields as Kale's pipeline configuration and its JupyterLab panel write them:
https://github.com/kubeflow/kale (``docker_image``, volumes of type ``pv``, ``pvc``,
``new_pvc`` and ``clone``, Katib, snapshots in the first generation; ``base_image``,
``enable_caching``, ``expose_as_env_var`` in the second).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfnb.notebook.authoring.declarations import Problem
from kfnb.notebook.authoring.metadata import NotebookDeclaration
from kfnb.notebook.authoring.options import KEYS, Entry, option, options_of
from kfnb.pipeline import Volume

KEY = "kubeflow_notebook"
_UNUSED = {
    "autosnapshot": "snapshots",
    "snapshot_volumes": "snapshots of volumes",
    "katib_run": "a Katib sweep",
    "serving_run": "serving",
}
# Kale's names for what steps share, where they are not the fields of Options.
_DEFAULTS = {
    "base_image": "image",
    "docker_image": "image",
    "enable_caching": "cache",
    "retry_count": "retries",
}


def is_kale(metadata: Mapping[str, Any]) -> bool:
    """Return whether the notebook has Kale's metadata."""
    return isinstance(metadata.get(KEY), Mapping)


def notebook_declaration(metadata: Mapping[str, Any]) -> NotebookDeclaration:
    """Read Kale's metadata of a notebook. Never raises; fields that Kale ignores are ignored."""
    own = metadata.get(KEY)
    if not isinstance(own, Mapping):
        return NotebookDeclaration()
    problems: list[Problem] = []
    defaults: dict[Entry, Any] = {}
    # If both generations have an image, that of the second counts.
    for image in (own.get("docker_image"), own.get("base_image")):
        if isinstance(image, str) and image.strip():
            defaults["image", ""] = image.strip()
    if isinstance(own.get("enable_caching"), bool):
        defaults["cache", ""] = own["enable_caching"]
    shared, sentences = _shared(own.get("steps_defaults"))
    volumes, variables = _volumes(own.get("volumes"))
    unused = sorted({what for key, what in _UNUSED.items() if own.get(key) is True})
    if unused:
        problems.append(
            Problem(
                "KFNB-W218",
                f"Kale's metadata asks for {' and '.join(unused)}, which kfnb does not support",
                "Nothing to do: the pipeline runs without it.",
            )
        )
    problems += [
        Problem(
            "KFNB-E206",
            f"metadata.{KEY}: steps_defaults: {sentence}",
            "Correct it in the notebook's metadata.",
        )
        for sentence in sentences
    ]
    return NotebookDeclaration(
        name=_text(own.get("pipeline_name")),
        description=_text(own.get("pipeline_description")),
        defaults={**variables, **defaults, **shared},
        volumes=volumes,
        problems=tuple(problems),
    )


def referenced_notebook(tags: Sequence[str], metadata: Mapping[str, Any]) -> str | None:
    """Return the notebook that a cell refers to, in Kale's second generation."""
    for tag in tags:
        key, colon, name = tag.partition(":")
        if colon and key == "notebook" and isinstance(metadata.get("notebook_path"), str):
            return name.strip() or str(metadata["notebook_path"])
    return None


def _shared(given: Any) -> tuple[dict[Entry, Any], list[str]]:
    """Read ``steps_defaults``: a list of tags from the panel, an object from a program."""
    if isinstance(given, Mapping):
        plain = {_DEFAULTS.get(str(k), str(k)): v for k, v in given.items()}
        fields = set(KEYS.values())
        return options_of({k: v for k, v in plain.items() if k in fields and v not in ("", {}, [])})
    entries: dict[Entry, Any] = {}
    wrong: list[str] = []
    for tag in given if isinstance(given, list) else ():
        key, colon, value = str(tag).partition(":")
        if not colon or key not in KEYS:
            continue
        try:
            entry, option_value = option(key, value)
        except ValueError as error:
            wrong.append(f'"{tag}": {key} {error}')
            continue
        entries[entry] = option_value
    return entries, wrong


def _volumes(given: Any) -> tuple[tuple[Volume, ...], dict[Entry, Any]]:
    entries = tuple(_each_volume(given))
    variables: dict[Entry, Any] = {}
    for item in given if isinstance(given, list) else ():
        if isinstance(item, Mapping) and (item.get("expose_as_env_var") or item.get("env_var")):
            name, mount = _text(item.get("name")), _text(item.get("mount_point"))
            if name and mount:
                variable = "KALE_VOLUME_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
                variables["env", variable] = mount
    return entries, variables


def _each_volume(given: Any) -> Iterator[Volume]:
    for item in given if isinstance(given, list) else ():
        if not isinstance(item, Mapping):
            continue
        name, mount = _text(item.get("name")), _text(item.get("mount_point"))
        if name is None or mount is None:
            continue
        kind, size = item.get("type"), item.get("size")
        # A volume that is created for the run has no claim yet.
        made = kind in ("new_pvc", "clone")
        yield Volume(
            name=name,
            mount=mount,
            claim=None if made else name,
            size=f"{size}{item.get('size_type') or ''}" if size and made else None,
            storage_class=_text(item.get("storage_class_name") or item.get("storage_class")),
        )


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
