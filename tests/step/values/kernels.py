"""Run code as a kernel would, one process for each step, and carry values between them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

_HARNESS = """
import json, sys
from pathlib import Path
job = json.loads(sys.argv[1])
def _run():
    import __main__
    from kfnb.step import values
    names = vars(__main__)
    exec(compile(job["setup"], f"/tmp/ipykernel_{__import__('os').getpid()}/1.py", "exec"), names)
    loaded = []
    for folder in job["load"]:
        for file in sorted(Path(folder).iterdir()):
            loaded.append(values.load([file]))
            names.update(loaded[-1].values)
    watch = values.Watch(loaded, definitions=job["definitions"])
    exec(compile(job["code"], f"/tmp/ipykernel_{__import__('os').getpid()}/2.py", "exec"), names)
    folder = Path(job["folder"])
    folder.mkdir()
    changed = watch.changed()
    saved = values.save({n: names[n] for n in job["save"]}, folder=folder,
                        definitions=job["definitions"], origin=job["origin"])
    return {
        "changed": sorted(changed),
        "unknown": sorted(watch.unknown),
        "aliases": saved.aliases,
        "failed": {n: str(e) for n, e in saved.failed.items()},
        "classes": {n: list(b.classes) for b in saved.bundles for n in b.names},
        "globals": {n: list(b.globals) for b in saved.bundles for n in b.names},
        "files": {n: str(b.files[0]) for b in saved.bundles for n in b.names},
    }
_result = _run()
print()
print(json.dumps(_result))
"""


class Step:
    """What a step printed, and what came of saving its names."""

    def __init__(self, folder: Path, text: str) -> None:
        *printed, last = text.splitlines()
        self.folder = folder
        self.text = "\n".join(printed).strip()
        self.result = json.loads(last)

    def bytes(self, name: str) -> bytes:
        return Path(self.result["files"][name]).read_bytes()


class Kernels:
    """Executes steps, each in a process of its own whose ``__main__`` is the notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(
        self,
        code: str = "",
        *,
        setup: str = "",
        load: Collection[Step] = (),
        save: str = "",
        definitions: str = "",
        origin: str | None = None,
    ) -> Step:
        self.count += 1
        folder = self.folder / str(self.count)
        job = {
            "setup": setup,
            "code": code,
            "load": [str(step.folder) for step in load],
            "save": save.split(),
            "definitions": definitions.split(),
            "folder": str(folder),
            "origin": origin or f"step {self.count}",
        }
        done = subprocess.run(
            [sys.executable, "-c", _HARNESS, json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert done.returncode == 0, done.stderr
        return Step(folder, done.stdout)


@pytest.fixture
def step(tmp_path: Path) -> Kernels:
    return Kernels(tmp_path)
