"""What a step would find of files and folders if it began now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kfnb.step.in_kernel.audit import ignored
from kfnb.step.own_stdout import is_own_output
from kfnb.store.content import names_below, names_content, own_names
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import Manifest

PRESENT = "present"
"""The recorded content of a file of which a step only knows that it was there."""


def file_content(
    path: str, *, workdir: Path, upstream: Mapping[str, Manifest], hashes: FileHashes
) -> str | None:
    """Hash a file that a step reads; what a step of this run wrote counts by what it wrote."""
    # The file on the disk may be older: a cached step does not write, it is restored later.
    written: str | None = None
    for manifest in upstream.values():
        if path in manifest.files_written:
            written = manifest.files_written[path].hash
    return written or hashes.of(workdir / path)


def is_there(path: str, *, workdir: Path, upstream: Mapping[str, Manifest]) -> bool:
    """Return whether a step would find a file or folder, also one that is restored for it."""
    if (workdir / path).exists():
        return True
    return any(
        file == path or file.startswith(f"{path}/")
        for manifest in upstream.values()
        for file in manifest.files_written
    )


def folder_content(
    path: str, recorded: str | None, *, workdir: Path, upstream: Mapping[str, Manifest]
) -> str:
    """Say what listing a folder shows now, as :func:`~kfnb.store.content.names_content`.

    ``recorded`` is what it was when the step ran; files that earlier steps of this run
    wrote count as there, because they are put back before the step runs.
    """
    try:
        # kfnb's own files in the notebook's folder come and go, whatever the step does.
        entries = os.scandir(workdir / path)
        names = {entry.name for entry in entries if not is_own_output(entry)}
    except OSError:
        names = set()
    for manifest in upstream.values():
        names |= names_below(path, manifest.files_written)
    return names_content(
        (name for name in names if not ignored([name])), own=own_names(recorded or "")
    )
