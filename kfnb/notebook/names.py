"""Derive ids for Kubernetes objects and folders from names, which may be any text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 40
_HASH = 8


def safe(name: str) -> str:
    """Derive an RFC 1123 label from a name: at most 40 of ``a-z 0-9 -``; not unique."""
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    label = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")
    return label if 0 < len(label) <= LONGEST else _hashed(label, name)


def unique_ids(names: Iterable[str]) -> dict[str, str]:
    """Return a distinct id for each name, independent of the order of the names.

    A name that is its own label keeps it; a hash of the name is appended to labels that were
    cut or that several names share.
    """
    names = list(dict.fromkeys(names))
    labels = {name: safe(name) for name in names}
    sharing: dict[str, int] = {}
    for label in labels.values():
        sharing[label] = sharing.get(label, 0) + 1
    ids = {n: label for n, label in labels.items() if sharing[label] == 1 or n == label}
    taken = set(ids.values())
    # The order of the names must not change their ids.
    for name in sorted(set(names) - set(ids)):
        # The hash may be the name of another step, so longer ones are tried.
        for length in range(_HASH, LONGEST):
            label = _hashed(labels[name], name, length)
            if label not in taken:
                break
        taken.add(label)
        ids[name] = label
    return {name: ids[name] for name in names}


def _hashed(label: str, name: str, length: int = _HASH) -> str:
    import hashlib  # takes 4 ms, and few names need it

    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:length]
    stem = label[: max(LONGEST - length - 1, 0)].strip("-") or "step"[: LONGEST - length - 1]
    return f"{stem}-{digest}".strip("-")
