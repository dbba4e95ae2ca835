"""Bundles the modules and files that steps need where the notebook's folder does not exist."""

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
from kfnb.notebook.diagnostics import located
from kfnb.notebook.effects.files import file_uses
from kfnb.notebook.transform import transform
from kfnb.pipeline import Diagnostic, FileUse, Pipeline
from kfnb.store.content import hash_bytes

FILE = "code.tar"
"""The bundle's name in a run's folder."""

LARGEST = 256 << 20
"""Bytes that a bundle may have; larger files have to be in a store or on a volume."""

OUTSIDE = "KFNB-W701"
MISSING = "KFNB-W704"
_SKIPPED = {"__pycache__", ".ipynb_checkpoints"}
_EVERYWHERE = ("/dev/", "/proc/", "/sys/", "/kfnb/")
_TEMPORARY = "/tmp/"  # noqa: S108
"""The folder of temporary files, which a step does not share with other steps."""
_PACKAGE_DATA = 1 << 20
"""Bytes that a data file of a package may have to be bundled with its modules."""


@dataclass(frozen=True, slots=True)
class CodeBundle:
    """Files of the notebook's folder as a tar archive, the same for the same content.

    ``files`` are their paths in the folder; ``findings`` list what the steps will miss.
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
        Overridden values, which paths may contain.
    files
        Further paths or patterns (``data/*.csv``), relative to the notebook's folder.

    Raises
    ------
    UsageError
        If a path in ``files`` matches nothing, or the bundle is too large.
    """
    folder = Path(pipeline.path).parent if pipeline.path else None
    if folder is None:
        return _packed({}, ())
    files_found = _modules(pipeline, folder)
    findings: dict[str, Diagnostic] = {}
    made: set[str] = set()
    passing: set[tuple[str, str]] = set()
    for name, use in _uses(pipeline):
        path = resolve_path(pipeline, use, parameters)
        # A container has its own system folders, and volumes have their own content.
        if not path or path.startswith(_EVERYWHERE) or _is_mounted(pipeline, path):
            continue
        if path.startswith(_TEMPORARY):
            if use.mode == "write":
                # A step that writes a temporary file itself finds it in its pod.
                passing.add((name, path))
            if (name, path) in passing:
                continue
        if _is_outside(path):
            findings.setdefault(path, _outside(name, path, use))
        elif use.mode == "write":
            made.add(path)
        # The file exists now, even if an earlier step will also write it.
        elif there := _below(folder, path):
            files_found.update(there)
        elif use.mode == "read" and not _is_made(path, made):
            findings.setdefault(path, _missing(name, path, use))
    for step in pipeline.steps.values():
        for file in install_files(pipeline, step, folder):
            files_found[file.relative_to(folder).as_posix()] = file
    for pattern in files:
        matched = {} if _is_outside(pattern) else _matching(folder, pattern)
        if not matched:
            raise UsageError(
                f"The option files names {pattern!r}, which matches no file in {folder}. Give "
                "paths relative to the notebook's folder."
            )
        files_found.update(matched)
    return _packed(files_found, tuple(located(findings.values(), pipeline.cells)))


def _modules(pipeline: Pipeline, folder: Path) -> dict[str, Path]:
    """Return the modules that steps import, and the small files of their packages."""
    modules = LocalModules(folder)
    files: dict[str, Path] = {}
    packages = set()
    for step in pipeline.steps.values():
        for path in modules.files(step.modules):
            inside = path.relative_to(folder)
            files[inside.as_posix()] = path
            if len(inside.parts) > 1:
                packages.add(inside.parts[0])
    for package in sorted(packages):
        for name, path in _matching(folder, package).items():
            # Packages often contain small data files; a large one would make every bundle large.
            if path.stat().st_size <= _PACKAGE_DATA:
                files.setdefault(name, path)
    return files


def _uses(pipeline: Pipeline) -> Iterator[tuple[str, FileUse]]:
    """Yield the files that setup and steps use, in their order; those of setup once."""
    constants = {p.name: p.default for p in pipeline.parameters}
    seen: set[int] = set()
    codes: dict[int, str] = {}
    for step in sorted(pipeline.steps.values(), key=lambda step: step.order):
        # Later cells may build their paths from constants of these.
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
        # A line that reads a file and writes it reads it first.
        for use in sorted(of_step, key=lambda use: (use.cell, use.line, use.mode == "write")):
            yield step.name, use


def _below(folder: Path, pattern: str) -> dict[str, Path]:
    """Return the file at a path, or all files of a folder or pattern."""
    if pattern == ".":  # a list of the notebook's folder needs its files, not its subfolders
        return {
            path.name: path
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".")
        }
    if any(c in pattern for c in "*?["):
        return _matching(folder, pattern)
    path = folder / pattern
    if path.is_dir():
        return _matching(folder, pattern)
    return {PurePosixPath(pattern).as_posix(): path} if path.is_file() else {}


def _matching(folder: Path, pattern: str) -> dict[str, Path]:
    files = {}
    for path in folder.glob(pattern.rstrip("/")):
        inside = path.rglob("*") if path.is_dir() else (path,)
        for file in inside:
            name = file.relative_to(folder)
            if file.is_file() and not _SKIPPED & set(name.parts):
                files[name.as_posix()] = file
    return files


def _packed(files: Mapping[str, Path], findings: tuple[Diagnostic, ...]) -> CodeBundle:
    total = sum(path.stat().st_size for path in files.values())
    if total > LARGEST:
        most = max(files, key=lambda name: files[name].stat().st_size)
        raise UsageError(
            f"The files that the notebook reads have {total >> 20} MB, which is more than "
            f"{LARGEST >> 20} MB (the largest: {most}). Put them in an object store or on a "
            "volume, and read them from there."
        )
    buffer = io.BytesIO()
    # This format does not limit the length of names.
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            data = files[name].read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            # No times and no owners, so that the same content always gives the same bytes.
            entry.mode = 0o755 if os.access(files[name], os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(data))
    data = buffer.getvalue()
    return CodeBundle(hash_bytes(data), data if files else b"", tuple(sorted(files)), findings)


def _is_outside(name: str) -> bool:
    # The notebook may have been written on Windows.
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or name.startswith("~")


def _is_mounted(pipeline: Pipeline, name: str) -> bool:
    path = PurePosixPath(name)
    return any(path.is_relative_to(volume.mount) for volume in pipeline.volumes if volume.mount)


def _is_made(name: str, made: set[str]) -> bool:
    """Return whether an earlier cell writes a file, or something below a folder."""
    return name in made or any(path.startswith(name.rstrip("/") + "/") for path in made)


def _outside(step: str, name: str, use: FileUse) -> Diagnostic:
    return Diagnostic(
        code=OUTSIDE,
        severity="warning",
        message=f'step "{step}" uses {name!r}, which is not in the notebook\'s folder and will not '
        "be there on the cluster",
        remedy="Move it to the notebook's folder, or mount a volume that contains it.",
        step=step,
        cell=use.cell,
        line=use.line,
    )


def _missing(step: str, name: str, use: FileUse) -> Diagnostic:
    return Diagnostic(
        code=MISSING,
        severity="warning",
        message=f'step "{step}" reads {name!r}, which does not exist in the notebook\'s folder, '
        "and no earlier cell seems to write it",
        remedy="Put it there before the run, or write it in an earlier step.",
        step=step,
        cell=use.cell,
        line=use.line,
    )
