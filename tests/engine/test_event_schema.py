from __future__ import annotations

import json

import msgspec
import pytest

from kfnb.engine import event_schema
from kfnb.engine.core import event_types
from kfnb.engine.core.reducer import _RUN, _STEP


def test_the_schema_in_the_package_is_made_from_the_types() -> None:
    assert event_schema.SCHEMA.read_text("utf-8") == event_schema.schema_text(), (
        "run python -m kfnb.engine.event_schema"
    )


def test_the_types_for_the_browser_are_made_from_the_same() -> None:
    if not event_schema.TYPESCRIPT.exists():
        pytest.skip("kfnb is installed without its sources")
    assert event_schema.TYPESCRIPT.read_text("utf-8") == event_schema.typescript(), (
        "run python -m kfnb.engine.event_schema"
    )


def test_every_type_that_is_folded_has_a_struct() -> None:
    assert {*_STEP, *_RUN} <= set(event_types.BODIES.values())


def test_data_of_a_later_version_is_read_without_what_is_not_known() -> None:
    data = json.loads('{"inputs": {}, "key": "k", "invented later": 1}')
    body = msgspec.convert(data, event_types.StepReady)
    assert (body.key, body.inputs) == ("k", {})
