from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfnb.engine.core.event_types import (
    BODIES,
    AttemptFailed,
    MetricLogged,
    StepReady,
    TrialAsked,
    Unknown,
)
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Source
from tests.engine.pretend_driver import event_of, schema, validate

REQUIRED = {
    "RunCreated": {"settings": {"parallel": 3}},
    "DriverStarted": {"pid": 1},
    "StepReady": {"inputs": {"x": ["a", "", 1], "y": None}},
    "StepCached": {
        "inputs": {},
        "outputs": {"x": {"shape": [2]}},
        "metrics": [[1.0, "m", 2, None]],
    },
    "StepSucceeded": {"outputs": {}, "aliases": [["x", "y"]], "left": {"environment": ["A"]}},
    "CellStarted": {"cell": 0, "n": 1},
    "CellFinished": {"cell": 0},
    "CellOutput": {"cell": None, "kind": "stream", "mime": ["text/plain"]},
    "MetricLogged": {"name": "loss", "value": 0.5},
    "Warning": {"message": "careful", "steps": ["a"]},
    "EdgeAdded": {"source": "a", "target": "b", "names": ["x"], "files": []},
    "StepInvalidated": {"target": ["a", ""], "because": "x", "voids": [["a", "", 1]]},
    "GroupFormed": {"id": "g", "members": [["a", ""], ["b", "1"]]},
    "StepExpanded": {"items": 3},
    "TrialAsked": {"parameters": {"lr": 0.1}},
    "AttemptFailed": {"class": "user"},
    "StepFailed": {"class": "timeout", "steps": ["a"]},
    "StepSkipped": {"reason": "no"},
    "StepCancelled": {"reason": "no"},
    "RunFinished": {"status": "failed", "error": {"class": "user", "step": "a"}},
}
"""Data of each type that needs some."""

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
    event = Event(1, 2.5, "r", TrialAsked(parameters=data), step, "", 2, 3)
    line = event.to_line()
    assert b"\n" not in line
    assert Event.from_line(line) == event
    assert Event.from_line(line.decode()) == event


@pytest.mark.parametrize("kind", BODIES)
def test_every_type_of_event_survives_its_line(kind: str) -> None:
    event = event_of(kind, REQUIRED.get(kind, {}), step="s", index="3", round=1, attempt=2)
    assert type(event.data) is BODIES[kind]
    assert Event.from_line(event.to_line()) == event


def test_a_whole_number_stays_one() -> None:
    event = event_of("MetricLogged", {"name": "loss", "value": 2, "step": 1}, step="s", attempt=1)
    assert b'"value":2,"step":1,' in event.to_line()
    assert b'"value":2,"step":1,' in Event.from_line(event.to_line()).to_line()


def test_half_a_character_survives_in_names_and_data() -> None:
    event = Event(1, 2.5, "r", StepReady(inputs={"x": Source("\udcff")}), "\ud800")
    assert Event.from_line(event.to_line()) == event


def test_a_type_of_a_later_version_is_kept_as_it_is() -> None:
    line = b'{"v":1,"seq":1,"time":2.0,"run":"r","type":"Later","step":"s","data":{"new":[1]}}'
    event = Event.from_line(line)
    assert (event.type, event.data) == ("Later", Unknown(name="Later", fields={"new": [1]}))
    assert Event.from_line(event.to_line()) == event


def test_fields_and_classes_of_a_later_version_are_ignored() -> None:
    line = event_of("AttemptFailed", {"class": "haunted", "new": 1}, step="s", attempt=1).to_line()
    assert Event.from_line(line).data == AttemptFailed(kind="user")


def test_inputs_of_the_first_version_are_in_the_first_round() -> None:
    line = (
        b'{"v":1,"seq":1,"time":2,"run":"r","type":"StepReady","step":"s","attempt":null,'
        b'"data":{"inputs":{"x":"load","y":null}}}'
    )
    assert Event.from_line(line).data == StepReady(inputs={"x": Source("load"), "y": None})


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"v": 1}', "\0" * 20, '{"v":1,"seq":"x","time":0,"run":"r","type":1}']
)
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Event.from_line(line)


def test_a_format_of_a_later_version_is_refused() -> None:
    plain = {**event_of("RunCancelled").to_plain(), "v": 2}
    with pytest.raises(ValueError, match="newer than this kfnb"):
        Event.from_plain(plain)


def test_what_json_has_no_form_for_is_null_or_refused() -> None:
    nan = Event(1, 0.0, "r", MetricLogged(name="loss", value=float("nan")))
    assert json.loads(nan.to_line())["data"]["value"] is None
    with pytest.raises(ValueError, match="JSON"):
        Event(1, 0.0, "r", TrialAsked(parameters={"x": object()})).to_line()


def test_the_schema_is_one_and_says_no_where_it_should() -> None:
    jsonschema.Draft202012Validator.check_schema(schema().schema)
    good = event_of("AttemptStarted", step="a", attempt=1)
    validate(good)
    for wrong in ({"attempt": 0}, {"step": None}, {"type": "Nothing"}, {"seq": 0}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            schema().validate(json.loads(json.dumps({**good.to_plain(), **wrong})))
