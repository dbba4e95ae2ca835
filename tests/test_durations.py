"""Durations have one grammar, whoever reads them: tags, options, the API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfnb.api.run_settings import seconds
from kfnb.commands.arguments import Duration
from kfnb.durations import describe_duration, parse_duration, write_duration
from kfnb.errors import UsageError
from kfnb.notebook.authoring import options

READ = [
    (90, 90.0),
    (2.5, 2.5),
    ("90", 90.0),
    ("0.5", 0.5),
    ("30s", 30.0),
    ("30m", 1800.0),
    ("30 M", 1800.0),
    ("2h", 7200.0),
    ("1h30m", 5400.0),
    (" 1 hour 30 min ", 5400.0),
    ("1d", 86_400.0),
    ("2 weeks", 1_209_600.0),
]
REFUSED = ["", "soon", "0", "-5", "1h30", "30 30m", "1x", "1h x", "inf", "nan", True, None, [1], 0]


@pytest.mark.parametrize(("value", "expected"), READ)
def test_a_duration_is_read(value: Any, expected: float) -> None:
    assert parse_duration(value) == expected


@pytest.mark.parametrize("value", REFUSED)
def test_what_is_no_duration_is_refused_with_examples(value: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write 90 \(seconds\)"):
        parse_duration(value)


@pytest.mark.parametrize(("value", "expected"), READ)
def test_tags_options_and_the_api_read_the_same(value: Any, expected: float) -> None:
    assert options.option("timeout", value)[1] == expected
    assert seconds(value) == expected
    assert Duration().convert(value, None, None) == expected


@pytest.mark.parametrize("value", REFUSED)
def test_tags_options_and_the_api_refuse_the_same(value: Any) -> None:
    with pytest.raises(ValueError, match="takes a duration"):
        options.option("timeout", value)
    with pytest.raises(UsageError, match="is not a duration"):
        seconds(value)


@given(st.integers(1, 10**7))
def test_what_is_written_is_read_again(total: int) -> None:
    assert parse_duration(write_duration(float(total))) == total


def test_a_person_reads_a_rounded_duration() -> None:
    values = (0, 0.25, 1.25, 9.95, 59.6, 75, 3599.6, 7260, 90000, None)
    shown = ["0.00 s", "0.25 s", "1.3 s", "10 s", "1 min 00 s", "1 min 15 s"]
    shown += ["1 h 00 min", "2 h 01 min", "1 d 1 h", ""]
    assert [describe_duration(value) for value in values] == shown
