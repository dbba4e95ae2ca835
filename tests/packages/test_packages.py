"""Ten packages of the table, in the environment of the tests."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import pytest

from kfnb.step.templates.imports.known_effects import KNOWN, imported_packages
from tests.packages.trial import Row, attempt, table

SAMPLE = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "matplotlib",
    "polars",
    "xgboost",
    "kubernetes",
    "ipywidgets",
)
ROWS = {row.package: row for row in table()}


def test_the_table_has_a_hundred_packages() -> None:
    assert len(ROWS) == 100
    assert set(SAMPLE) <= set(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_known_to_take_effect_is_not_tried_by_templates(row: Row) -> None:
    names = imported_packages(row.imports)
    assert row.result != "broken" or names[0] in KNOWN
    assert row.result != "template" or names[0] not in KNOWN


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="templates are for Linux")
@pytest.mark.parametrize("package", SAMPLE)
def test_a_package_is_as_the_table_says(package: str) -> None:
    try:
        version(package)
    except PackageNotFoundError:
        pytest.skip("it is not installed")
    row = attempt(ROWS[package], sys.executable)
    assert (row.result, row.reason) == (ROWS[package].result, ROWS[package].reason)
