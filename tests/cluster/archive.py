"""Image archives without a container engine: layers are tars, an image is a tar of them.

The form is docker-archive, which ``ctr``, ``crane``, ``docker load``, ``kind load`` and
``minikube image load`` read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import ARCHITECTURE

CREATED = "2026-01-01T00:00:00Z"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """A packed layer; its digest is kept beside it, so that nobody reads it again to know."""

    path: Path

    @property
    def digest(self) -> str:
        return self.path.with_suffix(".sha256").read_text("ascii")

    @property
    def complete(self) -> bool:
        return self.path.with_suffix(".sha256").exists()


def pack(folder: Path, layer: Layer) -> None:
    """Pack a folder; the same content gives the same bytes."""
    with tarfile.open(layer.path, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)
    digest = hashlib.sha256()
    with layer.path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    _write(layer.path.with_suffix(".sha256"), digest.hexdigest())


def assemble(
    target: Path,
    *,
    name: str,
    layers: Sequence[Layer],
    command: Sequence[str] = (),
    environment: Sequence[str] = (),
    user: str = "",
) -> None:
    """Write an image of layers, the lowest first."""
    config = json.dumps(
        {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "created": CREATED,
            "config": {
                "Env": [PATH, *environment],
                "WorkingDir": "/",
                "User": user,
                "Cmd": list(command),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one.digest}" for one in layers]},
            "history": [{"created": CREATED, "created_by": "tests/cluster"} for _ in layers],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    files = [f"{one.digest}/layer.tar" for one in layers]
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": files}]).encode()
    unfinished = target.with_suffix(f".{os.getpid()}")
    with tarfile.open(unfinished, "w") as tar:
        for inside, body in ((config_name, config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(inside)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
        for layer, inside in zip(layers, files, strict=True):
            tar.add(layer.path, inside, filter=_anonymous)
    unfinished.replace(target)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _write(path: Path, text: str) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text, "ascii")
    unfinished.replace(path)
