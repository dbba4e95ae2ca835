"""Which parameters are masked, and how their values reach another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.masked_parameters import (
    MASK,
    VARIABLE,
    TooLongError,
    is_masked_name,
    masked_names,
    passed,
    received,
    shown,
)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "access_key",
        "secret_key",
        "private_key",
        "db_password",
        "HF_TOKEN",
        "aws_secret_access_key",
    ],
)
def test_names_of_secrets_are_masked(name: str) -> None:
    assert is_masked_name(name)


@pytest.mark.parametrize("name", ["tokens", "key", "passwords", "secretary", "tokenizer", "apikey"])
def test_other_names_are_not(name: str) -> None:
    assert not is_masked_name(name)


def test_a_call_may_mask_more_and_less() -> None:
    names = ["lr", "user", "token"]
    assert masked_names(names) == ["token"]
    assert masked_names(names, mask=["user"], no_mask=["token"]) == ["user"]
    assert masked_names(names, mask=["token"], no_mask=["token"]) == ["token"]


def test_an_empty_value_hides_nothing() -> None:
    assert shown(
        {"token": "x", "password": "", "secret": None}, ["token", "password", "secret"]
    ) == {
        "token": MASK,
        "password": "",
        "secret": None,
    }


def test_values_travel_through_a_pipe() -> None:
    program = (
        "import os; from kfnb.masked_parameters import received; "
        "print(received(os.environ), received(os.environ))"
    )
    with passed({"token": "hunter2"}) as pipe:
        assert pipe is not None
        environment = {**os.environ, VARIABLE: str(pipe)}
        made = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            pass_fds=(pipe,),
            capture_output=True,
            text=True,
            check=True,
        )
    assert made.stdout == "{'token': 'hunter2'} {}\n"


def test_nothing_is_passed_where_nothing_is_masked() -> None:
    with passed({}) as pipe:
        assert pipe is None
    assert received({}) == {}


def test_a_value_that_does_not_fit_into_a_pipe_is_refused_instead_of_waited_for() -> None:
    with pytest.raises(TooLongError, match="token"), passed({"token": "x" * 70_000}):
        pass


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_typed_value_is_not_in_the_list_of_processes() -> None:
    program = (
        "import sys; from pathlib import Path; from kfnb.masked_parameters import hide_arguments; "
        "hide_arguments(sys.argv[1:], mask=['user'], no_mask=['my_token']); "
        "print(Path('/proc/self/cmdline').read_text())"
    )
    typed = ["password=hunter2", "user=me", "lr=hunter2", "my_token=open", "not-a-pair"]
    made = subprocess.run(
        [sys.executable, "-c", program, *typed], capture_output=True, text=True, check=True
    )
    shown_as = made.stdout.rstrip("\n").rstrip("\0").split("\0")[-5:]
    assert shown_as == ["password=*******", "user=**", "lr=hunter2", "my_token=open", "not-a-pair"]
