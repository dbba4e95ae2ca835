"""Ids for Kubernetes and for folders, derived from names that may be anything."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

LONGEST = 40


def safe(name: str) -> str:
    """Derive an RFC 1123 label from a name: at most 40 of ``a-z 0-9 -``; not unique."""
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    label = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")
    if len(label) > LONGEST or not label:
        return f"{label[: LONGEST - 9].strip('-') or 'step'}-{_digest(name)}"
    return label


def unique_ids(names: Iterable[str]) -> dict[str, str]:
    """Give each name an id of its own; names that become the same label get a hash of the name."""
    names = list(dict.fromkeys(names))
    labels = {name: safe(name) for name in names}
    taken = list(labels.values())
    found: dict[str, str] = {}
    for name, label in labels.items():
        plain = taken.count(label) == 1 or name == label
        found[name] = label if plain else f"{label[: LONGEST - 9].strip('-')}-{_digest(name)}"
    return found


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
