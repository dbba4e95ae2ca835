"""What is said before anything starts, and how a run's driver is started and asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kfnb.engine.core.units import memory_bytes, quantity
from kfnb.errors import CheckError, UsageError
from kfnb.home import runs_folder
from kfnb.json_values import from_plain, to_plain
from kfnb.pipeline import Diagnostic, Parameter, Pipeline
from kfnb.runners import check_parameters, create_run, parse_parameter
from tests.runners.bench import Make, events, make_pipeline

HEAVY = (
    "papermill",
    "nbformat",
    "IPython",
    "jupyter_client",
    "jupyter_core",
    "nbclient",
    "traitlets",
    "zmq",
    "psutil",
    "yaml",
    "platformdirs",
    "rich",
    "click",
    "jsonschema",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


def pipeline(folder: Path, **parameters: Any) -> Pipeline:
    return make_pipeline(folder, {"a": Make("")}, parameters=parameters)


def test_a_run_appears_whole(tmp_path: Path) -> None:
    made = pipeline(tmp_path, lr=0.1)
    run = create_run(made, parameters={"lr": 1}, name="my run")
    assert [p.name for p in runs_folder().iterdir()] == [run.id]
    about = json.loads(run.run.read_text())
    assert (about["name"], about["parameters"]) == ("my run", {"lr": 1.0})
    assert from_plain(Pipeline, json.loads(run.pipeline.read_text())) == from_plain(
        Pipeline, to_plain(made)
    )
    assert run.notebook.read_bytes() == Path(made.path or "").read_bytes()
    (created,) = events(run)
    assert created.type == "RunCreated"
    assert run.id.split("-")[2] == "test"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lrr": 1}, 'no parameter "lrr". Did you mean "lr"?'),
        ({"zzz": 1}, "It has: lr, n, name, flag, parts, nothing."),
        ({"lr": "fast"}, "\"lr\" is float (default 0.1), 'fast' is a str"),
        ({"n": 1.5}, '"n" is int'),
        ({"n": "3"}, '"n" is int'),
        ({"n": True}, '"n" is int'),
        ({"flag": 1}, '"flag" is bool'),
        ({"name": 3}, '"name" is str'),
        ({"parts": {"a": 1}}, '"parts" is list'),
        ({"lr": None}, '"lr" is float'),
    ],
)
def test_a_parameter_that_does_not_exist_or_fit_is_refused(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    made = pipeline(tmp_path, lr=0.1, n=3, name="x", flag=True, parts=[1], nothing=None)
    with pytest.raises(UsageError) as refused:
        create_run(made, parameters=given)
    assert said in str(refused.value)
    assert not runs_folder().exists() or not list(runs_folder().iterdir())


def test_a_value_that_does_not_fit_is_quoted_in_part(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    made = pipeline(tmp_path, n=3, text=long)
    for given in ({"n": long}, {"text": 1}):
        with pytest.raises(UsageError) as refused:
            create_run(made, parameters=given)
        assert "Nothing was started" in str(refused.value)
        assert len(str(refused.value)) < 400


def test_a_whole_number_fits_a_float_and_anything_fits_none(tmp_path: Path) -> None:
    made = pipeline(tmp_path, lr=0.1, nothing=None)
    assert check_parameters(made.parameters, {"lr": 2, "nothing": [1]}) == {
        "lr": 2.0,
        "nothing": [1],
    }


@pytest.mark.parametrize(
    ("annotation", "value", "fits"),
    [
        ("float", 1, True),
        ("Optional[int]", None, True),
        ("int | None", None, True),
        ("int | None", "x", False),
        ("list[str]", ["a"], True),
        ("typing.Dict[str, int]", {"a": 1}, True),
        ("dict[str, list[int]]", [], False),
        ("MyType", object(), True),
    ],
)
def test_an_annotation_says_what_fits(
    tmp_path: Path, annotation: str, value: object, fits: bool
) -> None:
    import dataclasses

    made = pipeline(tmp_path, p=3)
    parameter = Parameter("p", 3, annotation, "3", 0, 1)
    made = dataclasses.replace(made, parameters=(parameter,))
    if fits:
        check_parameters(made.parameters, {"p": value})
    else:
        with pytest.raises(UsageError):
            check_parameters(made.parameters, {"p": value})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lr", "1e-3", 0.001),
        ("lr", "5", 5),
        ("n", "7", 7),
        ("name", "3", "3"),
        ("name", "true", "true"),
        ("name", "'3'", "'3'"),
        ("name", "issue #5", "issue #5"),
        ("name", " a\nb ", " a\nb "),
        ("n", "010", 10),
        ("nothing", "12:30", "12:30"),
        ("nothing", "1_000", 1000),
        ("nothing", "!!binary aGk=", "!!binary aGk="),
        ("nothing", "{a: 1}", {"a": 1}),
        ("flag", "true", True),
        ("parts", "[1, 2]", [1, 2]),
        ("parts", "{a: [", "{a: ["),
        ("name", "2024-01-01", "2024-01-01"),
        ("nothing", "null", None),
    ],
)
def test_a_value_of_the_command_line_is_yaml_as_its_parameter_wants_it(
    tmp_path: Path, name: str, text: str, value: object
) -> None:
    made = pipeline(tmp_path, lr=0.1, n=3, name="x", flag=True, parts=[1], nothing=None)
    assert parse_parameter(made.parameters, name, text) == value


def test_a_notebook_with_errors_is_not_started(tmp_path: Path) -> None:
    import dataclasses

    wrong = Diagnostic("KFNB-E102", "error", "a name is missing", "Define it.")
    made = dataclasses.replace(pipeline(tmp_path), diagnostics=(wrong,))
    with pytest.raises(CheckError, match="KFNB-E102: a name is missing"):
        create_run(made)


def test_a_kernel_that_is_not_installed_is_a_sentence(tmp_path: Path) -> None:
    import dataclasses

    made = dataclasses.replace(pipeline(tmp_path), kernel="julia-1.9")
    with pytest.raises(
        UsageError, match=r'kernel "julia-1.9".*not installed \(installed: .*"python3"'
    ):
        create_run(made)


def test_the_driver_loads_nothing_heavy() -> None:
    code = (
        "import sys; import kfnb.runners.__main__, kfnb.engine.driver, kfnb.runners.local.processes;"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "kfnb.runners", str(tmp_path / "nothing")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 4
    assert "is not the folder of a run" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4Gi", 4 * 2**30),
        ("500M", 5e8),
        ("1.5G", 1.5e9),
        ("128974848", 128974848),
        ("2GB", 2e9),
        ("1e3", 1000),
        ("lots", None),
        ("", None),
        ("-1", None),
        ("4 Gi", 4 * 2**30),
    ],
)
def test_quantities_are_read_as_kubernetes_does(text: str, number: float | None) -> None:
    assert quantity(text) == number
    assert memory_bytes(text) == (None if number is None else int(number))
