"""What the target ``local`` finds wrong with a notebook before a run."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from kfnb.errors import UsageError
from kfnb.runners.local.target import LocalTarget
from tests.notebook.build import pipeline


def test_a_kernel_that_is_not_installed_is_an_error_of_the_check() -> None:
    read = dataclasses.replace(pipeline(("step:a", "1")), kernel="no-such-kernel")
    (problem,) = LocalTarget().check(read, {})
    assert (problem.code, problem.severity) == ("KFNB-E502", "error")
    assert '"no-such-kernel"' in problem.message
    with pytest.raises(UsageError, match='The notebook asks for the kernel "no-such-kernel"'):
        LocalTarget().prepare(read, {}, {})


def test_a_notebook_whose_kernel_is_installed_has_no_findings() -> None:
    assert LocalTarget().check(dataclasses.replace(pipeline("1"), kernel="python3"), {}) == ()


def test_in_a_web_page_notebooks_are_checked_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    read = dataclasses.replace(pipeline(("step:a", "1")), kernel="no-such-kernel")
    assert LocalTarget().check(read, {}) == ()
    with pytest.raises(UsageError, match="cannot start processes, so nothing was run"):
        LocalTarget().prepare(read, {}, {})
