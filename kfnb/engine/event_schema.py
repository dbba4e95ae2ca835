"""Make what others read about events from their types: a JSON Schema, and types for the browser.

``python -m kfnb.engine.event_schema`` writes both files; a test compares them with the types.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kfnb.engine.core.event_types import BODIES
from kfnb.engine.core.events import VERSION

SCHEMA = Path(__file__).with_name("events.schema.json")
TYPESCRIPT = Path(__file__).parents[2] / "labextension" / "src" / "events.ts"
_ENVELOPE_TYPE = """interface Envelope {
  v: number;
  seq: number;
  time: number;
  run: string;
  step: string | null;
  index?: string;
  round?: number;
  attempt: number | null;
}"""
_ATTEMPT = {"type": "integer", "minimum": 1}
_ENVELOPE: Mapping[str, Any] = {
    "v": {"const": VERSION},
    "seq": {"type": "integer", "minimum": 1},
    "time": {"type": "number"},
    "run": {"type": "string", "minLength": 1},
    "type": {"enum": list(BODIES)},
    "step": {"type": ["string", "null"]},
    "index": {"type": "string"},
    "round": {"type": "integer", "minimum": 0},
    "attempt": {"type": ["integer", "null"], "minimum": 1},
    "data": {"type": "object"},
}
_SCOPES: Mapping[str, Mapping[str, Any]] = {
    "run": {"step": {"type": "null"}, "attempt": {"type": "null"}},
    "step": {"step": {"type": "string"}},
    "attempt": {"step": {"type": "string"}, "attempt": _ATTEMPT},
    "any": {},
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of an event."""
    refs, components = _components()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "kfnb:events",
        "title": "One event of a run: a line of its journal",
        "description": "Readers ignore types and fields that they do not know; v grows when a "
        "known field changes its meaning. index and round are missing in older journals.",
        "type": "object",
        "required": ["v", "seq", "time", "run", "type", "step", "attempt", "data"],
        # Only for the envelope: an event of a later version may have more fields in its data.
        "additionalProperties": False,
        "properties": dict(_ENVELOPE),
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"data": refs[name], **_SCOPES[body.scope]}},
            }
            for name, body in BODIES.items()
        ],
        "$defs": components,
    }


def typescript() -> str:
    """Return the same as TypeScript: an interface for each type, and their union by ``type``."""
    _, components = _components()
    parts = [
        "/** The events of a run. Made by python -m kfnb.engine.event_schema; do not edit. */",
        *(_interface(name, component) for name, component in components.items()),
        _ENVELOPE_TYPE,
        "export type RunEvent = Envelope &\n  (\n"
        + "\n".join(f"    | {{ type: '{name}'; data: {name} }}" for name in BODIES)
        + "\n  );",
    ]
    return "\n\n".join(parts) + "\n"


def _components() -> tuple[dict[str, Any], dict[str, Any]]:
    refs, components = msgspec.json.schema_components(
        BODIES.values(), ref_template="#/$defs/{name}"
    )
    # msgspec returns references in the order of its input.
    return dict(zip(BODIES, refs, strict=True)), {
        name: _as_every_version_says_it(component) for name, component in sorted(components.items())
    }


def _as_every_version_says_it(value: Any) -> Any:
    """Return a part of the schema in the one form that all versions of msgspec agree on.

    They order the choices of ``anyOf`` and indent descriptions differently.
    """
    if isinstance(value, list):
        return [_as_every_version_says_it(item) for item in value]
    if not isinstance(value, dict):
        return value
    same = {key: _as_every_version_says_it(item) for key, item in value.items()}
    if "anyOf" in same:
        same["anyOf"] = sorted(same["anyOf"], key=lambda choice: choice.get("type") == "null")
    if isinstance(same.get("description"), str):
        same["description"] = inspect.cleandoc(same["description"])
    return same


def _interface(name: str, component: Mapping[str, Any]) -> str:
    description = " ".join(str(component.get("description", "")).split("\n\n")[0].split())
    if "properties" not in component:
        return f"/** {description} */\nexport type {name} = {_type(component)};"
    required = component.get("required", ())
    lines = [
        f"  {key}{'' if key in required else '?'}: {_type(value)};"
        for key, value in component["properties"].items()
    ]
    body = "{\n" + "\n".join(lines) + "\n}" if lines else "{}"
    return f"/** {description} */\nexport interface {name} {body}"


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " | ".join(dict.fromkeys(_type(part) for part in value["anyOf"]))
    if "enum" in value:
        return " | ".join(f"'{choice}'" for choice in value["enum"])
    if value.get("type") == "array":
        if "prefixItems" in value:
            return "[" + ", ".join(_type(item) for item in value["prefixItems"]) + "]"
        item = _type(value.get("items", {}))
        return f"({item})[]" if " | " in item else f"{item}[]"
    if value.get("type") == "object":
        return f"Record<string, {_type(value.get('additionalProperties', {}))}>"
    names = {
        "integer": "number",
        "number": "number",
        "string": "string",
        "boolean": "boolean",
        "null": "null",
    }
    return names.get(value.get("type", ""), "unknown")


def schema_text() -> str:
    """Return the schema that the package contains."""
    return json.dumps(schema(), indent=1) + "\n"


def main() -> None:
    """Write both files."""
    SCHEMA.write_text(schema_text(), "utf-8")
    TYPESCRIPT.write_text(typescript(), "utf-8")


if __name__ == "__main__":
    main()
