"""Each proposal is executed as a pipeline, and compared with the notebook from top to bottom."""

from __future__ import annotations

import json

import pytest

from kfnb.notebook.document import load
from kfnb.notebook.suggest.proposal import suggest
from kfnb.verify import verify
from tests.notebook.suggest.notebooks import NAMES, content


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_proposed_pipeline_gives_the_notebooks_values(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    path = tmp_path / f"{name}.ipynb"
    book = content(name)
    path.write_text(json.dumps(book))
    for index, tag in suggest(load(path)).tags.items():
        book["cells"][index]["metadata"]["tags"] = [tag]
    path.write_text(json.dumps(book))
    report = verify(path)
    assert report.status == "succeeded"
    assert report.ok, [str(d) for d in report.diagnostics]
