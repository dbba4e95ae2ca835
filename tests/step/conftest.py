"""A bench on which one attempt at a step is set up, executed and looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kfnb.step.order import INJECTED, Input, StepOrder, inputs_source, outputs_source
from kfnb.store import Failure, Manifest, Store, failed_key, manifest_key, open_store

Source = str | tuple[str, Sequence[str]]


@dataclass
class Ended:
    """What an attempt left behind."""

    code: int
    folder: Path
    store: Store
    order: StepOrder
    stderr: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()
        ]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self.events if event["type"] == kind]

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_bytes().decode()

    @property
    def notebook(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "executed.ipynb").read_text()))

    @property
    def manifest(self) -> Manifest:
        data = self.store.get(manifest_key(self.order.run, self.order.step_id))
        assert data is not None, self.events[-1]
        return Manifest.from_json(data)

    @property
    def failure(self) -> Failure:
        order = self.order
        data = self.store.get(failed_key(order.run, order.step_id, order.attempt))
        assert data is not None, self.events[-1]
        return Failure.from_json(data)

    def text(self, cell: int) -> str:
        """The text outputs of a source cell in the executed notebook."""
        for found in self.notebook["cells"]:
            if found["metadata"].get("kfnb", {}).get("cell") == cell:
                parts = []
                for output in found["outputs"]:
                    text = output.get("text") or output.get("data", {}).get("text/plain", "")
                    parts.append("".join(text))
                return "".join(parts)
        raise AssertionError(f"no cell {cell}")


@dataclass
class Bench:
    """A notebook's folder, a store, and as many attempts as a test needs."""

    root: Path
    attempts: int = 0
    store: Store = field(init=False)
    workdir: Path = field(init=False)

    def __post_init__(self) -> None:
        self.workdir = self.root / "work"
        self.workdir.mkdir()
        self.store = open_store(self.root / "store")

    def prepare(self, step: str, *cells: Source, **options: Any) -> Path:
        """Write an order and its notebook; cells are sources, with tags if they have any."""
        self.attempts += 1
        folder = self.root / "steps" / step / str(self.attempts)
        folder.mkdir(parents=True)
        path = folder / "order.json"
        order = StepOrder(
            **{
                "run": "run-1",
                "step": step,
                "step_id": step,
                "attempt": self.attempts,
                "notebook": str(folder / "step.ipynb"),
                "folder": str(folder),
                "workdir": str(self.workdir),
                "store": str(self.store.root),
                "kernel": "python3",
                **options,
            }
        )
        made = [
            code(f"c{n}", c if isinstance(c, str) else c[0], [] if isinstance(c, str) else c[1], n)
            for n, c in enumerate(cells)
        ]
        notebook = {
            "cells": [
                code("kfnb-inputs", inputs_source(path), [INJECTED]),
                *made,
                code("kfnb-outputs", outputs_source(path), [INJECTED]),
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "p", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (folder / "step.ipynb").write_text(json.dumps(notebook))
        path.write_bytes(order.to_json())
        return path

    def start(self, path: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kfnb.step", str(path)],
            cwd=self.root,
            text=True,
            stderr=subprocess.PIPE,
        )

    def ended(self, path: Path, process: subprocess.Popen[str], timeout: float = 300) -> Ended:
        _, stderr = process.communicate(timeout=timeout)
        order = StepOrder.from_json(path.read_bytes())
        return Ended(process.returncode, path.parent, self.store, order, stderr)

    def run(self, step: str, *cells: Source, **options: Any) -> Ended:
        path = self.prepare(step, *cells, **options)
        return self.ended(path, self.start(path))

    def inputs(self, producer: Ended, *names: str) -> tuple[Input, ...]:
        """What a later step's order says about outputs of an earlier one."""
        manifest = producer.manifest
        found = []
        for name in names:
            output = manifest.outputs[name]
            bundle = manifest.bundles[output.bundle] if output.bundle else None
            found.append(
                Input(
                    name,
                    bundle=bundle,
                    key=output.bundle or "",
                    producer=producer.order.step,
                    absent=output.absent,
                )
            )
        return tuple(found)


def code(
    cell_id: str, source: str, tags: Sequence[str] = (), index: int | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": list(tags)}
    if index is not None:
        metadata["kfnb"] = {"cell": index, "role": "step"}
    return {
        "cell_type": "code",
        "id": cell_id,
        "execution_count": None,
        "outputs": [],
        "metadata": metadata,
        "source": source,
    }


def other_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an environment without kfnb and cloudpickle, and a kernel "other" of it."""
    other = bench.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    packages = bench.root / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not any(word in entry.name for word in ("kfnb", "cloudpickle", ".pth")):
            (packages / entry.name).symlink_to(entry)
    python = other / "bin/python"
    purelib = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(purelib) / "packages.pth").write_text(str(packages))
    spec = bench.root / "jupyter/kernels/other"
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.joinpath("kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "other", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(bench.root / "jupyter"))
    return other


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
