"""Ids: safe for Kubernetes and folders, one for each name, whatever is typed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.notebook.names import LONGEST, safe, unique_ids

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
HOSTILE = [
    "../../x", 'a"; rm -rf /', "a\nb", "x" * 300, "🚀", "🚀🚀", "", " ", "-", "--", ".", "..", "/etc/passwd",
    "a/b", "a\\b", "CON", "<script>", "$(x)", "`x`", "{{x}}", "\x00", "\ud800", "ß", "Ünïcode", "数据",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("train", "train"),
        ("Load Data", "load-data"),
        ("load_data", "load-data"),
        ("a.b", "a-b"),
        ("Modèle № 1", "modele-no-1"),
        ("--x--", "x"),
        ("1st", "1st"),
        ("x" * 40, "x" * 40),
    ],
)
def test_what_a_label_looks_like(name: str, label: str) -> None:
    assert safe(name) == label


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_labels(name: str) -> None:
    assert LABEL.fullmatch(safe(name))


def test_a_shortened_name_carries_a_hash() -> None:
    one, two = safe("x" * 300), safe("x" * 301)
    assert one != two
    assert one.startswith("xxxx")
    assert len(one) == LONGEST


def test_names_of_no_letters_carry_a_hash() -> None:
    assert safe("🚀") != safe("🎉")
    assert safe("🚀").startswith("step-")


def test_names_that_become_one_label_get_a_hash() -> None:
    ids = unique_ids(["a b", "a_b", "A B"])
    assert len(set(ids.values())) == 3
    assert all(re.fullmatch(r"a-b-[0-9a-f]{8}", i) for i in ids.values())


def test_the_name_that_is_its_own_label_keeps_it() -> None:
    ids = unique_ids(["A", "a"])
    assert ids["a"] == "a"
    assert ids["A"] != "a"


def test_ids_do_not_depend_on_the_order_of_steps() -> None:
    names = ["a b", "a_b", "c", "🚀", "y" * 50]
    assert unique_ids(names) == unique_ids(reversed(names))


def test_an_id_does_not_change_when_another_step_comes() -> None:
    assert unique_ids(["a", "b"])["a"] == unique_ids(["a", "b", "c d", "e" * 99])["a"]


def test_a_name_made_to_look_like_a_hashed_one_does_not_take_its_id() -> None:
    forged = unique_ids(["A", "a"])["A"]
    assert len(set(unique_ids(["A", "a", forged]).values())) == 3


def test_all_hostile_names_at_once() -> None:
    assert len(set(unique_ids(HOSTILE).values())) == len(set(HOSTILE))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60) | st.sampled_from(["a", "A", "a-", "a b", "a_b"]), max_size=8))
def test_any_names_have_ids_of_their_own(names: list[str]) -> None:
    ids = unique_ids(names)
    assert set(ids) == set(names)
    assert len(set(ids.values())) == len(set(names))
    assert all(LABEL.fullmatch(i) for i in ids.values())
