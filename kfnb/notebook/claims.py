"""What one cell says about itself, by tag, metadata or magic: the three doors' common form."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfnb.pipeline import Options, Secret

CellRole = Literal["step", "setup", "parameters", "metrics", "skip"]
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_QUANTITY = re.compile(r"\d+(\.\d+)?([EPTGMk]i?|Ki|m)?|\d+e\d+")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAPPINGS = frozenset({"limits", "env", "labels", "annotations"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A door's statement about a cell; None and empty mean: not said."""

    role: CellRole | None = None
    step: str | None = None
    after: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    on_exit: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    kale: bool = False
    problems: tuple[tuple[str, str, str], ...] = ()


def option(key: str, value: Any) -> tuple[str, Any]:
    """Understand one option: the field of :class:`Options` and its value.

    Raises
    ------
    ValueError
        A sentence: what the option takes.
    """
    if key == "image":
        return key, _text(value, "an image name, as in image:python:3.12-slim")
    if key in ("cpu", "memory", "gpu"):
        text = _text(value, "a quantity, as in 500m, 2 or 4Gi")
        if not _QUANTITY.fullmatch(text):
            raise ValueError("takes a quantity, as in 500m, 2 or 4Gi")
        return key, text
    if key == "retries":
        try:
            count = int(value)
        except (TypeError, ValueError):
            count = -1
        if count < 0 or isinstance(value, bool):
            raise ValueError("takes a whole number from 0, as in retries:3")
        return key, count
    if key == "timeout":
        return key, seconds(value)
    if key == "cache":
        said = {
            "on": True,
            "enabled": True,
            "true": True,
            "off": False,
            "disabled": False,
            "false": False,
            "yes": True,
            "no": False,
        }.get(str(value).strip().lower())
        if said is None:
            raise ValueError("takes on or off")
        return key, said
    if key in ("limit", "label", "annotation", "env"):
        name, given = _pair(key, value)
        return {"limit": "limits", "label": "labels", "annotation": "annotations"}.get(key, key), {
            name: given
        }
    if key == "secret":
        parts = str(value).split(":")
        if len(parts) != 3 or not all(p.strip() for p in parts):
            raise ValueError("takes NAME:KEY:ENV, as in secret:s3:token:S3_TOKEN")
        return "secrets", (Secret(*(p.strip() for p in parts)),)
    raise KeyError(key)


def options_of(plain: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Understand the ``options`` object of metadata: fields, and sentences on what is wrong."""
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for key, value in plain.items():
        try:
            if key in MAPPINGS:
                if not isinstance(value, Mapping):
                    raise ValueError("takes an object of texts")
                found[key] = {str(k): str(v) for k, v in value.items()}
            elif key == "secrets":
                found[key] = tuple(Secret(s["name"], s["key"], s["env"]) for s in value)
            else:
                name, given = option(key, value)
                found[name] = given
        except ValueError as error:
            wrong.append(f'option "{key}" {error}, not {value!r}')
        except (KeyError, TypeError):
            wrong.append(f'option "{key}" is not known or has not the right form')
    return found, wrong


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Join two sets of option fields; also names the fields in which both say another thing."""
    found = dict(first)
    clashes: list[str] = []
    for key, value in second.items():
        if key in MAPPINGS and key in found:
            clashes += [f"{key} {k}" for k in value if found[key].get(k, value[k]) != value[k]]
            found[key] = {**found[key], **value}
        elif key == "secrets" and key in found:
            found[key] = tuple(dict.fromkeys((*found[key], *value)))
        else:
            if key in found and found[key] != value:
                clashes.append(key)
            found[key] = value
    return found, clashes


def built(fields: Mapping[str, Any]) -> Options:
    """Make the frozen value of option fields."""
    return dataclasses.replace(Options(), **fields)


def seconds(value: Any) -> float:
    """Read a duration: a number of seconds, or ``30s``, ``30m``, ``2h``, ``1d``."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|)\s*", str(value))
    if match is None or isinstance(value, bool) or not float(match[1]):
        raise ValueError("takes a duration, as in 90, 30s, 30m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def _text(value: Any, form: str) -> str:
    if (
        isinstance(value, bool)
        or not isinstance(value, (str, int, float))
        or not str(value).strip()
    ):
        raise ValueError(f"takes {form}")
    return str(value).strip()


def _pair(key: str, value: Any) -> tuple[str, str]:
    text = str(value)
    # A label's or resource's name has no colon, and its value keeps them.
    at = min((p for p in (text.find(":"), text.find("=")) if p >= 0), default=-1)
    name, given = text[:at].strip(), text[at + 1 :].strip()
    if at <= 0 or not name or (key == "limit" and not given):
        raise ValueError(f"takes NAME:VALUE, as in {key}:name:value")
    if key == "env" and not _ENV.fullmatch(name):
        raise ValueError("takes NAME:VALUE where NAME is letters, digits and _")
    return name, given
