"""Content hashes of files on disk, cached as long as size, times and inode of a file are the same.

The hash of a file that was changed less than two seconds before is not cached: another change might
leave size and time as they are.
"""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

from kfnb.errors import InfrastructureError
from kfnb.store.blobs import Store
from kfnb.store.content import hash_bytes, hash_file

_KEY = "cache/stat.json"
_MOST = 20_000
_SETTLED_NS = 2_000_000_000


class FileHashes:
    """Hashes of files by path, size, inode, and times of modification and of change.

    A program may set the time of modification back, but not that of change.

    Parameters
    ----------
    store
        Where hashes are stored between processes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[int | str]] | None = None
        self._changed = False

    def of(self, path: Path) -> str | None:
        """Hash a file, or a folder with everything below it; None if there is neither."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return None
        try:
            if stat.S_ISDIR(status.st_mode):
                return self._folder(path)
            if not stat.S_ISREG(status.st_mode):
                return None
            return self._file(path, status)
        except OSError:
            return None

    def save(self) -> None:
        """Store the hashes for the next process. If the disk refuses, that only costs time."""
        if not self._changed or self._known is None:
            return
        recent = dict(list(self._known.items())[-_MOST:])
        try:
            self._store.put(_KEY, json.dumps(recent).encode(), durable=False)
        except InfrastructureError:
            return
        self._changed = False

    def _file(self, path: Path, status: os.stat_result) -> str:
        known, name = self._load(), str(path)
        seen: list[int | str] = [
            status.st_size,
            status.st_mtime_ns,
            status.st_ino,
            status.st_ctime_ns,
        ]
        entry = known.get(name)
        if entry is not None and entry[:-1] == seen:
            return str(entry[-1])
        now = time.time_ns()
        content = hash_file(path)
        # A file that was just written may change again without a new time, if clocks are coarse.
        if now - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            # Inserted again at the end, so that the oldest entries are dropped first.
            known.pop(name, None)
            known[name] = [*seen, content]
            self._changed = True
        return content

    def _folder(self, path: Path) -> str:
        lines = []
        for folder, folders, files in os.walk(path):
            # os.walk visits folders in the order of this list, and the hash must not depend on the
            # disk.
            folders.sort()
            for name in sorted(files):
                file = Path(folder, name)
                lines.append(f"{file.relative_to(path).as_posix()}\0{self.of(file)}")
        return "tree:" + hash_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))

    def _load(self) -> dict[str, list[int | str]]:
        if self._known is None:
            try:
                self._known = dict(json.loads(self._store.get(_KEY) or b"{}"))
            except (ValueError, TypeError):
                self._known = {}
        return self._known
