"""The OpenAPI document of the server, made from its operations.

``openapi.json`` beside this file is what the server sends, because making it takes time; a test
compares the two.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from kfnb.server import requests
from kfnb.server.operations import BASE, OPERATIONS, RUN_ID, Operation
from kfnb.server.problems import CONTENT_TYPE

FILE = Path(__file__).with_name("openapi.json")
_ALWAYS = (400, 401, 403, 500, 503, 504)
"""Problems that every operation may answer."""
_SCHEMAS = ("cell", "notebook", "events")
_PARAMETERS: dict[str, dict[str, Any]] = {
    "run": {"type": "string", "pattern": RUN_ID},
    "step": {"type": "string", "minLength": 1, "maxLength": 1000},
    "target": {"type": "string", "minLength": 1, "maxLength": 100},
    "schema": {"enum": list(_SCHEMAS)},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body starts one run, however often it is sent.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
}


def document() -> dict[str, Any]:
    """Make the document."""
    names = dict.fromkeys(
        name
        for operation in OPERATIONS
        for name in ("Problem", operation.body, operation.answer)
        if name is not None
    )
    kinds = [requests.kind_of(name) for name in names]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    by_name = dict(zip(names, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _describe(operation, by_name)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kfnb",
            "version": "1",
            "description": "Notebooks as pipelines, and their runs, on a Jupyter server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The word token and the token of the Jupyter server.",
                }
            },
        },
    }


def text() -> str:
    """Return the document as it stands in the file."""
    return json.dumps(document(), indent=1, sort_keys=True) + "\n"


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        schema = schemas[operation.answer]
        success["content"] = {"application/json": {"schema": schema}}
    problem = {
        "description": "A problem, with a sentence on what is wrong and what to do",
        "content": {CONTENT_TYPE: {"schema": schemas["Problem"]}},
    }
    more = (413, 415) if operation.body is not None else ()
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}-{operation.call.replace('_', '-')}",
        "summary": operation.summary,
        "responses": {
            str(operation.status): success,
            **{str(status): problem for status in sorted({*_ALWAYS, *more, *operation.errors})},
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    if operation.query is not None:
        parameters += _query(requests.kind_of(operation.query))
    if operation.idempotent_by_key:
        parameters.append(_KEY)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[operation.body]}},
        }
    return described


def _query(kind: type[Any]) -> list[dict[str, Any]]:
    (_,), components = msgspec.json.schema_components([kind])
    schema = components[kind.__name__]
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            # A parameter that may be left out is never null.
            "schema": _without_null(one),
        }
        for name, one in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in schema.items() if key != "default"}
    if "enum" in plain:
        return {**plain, "enum": [one for one in plain["enum"] if one is not None]}
    if "anyOf" not in plain:
        return plain
    (kind,) = [one for one in plain.pop("anyOf") if one != {"type": "null"}]
    return {**plain, **kind}
