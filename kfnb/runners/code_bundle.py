"""What a step needs of the notebook's folder where that is not there: modules and files, as one."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kfnb.engine.cache.local_modules import LocalModules
from kfnb.engine.cache.pip_installs import install_files
from kfnb.engine.dispatch.step_orders import resolve_path
from kfnb.errors import UsageError
from kfnb.notebook.effects.files import file_uses
from kfnb.notebook.transform import transform
from kfnb.pipeline import Diagnostic, FileUse, Pipeline
from kfnb.store.content import hash_bytes

LARGEST = 256 << 20
"""Bytes that a bundle may have; more belongs into a store or on a volume."""

OUTSIDE = "KFNB-W701"
MISSING = "KFNB-W704"
_SKIPPED = {"__pycache__", ".ipynb_checkpoints"}
_EVERYWHERE = ("/dev/", "/proc/", "/sys/", "/kfnb/")
_TEMPORARY = "/tmp/"  # noqa: S108
"""What a step writes there it may read there, and no other step."""
_PACKAGE_DATA = 1 << 20
"""Bytes that a file beside a package's modules may have to travel with them unasked."""


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
    found = _modules(pipeline, folder)
    findings: dict[str, Diagnostic] = {}
    made: set[str] = set()
    passing: set[tuple[str, str]] = set()
    for name, use in _uses(pipeline):
        said = resolve_path(pipeline, use, parameters)
        if not said or said.startswith(_EVERYWHERE) or _is_mounted(pipeline, said):
            continue
        if said.startswith(_TEMPORARY):
            if use.mode == "write":
                passing.add((name, said))
            if (name, said) in passing:
                continue
        if _is_outside(said):
            findings.setdefault(said, _outside(name, said, use))
        elif use.mode == "write":
            made.add(said)
        elif there := _below(folder, said):
            found.update(there)
        elif use.mode == "read" and not _is_made(said, made):
            findings.setdefault(said, _missing(name, said, use))
    for step in pipeline.steps.values():
        for path in install_files(pipeline, step, folder):
            found[path.relative_to(folder).as_posix()] = path
    for pattern in files:
        matched = {} if _is_outside(pattern) else _matching(folder, pattern)
        if not matched:
            raise UsageError(
                f"files: {pattern!r} matches nothing in {folder}. Name what the steps read, "
                "relative to the notebook's folder."
            )
        found.update(matched)
    return _packed(found, tuple(findings.values()))


def _modules(pipeline: Pipeline, folder: Path) -> dict[str, Path]:
    """Return the modules that steps import, and what small files lie in their packages."""
    modules = LocalModules(folder)
    found: dict[str, Path] = {}
    packages = set()
    for step in pipeline.steps.values():
        for path in modules.files(step.modules):
            inside = path.relative_to(folder)
            found[inside.as_posix()] = path
            if len(inside.parts) > 1:
                packages.add(inside.parts[0])
    for package in sorted(packages):
        for name, path in _matching(folder, package).items():
            if path.stat().st_size <= _PACKAGE_DATA:
                found.setdefault(name, path)
    return found


def _uses(pipeline: Pipeline) -> Iterator[tuple[str, FileUse]]:
    """Yield the files that setup and steps name, in their order; those of setup once."""
    constants = {p.name: p.default for p in pipeline.parameters}
    seen: set[int] = set()
    codes: dict[int, str] = {}
    for step in sorted(pipeline.steps.values(), key=lambda step: step.order):
        before: list[str] = []
        for piece in step.prelude:
            if piece.role != "parameters":
                code = codes.get(piece.cell)
                if code is None:
                    code = codes[piece.cell] = transform(pipeline.cells[piece.cell].source)
                if piece.cell not in seen:
                    for use in file_uses(piece.cell, code, constants=constants, context=before):
                        yield step.name, use
                seen.add(piece.cell)
                before.append(code)
        of_step = [*step.reads, *step.lists, *step.writes]
        for use in sorted(of_step, key=lambda use: (use.cell, use.line, use.mode == "write")):
            yield step.name, use


def _below(folder: Path, said: str) -> dict[str, Path]:
    """Return what stands at a path: the file, or all files of the folder or pattern."""
    if said == ".":  # who lists the notebook's folder does not mean all that is below it
        return {
            path.name: path
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".")
        }
    if any(c in said for c in "*?["):
        return _matching(folder, said)
    path = folder / said
    if path.is_dir():
        return _matching(folder, said)
    return {PurePosixPath(said).as_posix(): path} if path.is_file() else {}


def _matching(folder: Path, pattern: str) -> dict[str, Path]:
    found = {}
    for path in folder.glob(pattern.rstrip("/")):
        inside = path.rglob("*") if path.is_dir() else (path,)
        for file in inside:
            name = file.relative_to(folder)
            if file.is_file() and not _SKIPPED & set(name.parts):
                found[name.as_posix()] = file
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


def _is_mounted(pipeline: Pipeline, said: str) -> bool:
    path = PurePosixPath(said)
    return any(path.is_relative_to(volume.mount) for volume in pipeline.volumes if volume.mount)


def _is_made(said: str, made: set[str]) -> bool:
    """Whether an earlier cell writes what is at a path: the file, or something below it."""
    return said in made or any(path.startswith(said.rstrip("/") + "/") for path in made)


def _outside(step: str, said: str, use: FileUse) -> Diagnostic:
    return Diagnostic(
        code=OUTSIDE,
        severity="warning",
        message=f'step "{step}" uses {said!r}, which is not in the notebook\'s folder and will not '
        "be there on the cluster",
        remedy="Put it into the notebook's folder, or mount a volume that has it.",
        step=step,
        cell=use.cell,
        line=use.line,
    )


def _missing(step: str, said: str, use: FileUse) -> Diagnostic:
    return Diagnostic(
        code=MISSING,
        severity="warning",
        message=f'step "{step}" reads {said!r}, which is not in the notebook\'s folder and '
        "which no earlier cell writes, as far as the source shows",
        remedy="Put it there before the run, or let an earlier step write it.",
        step=step,
        cell=use.cell,
        line=use.line,
    )
