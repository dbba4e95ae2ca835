"""A person at a desk, whose pipelines run on the tests' cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import Bucket, Cluster

# A kernel that finds itself in a test does not tell what subprocesses print.
_NOT_A_TEST = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}


@dataclass
class Desk:
    """A folder with notebooks, and the command line with the cluster's options."""

    folder: Path
    cluster: Cluster
    namespace: str
    bucket: Bucket
    image: str
    environment: dict[str, str] = field(default_factory=dict)

    def notebook(self, *cells: tuple[str, str], name: str = "nb.ipynb", **metadata: Any) -> Path:
        """Write a notebook of cells (tags, source)."""
        made = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "metadata": {"tags": tags.split()} if tags else {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for n, (tags, source) in enumerate(cells)
        ]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        plain = {"cells": made, "nbformat": 4, "nbformat_minor": 5}
        path = self.folder / name
        path.write_text(json.dumps({**plain, "metadata": {"kernelspec": spec, **metadata}}))
        return path

    @property
    def options(self) -> list[str]:
        """What ``kfnb run`` needs to know of this cluster."""
        return [
            *("--on", "kubernetes", "--namespace", self.namespace, "--image", self.image),
            *("--store", f"{self.bucket.url}/kfnb", "--store-secret", "s3"),
            *("--store-endpoint", self.bucket.server.pod_endpoint),
            *("--store-client-endpoint", self.bucket.server.client_endpoint),
        ]

    def kfnb(self, *arguments: str | Path, code: int = 0, timeout: float = 300) -> str:
        """Call the command line; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "kfnb.cli.main", *map(str, arguments)],
            cwd=self.folder,
            env={**_NOT_A_TEST, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, notebook: Path, *arguments: str, code: int = 0) -> str:
        """Run a notebook on the cluster."""
        return self.kfnb("run", notebook, *self.options, *arguments, code=code)

    def status(self, run: str = "latest") -> dict[str, Any]:
        """What ``kfnb status`` says of a run."""
        found: dict[str, Any] = json.loads(self.kfnb("status", run, "--json"))
        return found


@pytest.fixture
def desk(
    tmp_path: Path,
    cluster: Cluster,
    namespace: str,
    bucket: Bucket,
    s3_secret: str,
    step_image: str,
) -> Desk:
    """A desk in a fresh namespace with a fresh bucket."""
    del s3_secret
    folder = tmp_path / "desk"
    folder.mkdir()
    environment = {
        **bucket.server.environment(),
        "KFNB_HOME": str(tmp_path / "home"),
        "KUBECONFIG": str(cluster.kubeconfig),
        "KFNB_CONFIG": str(tmp_path / "none.toml"),
    }
    return Desk(folder, cluster, namespace, bucket, step_image, environment)
