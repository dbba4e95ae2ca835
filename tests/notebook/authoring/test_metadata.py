"""``metadata.kfnb`` of cells and of the notebook, and their schemas."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.pipeline import Secret, Volume
from tests.notebook.authoring.book import cell, codes, declared, only, step, steps


def schema(name: str) -> jsonschema.Draft202012Validator:
    text = (
        importlib.resources.files("kfnb.notebook")
        .joinpath(f"schemas/{name}.schema.json")
        .read_text()
    )
    return jsonschema.Draft202012Validator(json.loads(text))


OPTIONS: dict[str, Any] = {
    "image": "r:5000/i:1",
    "cpu": 2,
    "memory": "4Gi",
    "gpu": 1,
    "limits": {"nvidia.com/gpu": 1},
    "retries": 3,
    "timeout": "30m",
    "env": {"A": "b", "N": 1, "T": True},
    "secrets": [{"name": "s3", "key": "token", "env": "TOKEN"}],
    "labels": {"team": "ml"},
    "annotations": {"a/b": "c:d"},
    "cache": False,
}
GOOD_CELLS: list[dict[str, Any]] = [
    {},
    {"step": "a"},
    {"role": "step", "step": "a", "after": ["b"], "changes": ["x"], "options": OPTIONS},
    {"role": "setup"},
    {"role": "skip"},
    {"role": None, "step": None, "options": None},
    {"options": {"cpu": None, "timeout": 1.5}},
    {"step": "a", "after": "b", "on_exit": True},
]
BAD_CELLS: list[Any] = [
    1,
    "step",
    [],
    {"role": "stp"},
    {"role": "step"},
    {"step": 1},
    {"stepp": "a"},
    {"after": 1},
    {"after": [1]},
    {"changes": {}},
    {"options": []},
    {"options": {"cpuu": 1}},
    {"options": {"retries": "lots"}},
    {"options": {"timeout": 0}},
    {"options": {"env": ["A"]}},
    {"options": {"env": {"1A": "x"}}},
    {"options": {"secrets": [{"name": "a"}]}},
    {"options": {"limits": {"cpu": "x"}}},
    {"options": {"cache": "maybe"}},
    {"on_exit": "yes"},
]


def test_it_declares_all_that_tags_do() -> None:
    own = {"role": "step", "step": "a", "after": ["b"], "changes": ["x"], "options": OPTIONS}
    found = declared(("step:b", "1"), cell("", "2", kfnb=own))
    assert not found.diagnostics
    made = step(found, "a")
    assert (made.cells, made.after, made.changes) == ((1,), ("b",), ("x",))
    assert made.options.cpu == "2"
    assert made.options.gpu == "1"
    assert made.options.timeout == 1800
    assert made.options.env == {"A": "b", "N": "1", "T": "true"}
    assert made.options.limits == {"nvidia.com/gpu": "1"}
    assert made.options.secrets == (Secret("s3", "token", "TOKEN"),)
    assert made.options.cache is False


@pytest.mark.parametrize(
    ("role", "field"),
    [("setup", "setup"), ("parameters", "parameters"), ("metrics", "metrics"), ("skip", "skipped")],
)
def test_roles(role: str, field: str) -> None:
    found = declared(cell("", "x = 1", kfnb={"role": role}), ("step:a", "1"))
    assert getattr(found, field) == (0,)


@pytest.mark.parametrize("own", GOOD_CELLS)
def test_what_the_schema_allows_is_read_without_a_word(own: dict[str, Any]) -> None:
    schema("cell").validate(own)
    assert not declared(("step:b", "1"), cell("", "2", kfnb=own), ("step:z", "1")).diagnostics


@pytest.mark.parametrize("own", BAD_CELLS)
def test_what_the_schema_forbids_is_an_error_and_the_cell_stays(own: Any) -> None:
    assert not schema("cell").is_valid(own)
    found = declared(("step:b", "1"), cell("step:a", "2", kfnb=own))
    assert set(codes(found)) == {"KFNB-E206"}
    assert {d.cell for d in found.diagnostics} == {1}
    assert steps(found) == {"b": (0,), "a": (1,)}


def test_a_misspelt_key_is_named() -> None:
    found = declared(cell("", "1", kfnb={"step": "a", "options": {"retrys": 1}, "aftre": "b"}))
    said = " ".join(d.message for d in found.diagnostics)
    assert '"retries"' in said
    assert '"after"' in said


def test_the_notebook_says_what_holds_for_the_pipeline() -> None:
    own = {
        "name": "my pipeline",
        "description": "What it does",
        "defaults": {"retries": 2, "memory": "1Gi", "env": {"A": "1"}},
        "targets": {"kubernetes": {"namespace": "ml"}},
        "volumes": [{"name": "data", "mount": "/data", "claim": "data-claim"}],
        "store": "s3://bucket/prefix",
        "on_exit": "tidy",
    }
    schema("notebook").validate(own)
    found = declared(("step:a", "1"), ("step:tidy", "2"), kfnb=own)
    assert not found.diagnostics
    assert (found.name, found.description, found.on_exit) == ("my pipeline", "What it does", "tidy")
    assert found.defaults.said() == {"retries": 2, "memory": "1Gi", "env": {"A": "1"}}
    assert found.volumes == (Volume("data", "/data", "data-claim"),)
    assert found.targets == {"kubernetes": {"namespace": "ml", "store": "s3://bucket/prefix"}}


def test_defaults_are_not_mixed_into_steps() -> None:
    found = declared((["step:a", "cpu:1"], "1"), kfnb={"defaults": {"retries": 2}})
    assert step(found, "a").options.said() == {"cpu": "1"}


@pytest.mark.parametrize(
    "own",
    [
        1,
        [],
        {"nme": "x"},
        {"name": 1},
        {"defaults": []},
        {"defaults": {"memory": "lots"}},
        {"targets": {"kubernetes": 1}},
        {"volumes": {}},
        {"volumes": [1]},
        {"volumes": [{"name": "a"}]},
        {"volumes": [{"mount": "/x"}]},
        {"volumes": [{"name": "a", "mount": "x"}]},
        {"volumes": [{"name": "a", "mount": "/x", "sizze": "1Gi"}]},
        {"store": 1},
        {"on_exit": True},
    ],
)
def test_a_notebook_that_says_it_wrongly(own: Any) -> None:
    assert not schema("notebook").is_valid(own)
    found = declared(("step:a", "1"), kfnb=own)
    assert set(codes(found)) == {"KFNB-E206"}
    assert steps(found) == {"a": (0,)}


def test_on_exit_of_nobody_is_an_error() -> None:
    problem = only(declared(("step:tidy", "1"), kfnb={"on_exit": "tidi"}))
    assert problem.code == "KFNB-E209"
    assert '"tidy"' in problem.remedy


def test_on_exit_by_tag_and_by_metadata_must_agree() -> None:
    cells = (["step:a", "on-exit"], "1"), ("step:b", "2")
    assert not declared(*cells, kfnb={"on_exit": "a"}).diagnostics
    assert only(declared(*cells, kfnb={"on_exit": "b"})).code == "KFNB-E209"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = [
    "role",
    "step",
    "after",
    "changes",
    "options",
    "on_exit",
    "name",
    "defaults",
    "volumes",
    "targets",
]


@settings(max_examples=100, deadline=None)
@given(
    _JSON | st.dictionaries(st.sampled_from(_KEYS), _JSON),
    st.dictionaries(st.sampled_from(sorted(OPTIONS)), _JSON),
)
def test_any_metadata_is_read(own: Any, options: Any) -> None:
    found = declared(
        cell("", "x = 1", kfnb=own), cell("", "y = 1", kfnb={"options": options}),
        kfnb=own, kubeflow_notebook=own,
    )  # fmt: skip
    kinds = (
        found.setup,
        found.parameters,
        found.metrics,
        found.skipped,
        *(s.cells for s in found.steps),
    )
    assert sorted(i for kind in kinds for i in kind) == [0, 1]
