"""The OpenAPI document that the server sends is the one that its operations give."""

from __future__ import annotations

import json
import os

from kfnb.server import openapi
from kfnb.server.operations import OPERATIONS


def test_the_file_is_the_document() -> None:
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        openapi.FILE.write_text(openapi.text(), "utf-8")
    assert openapi.FILE.read_text("utf-8") == openapi.text(), (
        "KFNB_UPDATE_GOLDEN=1 writes the file anew"
    )


def test_every_operation_is_described_with_its_problems() -> None:
    paths = json.loads(openapi.FILE.read_text("utf-8"))["paths"]
    described = {(path, method.upper()) for path, one in paths.items() for method in one}
    assert described == {(one.path, one.method) for one in OPERATIONS}
    for one in OPERATIONS:
        responses = paths[one.path][one.method.lower()]["responses"]
        assert {str(one.status), "403", "500"} <= responses.keys()
        assert "application/problem+json" in responses["403"]["content"]
