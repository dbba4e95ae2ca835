"""Measure the driver of a run of 500 steps on Kubernetes, with pods that do nothing.

The API server is that of the tests, in memory: its Jobs publish their results at once. Client,
runner, driver, journal and files are the real ones, in a separate process; the store is a folder.
``python -m benchmarks.driver RUN_FOLDER KUBECONFIG REMOTE`` is that process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kfnb.engine.core.settings import Settings
from kfnb.engine.dispatch.manifests import load_run
from kfnb.home import RunFolder
from kfnb.store.remote.folder import FolderRemote

STEPS, PARALLEL = 500, 20
ROOT = Path(__file__).resolve().parent.parent


def figures(folder: Path) -> Iterator[tuple[str, float, str, str]]:
    """Yield the rows of the table: who, how much, unit and note."""
    from tests.runners.bench import Make
    from tests.runners.kubernetes.world import world

    os.environ["KFNB_HOME"] = str(folder / "driver-home")
    wide = {f"s{n}": Make("", outputs=[f"x{n}"]) for n in range(STEPS)}
    deep = {
        f"s{n}": Make("", inputs={f"x{n - 1}": f"s{n - 1}"} if n else {}, outputs=[f"x{n}"])
        for n in range(STEPS)
    }
    for name, steps in (("at once", wide), ("a chain", deep)):
        run_folder = folder / name.replace(" ", "-")
        run_folder.mkdir()
        with world(run_folder, steps, settings=Settings(parallel=PARALLEL)) as made:
            command = [sys.executable, "-m", "benchmarks.driver", str(made.run.path)]
            more = [str(made.server.kubeconfig(run_folder)), str(made.remote.root)]
            owner = json.dumps(made.owner)
            done = subprocess.run(
                [*command, *more, owner], cwd=ROOT, check=True, capture_output=True, text=True
            )
            measured = json.loads(done.stdout.splitlines()[-1])
            requests = len(made.server.requests)
        note = f"driver, {STEPS} steps, {name}; pods do nothing"
        yield "kfnb", measured["cpu"] / STEPS, "CPU-s of the driver a step", note
        yield "kfnb", measured["memory"], "MB of the driver", note
        yield "kfnb", measured["wall"] / STEPS, "s of the driver a step", note
        yield "kfnb", requests / STEPS, "API requests a step", note


def main(run: str, kubeconfig: str, remote: str, owner: str) -> None:
    import time

    from tests.runners.kubernetes.world import World, connected

    folder = RunFolder(Path(run))
    pipeline, _ = load_run(folder)
    cluster = connected(Path(kubeconfig))
    run_folder = Path(kubeconfig).parent
    before = _spent()
    began = time.perf_counter()
    world = World(
        run_folder, None, FolderRemote(Path(remote)), cluster, folder, pipeline, json.loads(owner)
    )
    status = world.drive()
    measured = {
        "cpu": _spent() - before,
        "wall": time.perf_counter() - began,
        "memory": _peak(),
    }
    if status != "succeeded":
        raise SystemExit(f"the run {status}")
    print(json.dumps(measured))


def _peak() -> float:
    """Return the peak of resident megabytes; getrusage would include the parent's."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
