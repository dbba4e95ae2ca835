"""Read a step's options as tags, magics and metadata spell them.

Each option is one entry: its field of :class:`~kfnb.pipeline.Options` and, for those
that hold several, its name there. So two cells disagree exactly if they give one entry
two values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from kfnb.durations import parse_duration, write_duration
from kfnb.notebook.suggestions import nearest
from kfnb.pipeline import Options, Secret

Entry = tuple[str, str]
"""A field of ``Options``, and the name in it ("" for a field with one value)."""

KEYS = {
    "image": "image",
    "cpu": "cpu",
    "memory": "memory",
    "gpu": "gpu",
    "limit": "limits",
    "retries": "retries",
    "timeout": "timeout",
    "env": "env",
    "secret": "secrets",
    "label": "labels",
    "annotation": "annotations",
    "cache": "cache",
    "once": "once",
}
"""Names of tags and flags, each with the field that it sets."""

MAPPINGS = ("limits", "env", "labels", "annotations")
_KEY_OF = {field: key for key, field in KEYS.items()}
# As in Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
_QUANTITY = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+|[EPTGMK]i|[EPTGMkmun])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Kale writes "enabled" and "disabled".
_SWITCH = {
    "on": True, "enabled": True, "true": True, "yes": True,
    "off": False, "disabled": False, "false": False, "no": False,
}  # fmt: skip


def option(key: str, value: Any) -> tuple[Entry, Any]:
    """Understand one option as a tag or a flag spells it.

    Parameters
    ----------
    key
        One of :data:`KEYS`.
    value
        The text after the first colon; from JSON also a number or a boolean.

    Raises
    ------
    ValueError
        With a sentence that lacks its subject: ``takes a duration, as in 90, 30s or 2h``.
    """
    field = KEYS[key]
    if field in MAPPINGS:
        name, given = _pair(key, value)
        return (field, name), _member(field, name, given)
    if field == "secrets":
        parts = [part.strip() for part in str(value).split(":")]
        if len(parts) != 3 or not all(parts):
            raise ValueError("takes NAME:KEY:ENV, as in secret:bucket:token:BUCKET_TOKEN")
        return _secret(*parts)
    return (field, ""), _single(field, value)


def options_of(plain: Mapping[str, Any]) -> tuple[dict[Entry, Any], list[str]]:
    """Understand the ``options`` object of metadata: entries, and a sentence for each mistake."""
    entries: dict[Entry, Any] = {}
    wrong: list[str] = []
    for field, value in plain.items():
        if field not in _KEY_OF:
            hint = nearest(str(field), _KEY_OF)
            wrong.append(f'option "{field}" is not known' + (f' (is it "{hint}"?)' if hint else ""))
            continue
        if value is None:
            continue
        try:
            entries.update(_members(field, value))
        except ValueError as error:
            wrong.append(f'option "{field}" {error}, not {_short(value)}')
    return entries, wrong


def built(entries: Mapping[Entry, Any]) -> Options:
    """Make the frozen value of entries."""
    fields: dict[str, Any] = {}
    for (field, name), value in entries.items():
        if field in MAPPINGS:
            fields.setdefault(field, {})[name] = value
        elif field == "secrets":
            fields[field] = (*fields.get(field, ()), value)
        else:
            fields[field] = value
    for field in MAPPINGS:
        if field in fields:
            fields[field] = MappingProxyType(fields[field])
    return Options(**fields)


def entry_name(entry: Entry) -> str:
    """Return an entry's name for a sentence: ``memory``, ``env "HOME"``."""
    field, name = entry
    return f'{_KEY_OF[field]} "{name}"' if name else field


def entry_value(value: Any) -> str:
    """Return an entry's value for a sentence."""
    if isinstance(value, Secret):
        return f'"{value.name}:{value.key}"'
    if isinstance(value, float):
        return f'"{write_duration(value)}"'
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else f'"{value}"'


