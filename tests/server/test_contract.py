"""The running server against its OpenAPI document, by schemathesis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.scripted import FAILED, SUCCEEDED
from tests.live.runs import run_of
from tests.server.program import TOKEN, started

pytestmark = pytest.mark.slow


def test_the_server_does_what_its_document_says(
    tmp_path: Path, jp_root_dir: Path, book: Callable[..., Path]
) -> None:
    book(("step:load", "rows = [1]"))
    run = run_of(*SUCCEEDED)
    run_of(*FAILED)
    # Random values name no run and no step, so each test would only see that they do not exist.
    (tmp_path / "schemathesis.toml").write_text(
        f"""
[parameters]
"path.run" = "{run.id}"
"path.step" = "load"
"path.target" = "kubernetes"

[[operations]]
include-name = "DELETE /runs/{{run}}"
parameters = {{ "path.run" = "20260101-000000-gone-0000" }}
"""
    )
    with started(jp_root_dir, tmp_path / "server") as server:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            f"{server.url}/kfnb/v1/openapi.json",
            *("--header", f"Authorization: token {TOKEN}"),
            *("--checks", "all"),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "15"),
            *("--seed", "1"),
            *("--suppress-health-check", "all"),
            *("--generation-database", "none"),
            *("--request-timeout", "60"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
