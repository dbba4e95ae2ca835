"""Notebooks tagged for Kale, of both generations, unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from kfnb.pipeline import Secret, Volume
from tests.notebook.authoring.book import MARKDOWN, cell, codes, declared, only, step, steps

FIRST: tuple[Any, ...] = (
    ([MARKDOWN], "# Wine"),
    ("imports", "import json"),
    ("", "import math"),
    ("functions", "def scale(x):\n    return x * 2"),
    ("pipeline-parameters", "RATE = 0.1"),
    (["block:load", "limit:cpu:500m", "limit:memory:1Gi"], "rows = [1, 2, 3]"),
    (["block:"], "rows.append(4)"),
    ("skip", "print(rows)"),
    (
        ["block:left", "prev:load", "annotation:example.com/owner:a:b", "label:team:ml"],
        "l = scale(rows[0])",
    ),
    (["block:right", "prev:load", "limit:nvidia.com/gpu:1"], "r = rows[1] * RATE"),
    (["block:join", "prev:left", "prev:right"], "total = l + r"),
    ("", "print(total)"),
    ("pipeline-metrics", "print(total)"),
)
FIRST_META: dict[str, Any] = {
    "experiment": {"id": "new", "name": "wine"},
    "experiment_name": "wine",
    "pipeline_name": "wine-quality",
    "pipeline_description": "Two branches and a join",
    "docker_image": "registry.example:5000/kale:v0.5",
    "autosnapshot": False,
    "snapshot_volumes": False,
    "katib_run": False,
    "katib_metadata": {"parameters": []},
    "steps_defaults": ["label:app:wine", "limit:memory:2Gi", "annotation:sidecar/inject:false"],
    "volume_access_mode": "rwm",
    "volumes": [
        {
            "type": "new_pvc", "name": "scratch", "mount_point": "/scratch", "size": 5,
            "size_type": "Gi", "snapshot": False, "annotations": [],
        },
        {"type": "pvc", "name": "data-claim", "mount_point": "/data", "snapshot": False},
    ],
}  # fmt: skip

SECOND: tuple[Any, ...] = (
    ("imports", "import json"),
    ("pipeline-parameters", "n = 3"),
    (
        ["step:load", "image:registry.example:5000/base:2.0", "cache:disabled"],
        "rows = list(range(n))",
    ),
    (
        [
            "step:train",
            "prev:load",
            "secret:s3-credentials:access.key:S3_KEY",
            "cache:enabled",
            "report:enabled",
        ],
        "m = sum(rows)",
    ),
    (["step:report", "prev:train"], "print(m)"),
    ("pipeline-metrics", "print(m)"),
)
SECOND_META: dict[str, Any] = {
    "pipeline_name": "sums",
    "experiment_name": "Default",
    "base_image": "python:3.12",
    "enable_caching": True,
    "steps_defaults": ["secret:common:token:TOKEN", "cache:disabled"],
    "volumes": [
        {"name": "my-data-pvc", "mount_point": "/data", "type": "pvc", "expose_as_env_var": True}
    ],
}


def test_first_generation() -> None:
    found = declared(*FIRST, kubeflow_notebook=FIRST_META)
    assert not found.diagnostics
    assert steps(found) == {"load": (5, 6), "left": (8,), "right": (9,), "join": (10, 11)}
    assert found.setup == (1, 2, 3)
    assert (found.parameters, found.metrics, found.skipped) == ((4,), (12,), (7,))


def test_dependencies_and_what_kale_takes_them_for() -> None:
    found = declared(*FIRST, kubeflow_notebook=FIRST_META)
    assert step(found, "join").after == ("left", "right")
    assert step(found, "join").kale_prev == ("left", "right")
    assert step(found, "load").kale_prev == ()


def test_a_notebook_of_ours_has_no_rule_of_kale() -> None:
    found = declared(("step:a", "1"), (["step:b", "after:a"], "2"))
    assert [s.kale_prev for s in found.steps] == [None, None]


@pytest.mark.parametrize("tags", ["block:a", ["step:a", "prev:b"]])
def test_kales_order_is_enough_to_know_it(tags: Any) -> None:
    assert step(declared(("step:b", "1"), (tags, "x = 2")), "b").kale_prev == ()


@pytest.mark.parametrize("tags", ["imports", "functions", "pipeline-metrics"])
def test_kales_other_words_are_only_words(tags: Any) -> None:
    """Who writes them for ours, and no order, is not told of a rule of another tool."""
    assert step(declared(("step:b", "1"), (tags, "x = 2")), "b").kale_prev is None


def test_options_of_steps() -> None:
    found = declared(*FIRST, kubeflow_notebook=FIRST_META)
    assert step(found, "load").options.limits == {"cpu": "500m", "memory": "1Gi"}
    assert step(found, "right").options.limits == {"nvidia.com/gpu": "1"}
    assert step(found, "left").options.annotations == {"example.com/owner": "a:b"}
    assert step(found, "left").options.labels == {"team": "ml"}


def test_metadata_of_the_first_generation() -> None:
    found = declared(*FIRST, kubeflow_notebook=FIRST_META)
    assert (found.name, found.description) == ("wine-quality", "Two branches and a join")
    assert found.defaults.said() == {
        "image": "registry.example:5000/kale:v0.5",
        "limits": {"memory": "2Gi"},
        "labels": {"app": "wine"},
        "annotations": {"sidecar/inject": "false"},
    }
    assert found.volumes == (
        Volume("scratch", "/scratch", size="5Gi"),
        Volume("data-claim", "/data", "data-claim"),
    )


def test_second_generation() -> None:
    found = declared(*SECOND, kubeflow_notebook=SECOND_META)
    assert not found.diagnostics
    assert steps(found) == {"load": (2,), "train": (3,), "report": (4,)}
    assert step(found, "load").options.image == "registry.example:5000/base:2.0"
    assert step(found, "load").options.cache is False
    assert step(found, "train").options.cache is True
    assert step(found, "train").options.secrets == (
        Secret("s3-credentials", "access.key", "S3_KEY"),
    )
    assert step(found, "train").kale_prev == ("load",)


def test_metadata_of_the_second_generation() -> None:
    found = declared(*SECOND, kubeflow_notebook=SECOND_META)
    assert found.defaults.said() == {
        "image": "python:3.12",
        "cache": False,
        "secrets": [{"name": "common", "key": "token", "env": "TOKEN"}],
        "env": {"KALE_VOLUME_MY_DATA_PVC": "/data"},
    }
    assert found.volumes == (Volume("my-data-pvc", "/data", "my-data-pvc"),)


def test_defaults_of_steps_as_an_object() -> None:
    shared = {
        "base_image": "python:3.11", "enable_caching": False, "limits": {"cpu": "1"}, "labels": {},
        "timeout": 60, "retry_count": 2, "retry_interval": "10s", "deployment": "x",
        "secrets": {"TOKEN": {"secret_name": "common", "secret_key": "token"}},
    }  # fmt: skip
    found = declared(("step:a", "1"), kubeflow_notebook={"steps_defaults": shared})
    assert not found.diagnostics
    assert found.defaults.said() == {
        "image": "python:3.11", "cache": False, "limits": {"cpu": "1"}, "timeout": 60, "retries": 2,
        "secrets": [{"name": "common", "key": "token", "env": "TOKEN"}],
    }  # fmt: skip


def test_our_metadata_counts_more_than_kales() -> None:
    found = declared(
        ("step:a", "1"),
        kubeflow_notebook=FIRST_META,
        kfnb={"name": "mine", "defaults": {"image": "x:1", "limits": {"memory": "3Gi"}}},
    )
    assert found.name == "mine"
    assert found.description == "Two branches and a join"
    assert found.defaults.image == "x:1"
    assert found.defaults.limits == {"memory": "3Gi"}
    assert found.defaults.labels == {"app": "wine"}


def test_fields_that_kale_leaves_empty_are_not_reported() -> None:
    empty = {
        "pipeline_name": "", "pipeline_description": "", "docker_image": "", "volumes": [],
        "steps_defaults": [], "experiment": {"id": "", "name": ""},
    }  # fmt: skip
    found = declared(("block:a", "1"), kubeflow_notebook=empty)
    assert (found.name, found.description) == ("train", "")
    assert found.defaults.said() == {}


def test_settings_without_effect_are_reported_once() -> None:
    meta = {"katib_run": True, "autosnapshot": True, "snapshot_volumes": True}
    problem = only(declared(("block:a", "1"), kubeflow_notebook=meta))
    assert (problem.code, problem.severity) == ("KFNB-W218", "warning")
    assert "Katib" in problem.message


@pytest.mark.parametrize(
    "meta",
    [
        1,
        [],
        "x",
        {"volumes": {}},
        {"volumes": [1, {}, {"name": 1}]},
        {"steps_defaults": 1},
        {"docker_image": 7},
    ],
)
def test_kales_metadata_may_hold_anything(meta: Any) -> None:
    assert not declared(("step:a", "1"), kubeflow_notebook=meta).diagnostics


def test_a_default_that_cannot_be_understood_is_an_error() -> None:
    problem = only(
        declared(("step:a", "1"), kubeflow_notebook={"steps_defaults": ["limit:memory:lots"]})
    )
    assert problem.code == "KFNB-E206"
    assert "limit:memory:lots" in problem.message


def test_a_cell_that_stands_for_a_notebook_is_an_error() -> None:
    reference = cell("notebook:prepare", "# prepare.ipynb", notebook_path="prepare.ipynb")
    found = declared(("step:a", "1"), reference)
    assert codes(found) == ["KFNB-E210"]
    assert '"prepare"' in found.diagnostics[0].message


def test_prev_of_nobody_is_an_error() -> None:
    assert codes(declared(("block:a", "1"), (["block:b", "prev:aa"], "2"))) == ["KFNB-E203"]
