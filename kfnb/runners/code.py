"""What a step needs of the notebook's folder where that is not there: modules and files, as one."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kfnb.engine.modules import LocalModules
from kfnb.engine.orders import resolve_path
from kfnb.errors import UsageError
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.store.content import hash_bytes

LARGEST = 256 << 20
"""Bytes that a bundle may have; more belongs into a store or on a volume."""

OUTSIDE = "KFNB-W701"
_SKIPPED = {"__pycache__", ".ipynb_checkpoints"}


@dataclass(frozen=True, slots=True)
class CodeBundle:
    """Files of the notebook's folder as a tar archive, the same for the same content.

    ``files`` are their paths in the folder; ``findings`` say what will not be there.
    """

    hash: str
    data: bytes
    files: tuple[str, ...]
    findings: tuple[Diagnostic, ...] = ()


def bundle(
    pipeline: Pipeline, parameters: Mapping[str, Any], *, files: tuple[str, ...] = ()
) -> CodeBundle:
    """Gather the local modules that the notebook imports and the files that it reads.

    Parameters
    ----------
    parameters
        Overridden values: paths may be made of them.
    files
        Further paths or patterns (``data/*.csv``), relative to the notebook's folder.

    Raises
    ------
    UsageError
        If a path in ``files`` matches nothing, or it all is too large.
    """
    folder = Path(pipeline.path).parent if pipeline.path else None
    if folder is None:
        return _packed({}, ())
    found: dict[str, Path] = {}
    modules = LocalModules(folder)
    for step in pipeline.steps.values():
        for path in modules.files(step.modules):
            found[path.relative_to(folder).as_posix()] = path
    findings: dict[str, Diagnostic] = {}
    for step in pipeline.steps.values():
        for use in (*step.reads, *step.lists):
            said = resolve_path(pipeline, use, parameters)
            if said and _is_outside(said):
                findings.setdefault(said, _outside(step.name, said, use.cell, use.line))
            elif said:
                found.update(_below(folder, said))
        for use in step.writes:
            said = resolve_path(pipeline, use, parameters)
            if said and _is_outside(said):
                findings.setdefault(said, _outside(step.name, said, use.cell, use.line))
    for pattern in files:
        matched = {} if _is_outside(pattern) else _matching(folder, pattern)
        if not matched:
            raise UsageError(
                f"files: {pattern!r} matches nothing in {folder}. Name what the steps read, "
                "relative to the notebook's folder."
            )
        found.update(matched)
    return _packed(found, tuple(findings.values()))


def _below(folder: Path, said: str) -> dict[str, Path]:
    """Return what stands at a path: the file, or all files of the folder or pattern."""
    if any(c in said for c in "*?["):
        return _matching(folder, said)
    path = folder / said
    if path.is_dir():
        return _matching(folder, said.rstrip("/") + "/**/*")
    return {PurePosixPath(said).as_posix(): path} if path.is_file() else {}


def _matching(folder: Path, pattern: str) -> dict[str, Path]:
    found = {}
    for path in folder.glob(pattern.rstrip("/")):
        inside = path.rglob("*") if path.is_dir() else (path,)
        for file in inside:
            if file.is_file() and not _SKIPPED & set(file.parts):
                found[file.relative_to(folder).as_posix()] = file
    return found


def _packed(found: Mapping[str, Path], findings: tuple[Diagnostic, ...]) -> CodeBundle:
    total = sum(path.stat().st_size for path in found.values())
    if total > LARGEST:
        most = max(found, key=lambda name: found[name].stat().st_size)
        raise UsageError(
            f"The files that the notebook reads have {total >> 20} MB, more than "
            f"{LARGEST >> 20} MB (most of it: {most}). Put them into the store or on a volume, and "
            "read them from there."
        )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(found):
            data = found[name].read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if os.access(found[name], os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(data))
    data = buffer.getvalue()
    return CodeBundle(hash_bytes(data), data if found else b"", tuple(sorted(found)), findings)


def _is_outside(said: str) -> bool:
    path = PurePosixPath(said.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or said.startswith("~")


def _outside(step: str, said: str, cell: int, line: int) -> Diagnostic:
    return Diagnostic(
        code=OUTSIDE,
        severity="warning",
        message=f'step "{step}" uses {said!r}, which is not in the notebook\'s folder and will not '
        "be there on the cluster",
        remedy="Put it into the notebook's folder, or mount a volume that has it.",
        step=step,
        cell=cell,
        line=line,
    )
