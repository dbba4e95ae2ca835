"""Reading the data of events, also of events that older and later versions of kfnb wrote."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kfnb.engine.core.event_types import BODIES, FAILURE_CLASSES, Body, FailureData, Unknown

_DECODERS = {name: msgspec.json.Decoder(body) for name, body in BODIES.items()}


def decode_body(kind: str, data: msgspec.Raw | bytes) -> Body:
    """Read the data of an event from JSON.

    Raises
    ------
    ValueError
        If it is not what events of this type hold.
    """
    decoder = _DECODERS.get(kind)
    if decoder is not None:
        try:
            return decoder.decode(data)
        except msgspec.DecodeError:
            pass  # an older form, or a text that only Python's parser accepts
    return convert_body(kind, json.loads(bytes(data)) or {})


def convert_body(kind: str, plain: Any) -> Body:
    """Return JSON values as the data of an event; raises as :func:`decode_body`."""
    body = BODIES.get(kind)
    if not isinstance(plain, dict):
        raise ValueError("the data of an event is a JSON object")
    if body is None:
        return Unknown(name=kind, fields=plain)
    if "inputs" in plain:
        plain = {**plain, "inputs": _with_rounds(plain["inputs"])}
    if issubclass(body, FailureData) and plain.get("class") not in FAILURE_CLASSES:
        plain = {**plain, "class": "user"}  # a later version has more classes
    try:
        return msgspec.convert(plain, body)
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind}: {error}") from error


def _with_rounds(inputs: Any) -> Any:
    """Return inputs in today's form: a source was only a step's name before there were rounds."""
    if not isinstance(inputs, dict):
        return inputs
    return {
        name: [source] if isinstance(source, str) else source for name, source in inputs.items()
    }
