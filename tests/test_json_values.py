"""Python values as JSON can hold them."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kfnb.json_values import json_value, json_with_text, strict_json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_anything_becomes_strict_json_in_valid_utf8(value: Any) -> None:
    for made in (strict_json(value), json_with_text(value)):
        text = json.dumps(made, allow_nan=False)
        assert json.loads(text) == made
    json.dumps(strict_json(value), ensure_ascii=False).encode()


def test_numbers_that_json_lacks_become_what_the_caller_needs() -> None:
    values = [math.inf, 1.5]
    assert json_value(values) == values
    assert json_value(values, non_finite="null") == [None, 1.5]
    assert json_value(values, non_finite="text") == ["inf", 1.5]


def test_sets_are_sorted_so_that_the_result_is_the_same_each_time() -> None:
    assert json_value({"b", "a"}) == ["a", "b"]


def test_other_values_become_their_source_text_or_what_the_caller_makes_of_them() -> None:
    assert json_value(1j) == "1j"
    assert json_value([1j], other=lambda value: value.imag) == [1.0]


def test_half_a_character_is_replaced_in_strict_json() -> None:
    assert strict_json({"a\ud800": "b\ud800"}) == {"a?": "b?"}
