from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfnb.engine.core.events import Event
from tests.engine.pretend_driver import schema, validate

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4), st.text() | st.none())
def test_an_event_survives_its_line(data: dict[str, object], step: str | None) -> None:
    event = Event(1, 2.5, "r", "StepReady", step, "", 3, data)
    line = event.to_line()
    assert "\n" not in line
    assert Event.from_line(line) == event
    assert Event.from_line(line.encode()) == event


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"v": 1}', "\0" * 20, '{"v":1,"seq":"x","time":0,"run":"r","type":1}']
)
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Event.from_line(line)


def test_a_format_of_a_later_version_is_refused() -> None:
    plain = {**Event(1, 0.0, "r", "RunCreated").to_plain(), "v": 2}
    with pytest.raises(ValueError, match="newer than this kfnb"):
        Event.from_plain(plain)


def test_numbers_that_json_has_no_form_for_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Event(1, 0.0, "r", "MetricLogged", data={"value": float("nan")}).to_line()
    with pytest.raises(ValueError, match="set"):
        Event(1, 0.0, "r", "MetricLogged", data={"value": {1}}).to_line()


def test_the_schema_is_one_and_says_no_where_it_should() -> None:
    jsonschema.Draft202012Validator.check_schema(schema().schema)
    good = Event(1, 0.0, "r", "AttemptStarted", "a", "", 1, {})
    validate(good)
    for wrong in ({"attempt": 0}, {"step": None}, {"type": "Nothing"}, {"seq": 0}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            schema().validate(json.loads(json.dumps({**good.to_plain(), **wrong})))
