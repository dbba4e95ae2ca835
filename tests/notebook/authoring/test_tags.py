"""Every row of the tag table."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.notebook.authoring.tags import cell_declaration
from kfnb.pipeline import Secret
from tests.notebook.authoring.book import codes, declared, only, step, steps


def test_several_cells_may_carry_the_same_step() -> None:
    found = declared(("step:a", "x = 1"), ("step:b", "y = 2"), ("step:a", "z = 3"))
    assert steps(found) == {"a": (0, 2), "b": (1,)}


@pytest.mark.parametrize(
    "name", ["Load Data", "données-№1", "a:b", "🚀", "x" * 300, "a, b", "step:x"]
)
def test_a_step_name_is_whatever_a_person_types(name: str) -> None:
    assert steps(declared((f"step:{name}", "x = 1"))) == {name: (0,)}


def test_spaces_around_a_name_do_not_count() -> None:
    assert steps(declared(("step: a ", "x = 1"), (" step:a", "y = 1"))) == {"a": (0, 1)}


def test_after_is_a_dependency() -> None:
    found = declared(("step:a", "1"), ("step:b", "2"), (["step:c", "after:a", "after:b"], "3"))
    assert step(found, "c").after == ("a", "b")
    assert step(found, "b").after == ()


def test_after_takes_several_names_and_names_with_commas() -> None:
    found = declared(
        ("step:a", "1"),
        ("step:b", "2"),
        ("step:x,y", "3"),
        (["step:c", "after:a, b", "after:x,y"], ""),
    )
    assert step(found, "c").after == ("a", "b", "x,y")


def test_after_may_stand_on_any_cell_of_the_step() -> None:
    found = declared(("step:a", "1"), ("step:b", "2"), (["step:b", "after:a"], "3"))
    assert step(found, "b").after == ("a",)


def test_changes_names_values() -> None:
    found = declared((["step:a", "changes:model", "changes:x, y"], "1"))
    assert step(found, "a").changes == ("model", "x", "y")


@pytest.mark.parametrize("value", ["a-b", "a,", "model.fit()", "1"])
def test_changes_that_is_no_name_is_an_error(value: str) -> None:
    assert only(declared((["step:a", f"changes:{value}"], "1"))).code == "KFNB-E202"


@pytest.mark.parametrize(
    ("tag", "role"),
    [
        ("setup", "setup"),
        ("imports", "setup"),
        ("functions", "setup"),
        ("parameters", "parameters"),
        ("pipeline-parameters", "parameters"),
        ("injected-parameters", "parameters"),
        ("metrics", "metrics"),
        ("pipeline-metrics", "metrics"),
        ("skip", "skipped"),
    ],
)
def test_roles(tag: str, role: str) -> None:
    found = declared((tag, "x = 1"), ("step:a", "y = 1"))
    assert getattr(found, role) == (0,)
    assert steps(found) == {"a": (1,)}
    assert not found.diagnostics


@pytest.mark.parametrize(
    ("tag", "field", "value"),
    [
        ("image:registry.example:5000/team/x:1.2", "image", "registry.example:5000/team/x:1.2"),
        ("cpu:500m", "cpu", "500m"),
        ("cpu:2", "cpu", "2"),
        ("memory:4Gi", "memory", "4Gi"),
        ("memory:1.5G", "memory", "1.5G"),
        ("gpu:1", "gpu", "1"),
        ("limit:nvidia.com/gpu:1", "limits", {"nvidia.com/gpu": "1"}),
        ("limit:cpu:500m", "limits", {"cpu": "500m"}),
        ("retries:3", "retries", 3),
        ("retries:0", "retries", 0),
        ("timeout:30", "timeout", 30),
        ("timeout:30s", "timeout", 30),
        ("timeout:30m", "timeout", 1800),
        ("timeout:2h", "timeout", 7200),
        ("timeout:1d", "timeout", 86400),
        ("timeout:1h30m", "timeout", 5400),
        ("env:URL=http://x:80/?a=b", "env", {"URL": "http://x:80/?a=b"}),
        ("env:URL:http://x:80", "env", {"URL": "http://x:80"}),
        ("env:EMPTY=", "env", {"EMPTY": ""}),
        ("secret:s3:token:S3_TOKEN", "secrets", (Secret("s3", "token", "S3_TOKEN"),)),
        ("label:team:ml", "labels", {"team": "ml"}),
        ("annotation:example.com/when:12:30", "annotations", {"example.com/when": "12:30"}),
        ("cache:on", "cache", True),
        ("cache:off", "cache", False),
        ("cache:enabled", "cache", True),
        ("cache:disabled", "cache", False),
    ],
)
def test_options(tag: str, field: str, value: object) -> None:
    found = declared((["step:a", tag], "x = 1"))
    assert getattr(step(found, "a").options, field) == value
    assert not found.diagnostics


@pytest.mark.parametrize(
    "tag",
    [
        "retries:lots", "retries:-1", "retries:2.5", "retries:", "timeout:soon", "timeout:0",
        "timeout:-5", "timeout:", "timeout:inf", "memory:4GB", "memory:much", "cpu:two", "gpu:all",
        "image:", "image:a b", "limit:gpu", "limit:gpu:some", "env:A", "env:1A=2", "env:=2",
        "secret:a:b", "secret:a:b:c:d", "secret:a::c", "label:x", "annotation::y", "cache:maybe",
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_understood_is_an_error(tag: str) -> None:
    problem = only(declared(("step:b", "1"), (["step:a", tag], "x = 1")))
    assert (problem.code, problem.severity, problem.cell) == ("KFNB-E202", "error", 1)
    assert tag in problem.message
    assert problem.remedy


def test_options_may_stand_on_any_cell_of_the_step() -> None:
    found = declared(("step:a", "1"), ("memory:1Gi", "2"), (["step:a", "cpu:1"], "3"))
    assert step(found, "a").options.said() == {"memory": "1Gi", "cpu": "1"}


def test_two_cells_that_claim_different_options_are_both_named() -> None:
    problem = only(declared((["step:a", "memory:1Gi"], "1"), (["step:a", "memory:2Gi"], "2")))
    assert problem.code == "KFNB-E201"
    for word in ("memory", '"a"', "1Gi", "2Gi"):
        assert word in problem.message
    assert problem.cell == 1
    assert "the cell `1`" in problem.remedy
    assert problem.cell == 1


def test_the_same_option_twice_is_no_conflict() -> None:
    assert not codes(
        declared((["step:a", "cpu:1", "env:A:1"], "1"), (["step:a", "cpu:1", "env:B:2"], "2"))
    )


@pytest.mark.parametrize("pair", [("env:A:1", "env:A:2"), ("secret:a:b:C", "secret:a:x:C")])
def test_members_of_an_option_conflict_by_name(pair: tuple[str, str]) -> None:
    assert codes(declared((["step:a", pair[0]], "1"), (["step:a", pair[1]], "2"))) == ["KFNB-E201"]
    assert codes(declared((["step:a", *pair], "1"))) == ["KFNB-E201"]


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("aftr:x", "after:x"),
        ("stp:train", "step:train"),
        ("Step:train", "step:train"),
        ("blok:train", "block:train"),
        ("retry:3", "retries:3"),
        ("time-out:3", "timeout:3"),
        ("parameter", "parameters"),
        ("Setup", "setup"),
        ("metric", "metrics"),
        ("step", "step:NAME"),
    ],
)
def test_a_misspelt_tag_is_reported(tag: str, meant: str) -> None:
    problem = only(declared(("step:a", "1"), (tag, "2")))
    assert (problem.code, problem.cell) == ("KFNB-W212", 1)
    assert meant in problem.remedy


@pytest.mark.parametrize(
    "tag",
    [
        "hide-input", "remove_cell", "raises-exception", "nbval-skip", "solution", "export",
        "exercise:1", "lang:de", "report:enabled", "topic:x", "my:own:tag", "", ":", "::", "outputs",
    ],
)  # fmt: skip
def test_tags_of_other_tools_are_ignored(tag: str) -> None:
    found = declared((["step:a", tag], "1"))
    assert not found.diagnostics
    assert steps(found) == {"a": (0,)}


def test_a_cell_of_two_steps_is_an_error() -> None:
    problem = only(declared((["step:a", "step:b"], "1")))
    assert problem.code == "KFNB-E208"
    assert '"a"' in problem.message
    assert '"b"' in problem.message


def test_a_cell_of_two_roles_is_reported_and_gets_the_first() -> None:
    found = declared((["setup", "step:a"], "1"), ("step:b", "2"))
    assert only(found).code == "KFNB-W213"
    assert found.setup == (0,)


def test_skip_takes_any_cell_out() -> None:
    found = declared((["step:a", "skip"], "1"), (["skip", "parameters"], "2"), ("step:b", "3"))
    assert found.skipped == (0, 1)
    assert not found.diagnostics


@pytest.mark.parametrize("tag", ["after:b", "changes:x", "memory:1Gi"])
@pytest.mark.parametrize("role", ["setup", "parameters", "metrics"])
def test_a_tag_of_a_step_has_no_effect_on_a_cell_of_another_role(tag: str, role: str) -> None:
    problem = only(declared(("step:b", "1"), ([role, tag], "x = 1")))
    assert (problem.code, problem.cell) == ("KFNB-W214", 1)


def test_after_without_a_name_is_an_error() -> None:
    assert only(declared((["step:a", "after:"], "1"))).code == "KFNB-E205"


def test_a_step_on_exit() -> None:
    found = declared(("step:a", "1"), (["step:clean up", "on-exit"], "2"))
    assert found.on_exit == "clean up"
    assert not found.diagnostics


def test_on_exit_without_a_step_is_a_step_of_its_own() -> None:
    found = declared(("step:a", "1"), ("on-exit", "2"), ("", "3"))
    assert steps(found) == {"a": (0,), "on-exit": (1, 2)}
    assert found.on_exit == "on-exit"


def test_two_steps_on_exit_are_an_error() -> None:
    problem = only(declared((["step:a", "on-exit"], "1"), (["step:b", "on-exit"], "2")))
    assert problem.code == "KFNB-E209"


def test_nothing_comes_after_the_step_on_exit() -> None:
    problem = only(declared((["step:a", "on-exit"], "1"), (["step:b", "after:a"], "2")))
    assert problem.code == "KFNB-E209"


_WORDS = (
    "step block after prev changes image cpu memory gpu limit retries timeout env secret label "
    "annotation cache setup skip parameters metrics on-exit notebook"
)
_KEYS = st.sampled_from(_WORDS.split())
_TAGS = st.one_of(
    st.text(max_size=30),
    st.builds(lambda k, v: f"{k}:{v}", _KEYS, st.text(max_size=20)),
    _KEYS,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_TAGS, max_size=6))
def test_any_tags_can_be_read(tags: list[str]) -> None:
    claim = cell_declaration(tags)
    assert claim == cell_declaration(tags)
    assert claim.role != "step" or claim.step is not None
    assert claim.role in ("step", "skip") or claim.step is None
    assert claim.step is None or any(claim.step in tag for tag in tags)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(_TAGS, max_size=3), st.sampled_from(["x = 1", "", "def f(): 1"])),
        max_size=5,
    )
)
def test_no_code_cell_is_lost_whatever_its_tags(cells: list[tuple[list[str], str]]) -> None:
    found = declared(*[c for c in cells if "markdown" not in c[0]])
    kinds = (
        found.setup,
        found.parameters,
        found.metrics,
        found.skipped,
        *(s.cells for s in found.steps),
    )
    placed = [index for kind in kinds for index in kind]
    assert len(placed) == len(set(placed))
    written = {c.index for c in found.document.cells if c.source.strip()}
    assert written <= set(placed)
    assert len({s.id for s in found.steps}) == len(found.steps)


@pytest.mark.parametrize("tag", ["map", "when:lr > 1", "isolate:on"])
def test_a_tag_that_is_reserved_for_later_is_a_warning(tag: str) -> None:
    found = declared((["step:a", tag], "1"))
    problem = only(found)
    assert (problem.code, problem.severity) == ("KFNB-W221", "warning")
    assert "has no effect" in problem.message
    assert steps(found) == {"a": (0,)}


@pytest.mark.parametrize("tag", ["map:x", "when", "isolate"])
def test_a_tag_that_only_begins_like_a_reserved_one_is_none(tag: str) -> None:
    assert "KFNB-W221" not in [d.code for d in declared((["step:a", tag], "1")).diagnostics]
