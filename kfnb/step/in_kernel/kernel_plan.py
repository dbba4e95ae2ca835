"""The plan that the step process writes for the kernel: what to load, what to save, and where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError
from kfnb.json_values import to_plain
from kfnb.step.in_kernel.kernel_side import PLAN
from kfnb.step.kernels.kernel_path import make_path, needs_path
from kfnb.step.order import KERNEL_PATH, StepOrder
from kfnb.store import Store, hash_bytes
from kfnb.store.manifest import Bundle

LOCAL = "inputs"
"""A folder of the attempt: local copies of values whose store is on a network file system."""

METRICS = "metrics.jsonl"
"""A file of the attempt: the metrics that the step logs."""

_REMOTE = ("nfs", "fuse", "cifs", "smb", "9p", "ceph", "lustre", "glusterfs", "beegfs", "afs")


def kernel_path(order: StepOrder, command: list[str]) -> Path | None:
    """Make kfnb importable for a kernel of another environment; None if that is not needed.

    ``command`` is the kernelspec's command line.
    """
    if not needs_path(command):
        return None
    return make_path(Path(order.folder) / KERNEL_PATH)


def write(
    order: StepOrder,
    store: Store,
    staging: Path,
    *,
    path: Path | None,
    listener: str | None = None,
) -> None:
    """Write the plan into the attempt's folder.

    Parameters
    ----------
    listener
        Where the kernel sends the listener of its files; None: it is not watched, or it is
        already.

    Raises
    ------
    InfrastructureError
        If a value that the step needs is not in the store.
    """
    groups: dict[tuple[str, ...], tuple[Bundle, list[str]]] = {}
    for given in order.inputs:
        if given.bundle is not None and not given.absent:
            groups.setdefault(given.bundle.blobs, (given.bundle, []))[1].append(given.name)
    copy_to = Path(order.folder) / LOCAL if groups and is_remote(store.root) else None
    bundles = [
        {"files": _files(store, bundle, names, copy_to), "bind": names, "codec": bundle.codec}
        for bundle, names in groups.values()
    ]
    plan: dict[str, Any] = {
        "workdir": order.workdir,
        "staging": str(staging),
        "path": str(path) if path else None,
        "bundles": bundles,
        "outputs": order.outputs,
        "watch": order.watch,
        "definitions": order.definitions,
        "metrics": order.metrics,
        "metrics_file": str(Path(order.folder) / METRICS),
        "origin": origin(order),
        "setup": sorted(order.setup_readers),
        "setup_values": order.setup_values,
        "adds": to_plain(order.adds),
        "collects": to_plain(order.collects),
        "on_mutation": order.on_mutation,
        "listener": listener,
        "modules": order.modules,
        "in_kernel": [given.name for given in order.inputs if given.in_kernel],
        "absent": [given.name for given in order.inputs if given.absent],
        "may_stay": order.after != "end",
        "environment": {n: v for n, v in order.environment.items() if n.startswith("KFNB_")},
    }
    (Path(order.folder) / PLAN).touch(mode=0o600)
    (Path(order.folder) / PLAN).write_text(json.dumps(plan), encoding="utf-8")


def origin(order: StepOrder) -> str:
    """Return a text that is the same whenever the same step executes the same source."""
    notebook = json.loads(Path(order.notebook).read_bytes())
    sources = [c["source"] for c in notebook["cells"] if c["metadata"].get("kfnb")]
    return f"{order.step} {hash_bytes(json.dumps(sources).encode())}"


def is_remote(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether files in ``folder`` are on a network or user-space file system (Linux)."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return False
    best, kind = "", ""
    full = str(folder.resolve())
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        # The system writes a space in the name of a mount point as \040.
        point = fields[1].replace("\\040", " ")
        inside = full == point or full.startswith(point.rstrip("/") + "/")
        # The longest mount point that contains the folder holds it, and a later mount hides an
        # earlier one.
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind.startswith(_REMOTE)


def _files(store: Store, bundle: Bundle, names: list[str], copy_to: Path | None) -> list[str]:
    files = []
    for blob in bundle.blobs:
        if not store.has(blob):
            raise InfrastructureError(
                f"The value of {', '.join(names)} is no longer in the store (blob {blob}). "
                "Execute the step that computes it again (--from)."
            )
        file = store.blob(blob)
        if copy_to is not None:
            copy_to.mkdir(exist_ok=True)
            file = Path(shutil.copyfile(file, copy_to / blob))
        files.append(str(file))
    return files
