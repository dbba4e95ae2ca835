from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.errors import InfrastructureError
from kfnb.step.order import Input, StepOrder, begin_source, inputs_source, outputs_source
from kfnb.store.manifest import Bundle, WrittenFile

ORDER = StepOrder(
    run="r",
    step="Träin it",
    step_id="train-it",
    attempt=2,
    notebook="/r/step.ipynb",
    folder="/r",
    workdir="/w",
    store="/s",
    inputs=(
        Input("x", bundle=Bundle(("b",), ("x", "y"), classes=("C",)), key="k", producer="load"),
        Input("gone", absent=True),
    ),
    restore={"out.csv": WrittenFile("h-1", 1)},
    parameters={"lr": 0.1, "names": ["a", None]},
    timeout=1.5,
)


def test_an_order_survives_its_file() -> None:
    assert StepOrder.from_json(ORDER.to_json()) == ORDER


def test_what_a_later_version_adds_is_ignored() -> None:
    plain = json.loads(ORDER.to_json())
    plain["mood"] = "good"
    assert StepOrder.from_json(json.dumps(plain)) == ORDER


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"schema": 99}', b'{"schema": "x"}'])
def test_what_is_no_order_is_refused(data: bytes) -> None:
    with pytest.raises(InfrastructureError):
        StepOrder.from_json(data)


@settings(max_examples=30)
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
)
def test_injected_sources_are_one_expression_whatever_the_path(name: str) -> None:
    for source in (inputs_source, outputs_source, begin_source):
        compile(source(f"/tmp/{name}/order.json"), "cell", "eval")
