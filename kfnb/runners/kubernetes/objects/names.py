"""Names and labels of objects: recognisable, valid, and the same for every driver of a run."""

from __future__ import annotations

import hashlib
import re

LONGEST = 63
"""Characters of a Job's name and of a label's value."""

_PREFIX = "kfnb.dev/"
RUN, STEP, ATTEMPT, PART = (_PREFIX + word for word in ("run", "step", "attempt", "part"))
INDEX, ROUND = (_PREFIX + word for word in ("index", "round"))
CLAIM, READER = (_PREFIX + word for word in ("claim", "reader"))
MANAGED = "app.kubernetes.io/managed-by"
NAME = _PREFIX + "name"
"""The annotation with a step's name as in the notebook."""


def job_name(
    run: str,
    step_id: str,
    attempt: int,
    *,
    index: str = "",
    round: int = 0,  # noqa: A002
) -> str:
    """Return the name of an attempt's Job: its step, its run, its number.

    >>> job_name("20261123-051233-train-4f2a", "load-data", 1)
    'load-data-20261123-051233-train-4f2a-1'
    """
    # Names have no brackets, so object_name adds a hash: no step has the name of an instance.
    instance = f"{step_id}[{index}]" if index else step_id
    if round:
        instance += f"[r{round}]"
    return object_name(instance, run, str(attempt))


def object_name(*parts: str) -> str:
    """Join parts to an object's name (DNS-1123); a hash replaces characters that are lost.

    >>> object_name("Läufe", "20261123-x")
    'l-ufe-20261123-x-8d6c'
    """
    joined = "-".join(parts)
    plain = re.sub(r"[^a-z0-9]+", "-", joined.lower()).strip("-")
    if plain == joined and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:4]
    tail = re.sub(r"[^a-z0-9]+", "-", "-".join(parts[1:]).lower()).strip("-")
    room = LONGEST - len(digest) - 1
    if len(plain) > room:
        digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        room = LONGEST - len(digest) - 1
        # Run and attempt at the end distinguish the names, so the beginning is shortened.
        keep = tail[-(room - 20) :].strip("-") if len(tail) > room - 20 else tail
        plain = f"{plain[: room - len(keep) - 1].strip('-')}-{keep}".strip("-")
    return f"{plain}-{digest}" if plain else f"x-{digest}"


def label_value(text: str) -> str:
    """Return a text as a label's value: as it is if it is valid, else made valid and unique.

    >>> label_value("train"), label_value("a b")
    ('train', 'a-b-9c2e3f')
    """
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    # This leaves room for a hyphen and the hash.
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[: LONGEST - 7].strip("-._")
    return f"{plain}-{digest}" if plain else digest


def labels(
    run: str,
    step: str | None = None,
    attempt: int | None = None,
    *,
    index: str = "",
    round: int = 0,  # noqa: A002
) -> dict[str, str]:
    """Return the labels of a run's objects."""
    values = {MANAGED: "kfnb", RUN: label_value(run)}
    if step is not None:
        values[STEP] = label_value(step)
    if attempt is not None:
        values[ATTEMPT] = str(attempt)
        values[ROUND] = str(round)
    if index:
        values[INDEX] = label_value(index)
    return values


def selector(run: str) -> str:
    """Return the label selector of a run's objects."""
    return f"{RUN}={label_value(run)}"
