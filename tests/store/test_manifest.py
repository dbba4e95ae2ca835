"""A manifest and a failure record read as they were written."""

from __future__ import annotations

import json

from kfnb.store import (
    Bundle,
    CellTime,
    Failure,
    Manifest,
    Output,
    WrittenFile,
    failed_key,
    manifest_key,
)

FULL = Manifest(
    run="r",
    step="train",
    attempt=2,
    started=1.5,
    finished=2.5,
    outputs={
        "x": Output(bundle="b", type="ndarray", shape=(2, 3), size=48, repr="array"),
        "gone": Output(absent=True),
    },
    bundles={"b": Bundle(blobs=("1" * 32 + "-30",), names=("x",), classes=("Net",))},
    aliases=(("x", "y"),),
    unexpected={"y": "changed in place"},
    files_written={"out.csv": WrittenFile("2" * 32 + "-3", 3, 0o600)},
    files_read={"in.csv": "3" * 32 + "-4"},
    metrics=((1.0, "loss", 0.5, None), (2.0, "loss", 0.25, 1)),
    packages={"numpy": "2.1"},
    executed="4" * 32 + "-5",
    cells=(CellTime(3, 0.1),),
)


def test_a_manifest_reads_as_it_was_written() -> None:
    assert Manifest.from_json(FULL.to_json()) == FULL


def test_fields_of_a_later_version_are_ignored() -> None:
    plain = {**json.loads(FULL.to_json()), "later": 1}
    assert Manifest.from_json(json.dumps(plain).encode()) == FULL


def test_a_manifest_names_every_blob_that_it_needs() -> None:
    assert {name[0] for name in FULL.blobs()} == {"1", "2", "4"}


def test_a_failure_has_its_class_under_that_name() -> None:
    failure = Failure(kind="memory", summary="it was too much", cell=3, line=1)
    assert failure.plain()["class"] == "memory"
    assert "kind" not in failure.plain()
    assert Failure.from_json(failure.to_json()) == failure


def test_keys_name_the_run_and_the_step() -> None:
    assert manifest_key("r", "train") == "manifests/r/train.json"
    assert manifest_key("r", "train", index="3") == "manifests/r/train.3.json"
    assert failed_key("r", "train", 2) == "failed/r/train.2.json"
