"""The masked parameters of runs: this process keeps their values until a driver gets them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from kfnb.errors import UsageError
from kfnb.home import RunFolder, home
from kfnb.json_values import json_value
from kfnb.masked_parameters import DIGEST, MASK, masked_names, shown
from kfnb.pipeline import Pipeline
from kfnb.runners.parameters import check_parameters
from kfnb.store import disk

FACT = "masked"
"""The entry of a run's ``run.json`` with the digests of its masked parameters, by name."""

_KEY_FILE = "mask.key"
_held: dict[str, dict[str, Any]] = {}


def hold(run: RunFolder, values: Mapping[str, Any]) -> None:
    """Keep the values of a run in this process's memory, for the driver that it will start."""
    if values:
        _held[run.id] = dict(values)


def held(run: RunFolder) -> dict[str, Any]:
    """Return the values of a run that this process knows."""
    return _held.get(run.id, {})


class Split(NamedTuple):
    """The parameters of a run: as they are stored, the secrets among them, and all digests."""

    shown: dict[str, Any]
    secrets: dict[str, Any]
    digests: dict[str, str]


def split(
    pipeline: Pipeline,
    values: Mapping[str, Any],
    *,
    mask: Collection[str] = (),
    no_mask: Collection[str] = (),
) -> Split:
    """Separate the secrets among the given values of parameters from the others.

    Raises
    ------
    UsageError
        If the notebook has no such parameter as ``mask`` or ``no_mask`` names.
    """
    parameters = {p.name: p.default for p in pipeline.parameters}
    unknown = [name for name in (*mask, *no_mask) if name not in parameters]
    # The check of names has the sentence, with the name that is most similar.
    check_parameters(pipeline.parameters, dict.fromkeys(unknown))
    names = masked_names(parameters, mask=mask, no_mask=no_mask)
    digests = {n: digest(json_value({**parameters, **values}[n])) for n in names}
    stored = shown(values, names)
    # An empty value hides nothing, and stays a plain parameter.
    secrets = {n: values[n] for n in names if stored.get(n) == MASK}
    return Split(stored, secrets, digests)


def digest(value: Any) -> str:
    """Return a digest by which equal values are recognised, and from which none can be guessed.

    It depends on a random key of this user, so a copied run or store tells nothing.
    """
    data = json.dumps(value, sort_keys=True).encode()
    return DIGEST + hmac.new(_key(), data, hashlib.sha256).hexdigest()[:32]


def values_to_resume(
    run: RunFolder, facts: Mapping[str, Any], pipeline: Pipeline, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Check masked values that were given again to resume a run.

    Raises
    ------
    UsageError
        If a parameter is not masked, or has not the value that the run began with.
    """
    digests = facts.get(FACT) or {}
    values = check_parameters(pipeline.parameters, given)
    for name, value in values.items():
        if name not in digests:
            raise UsageError(
                f'The run {run.id} keeps its parameters, and "{name}" is not masked. To use '
                "another value, start a new run."
            )
        if digest(json_value(value)) != digests[name]:
            raise UsageError(
                f'This is not the value of "{name}" with which the run {run.id} began. To use '
                "another value, start a new run."
            )
    return values


def missing_sentence(run: str, names: list[str]) -> str:
    """Say that masked values are missing, and how to give them again."""
    options = " ".join(f"-p {name}=…" for name in names)
    listed = " and ".join(f'"{name}"' for name in names)
    return (
        f"The value of {listed} is masked, so it was not stored, and the process that knew it has "
        f"ended. Give it again: kfnb resume {run} {options}"
    )


def _key() -> bytes:
    path = home() / _KEY_FILE
    with disk.writing(path):
        disk.private_folder(home())
        while True:
            try:
                key = path.read_bytes()
            except FileNotFoundError:
                key = b""
            if len(key) >= 32:
                return key
            # Under another name first: a process that reads it meanwhile needs the whole key.
            new = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            disk.write_new(new, os.urandom(32), mode=0o600)
            try:
                os.link(new, path)
            except FileExistsError:
                if not key:
                    continue
                new.replace(path)  # it is damaged
            except OSError:  # no hard links
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)