def _single(field: str, value: Any) -> Any:
    if field == "retries":
        # For Python, JSON's true is the number 1.
        text = "" if isinstance(value, bool) else str(value).strip()
        if not re.fullmatch(r"[0-9]{1,6}", text):
            raise ValueError("takes a whole number from 0 on, as in 3")
        return int(text)
    if field == "timeout":
        try:
            return parse_duration(value)
        except ValueError:
            raise ValueError("takes a duration, as in 90, 30s, 30m, 2h or 1d") from None
    if field in ("cache", "once"):
        if (switch := _SWITCH.get(str(value).strip().lower())) is None:
            raise ValueError("takes on or off")
        return switch
    text = _text(value)
    if field == "image":
        if not text or re.search(r"\s", text):
            raise ValueError("takes an image, as in python:3.12-slim")
        return text
    if field == "gpu":
        # Kubernetes gives no fractions of a GPU to a pod.
        if not re.fullmatch(r"[0-9]+", text):
            raise ValueError("takes a whole number; for another kind write limit:RESOURCE:N")
        return text
    return _quantity(text, "500m or 2" if field == "cpu" else "512Mi or 4Gi")


def _quantity(text: str, example: str) -> str:
    if not _QUANTITY.fullmatch(text):
        # Kubernetes has no unit GB: it is G or Gi that is meant.
        hint = f" ({text[:-1]} or {text[:-1]}i?)" if re.fullmatch(r"\d+[KMGTP]B", text) else ""
        raise ValueError(f"takes a quantity, as in {example}{hint}")
    return text


def _pair(key: str, value: Any) -> tuple[str, str]:
    """Split ``NAME:VALUE`` or ``NAME=VALUE`` at the first of both: values keep their colons."""
    name, separator, given = [*re.split(r"([:=])", str(value), maxsplit=1), "", ""][:3]
    if not separator or not name.strip():
        raise ValueError(f"takes NAME:VALUE, as in {key}:name:value")
    return name.strip(), given.strip()


def _member(field: str, name: str, value: Any) -> str:
    # A program that reads the variable expects "true", and not Python's "True".
    text = str(value).lower() if isinstance(value, bool) else value
    if not isinstance(text, (str, int, float)):
        raise ValueError("takes an object of texts")
    if field == "env" and not _VARIABLE.fullmatch(name):
        raise ValueError("takes NAME:VALUE where NAME has letters, digits and _ only")
    return _quantity(str(text), "nvidia.com/gpu:1") if field == "limits" else str(text)


def _members(field: str, value: Any) -> Iterator[tuple[Entry, Any]]:
    if field in MAPPINGS:
        if not isinstance(value, Mapping):
            raise ValueError("takes an object of texts")
        for name, given in value.items():
            yield (field, str(name)), _member(field, str(name), given)
    elif field == "secrets":
        yield from _secrets(value)
    else:
        yield (field, ""), _single(field, value)


def _secrets(value: Any) -> Iterator[tuple[Entry, Any]]:
    """Read a list of {name, key, env}, or Kale's {ENV: {secret_name, secret_key}}."""
    if isinstance(value, Mapping):
        value = [
            {"name": s.get("secret_name"), "key": s.get("secret_key"), "env": env}
            for env, s in value.items()
            if isinstance(s, Mapping)
        ]
    for item in value if isinstance(value, (list, tuple)) else (value,):
        parts = [item.get(k) for k in ("name", "key", "env")] if isinstance(item, Mapping) else []
        texts = [p for p in parts if isinstance(p, str) and p.strip()]
        if len(texts) != 3:
            raise ValueError("takes a list of objects with name, key and env")
        yield _secret(*texts)


def _secret(name: str, key: str, env: str) -> tuple[Entry, Secret]:
    if not _VARIABLE.fullmatch(env):
        raise ValueError("takes NAME:KEY:ENV where ENV has letters, digits and _ only")
    return ("secrets", env), Secret(name, key, env)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
