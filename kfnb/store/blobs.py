"""The store: values under their content hash, and small records that are created once.

Published records only refer to durable data: a blob is synced before its name is returned, and a
record is complete before others can see it. If two processes create the same record, both try to
make a hard link, and the file system lets only one succeed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kfnb.errors import InfrastructureError
from kfnb.home import store_folder
from kfnb.store import disk, locks
from kfnb.store.content import hash_bytes, hash_file, size_of

_HASH = re.compile(r"[0-9a-f]{32}-[0-9a-f]+")
_FOLDERS = ("blobs", "manifests", "failed", "cache", "staging")


@dataclass(frozen=True, slots=True)
class Store:
    """A content-addressed store in a folder; made by :func:`open_store`.

    Every method that writes raises :class:`~kfnb.errors.InfrastructureError`, with
    a sentence, when the disk refuses.
    """

    root: Path

    def staging(self) -> Path:
        """Make a new empty folder on the store's file system, for files on their way in.

        The caller removes it; ``kfnb clean`` removes folders that are older than a day.
        """
        path = self.root / "staging" / f"{os.getpid()}-{os.urandom(8).hex()}"
        # On the store's own file system, so that a finished file can be renamed into place.
        with disk.writing(path):
            disk.private_folders(path)
        return path

    def blob(self, name: str) -> Path:
        """Return the path of the blob ``name``, whether or not it exists."""
        # Names come from records, which a person may have edited: they must not lead out of the
        # store.
        if not _HASH.fullmatch(name):
            raise ValueError(f"not a blob's name: {name!r}")
        return self.root / "blobs" / name[:2] / name

    def has(self, name: str) -> bool:
        """Whether the blob exists and has the size that its name contains."""
        try:
            # Comparing sizes costs no read, and detects a blob that a crash or a full disk cut off.
            return self.blob(name).stat().st_size == size_of(name)
        except OSError:
            return False

    def fetch(self, name: str) -> Path:
        """Return a local file with the blob ``name``; the file is missing if the blob is."""
        return self.blob(name)

    def touch(self, key: str) -> None:
        """Set the time of last use of the record ``key`` to now."""
        with contextlib.suppress(OSError):
            os.utime(self._record(key))

    def add_blob(self, file: Path, *, move: bool = True) -> str:
        """Move ``file`` (or copy it, with ``move=False``) into the store; the content's name.

        The file is durable when this returns. Blobs are read-only.
        """
        with disk.writing(self.root):
            # A file on another file system cannot be renamed.
            if not move or file.stat().st_dev != (self.root / "blobs").stat().st_dev:
                copied = self._copy(file)
                name = self._take(copied)
                if move:
                    file.unlink()
                return name
            return self._take(file)

    def add_bytes(self, data: bytes) -> str:
        """Add ``data`` as a blob; the content's name."""
        name = hash_bytes(data)
        with disk.writing(self.root):
            # The same content is stored once.
            if self.keep(name):
                return name
            temporary = self._temporary()
            disk.write_new(temporary, data)
            self._into_place(temporary, name)
        return name

    def create(self, key: str, data: bytes) -> bool:
        """Create the record ``key`` if it does not exist: durable, and complete or not at all.

        Returns
        -------
        bool
            False if it existed already; it is not changed then.
        """
        path = self._record(key)
        with disk.writing(path):
            temporary = self._temporary()
            disk.write_new(temporary, data)
            try:
                disk.private_folders(path.parent)
                # A hard link fails if the name exists; a rename would replace the other process's
                # record.
                return _link_new(temporary, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()

    def link(self, key: str, new: str) -> bool:
        """Give the record ``key`` a second name; False if it does not exist or the name is taken.

        The content is as durable as it was; :meth:`sync` makes the name durable.
        """
        path = self._record(new)
        with disk.writing(path):
            disk.private_folders(path.parent)
            try:
                # A second link: the content exists once, and stays until both names are removed.
                return _link_new(self._record(key), path, durable=False)
            except FileNotFoundError:
                return False

    def sync(self, prefix: str) -> None:
        """Make the names of the records directly below ``prefix`` durable."""
        path = self._record(prefix)
        with disk.writing(path):
            disk.sync_folder(path)

    def keep(self, name: str) -> bool:
        """Whether the blob exists; if so, mark it as used now, so that no sweep removes it."""
        if not self.has(name):
            return False
        # Many processes may mark blobs at once, but none while a sweep decides what is unused.
        with disk.writing(self.root), locks.held(self.sweep_lock, shared=True):
            try:
                os.utime(self.blob(name))
            except FileNotFoundError:
                return False
            return self.has(name)

    @property
    def sweep_lock(self) -> Path:
        """A lock: shared while a blob is marked as used, exclusive during a sweep."""
        return self.root / "sweep.lock"

    def get(self, key: str) -> bytes | None:
        """Return the record ``key``, or None."""
        try:
            return self._record(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InfrastructureError(
                f"Cannot read {self._record(key)}: {error.strerror or error}."
            ) from error

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write the record ``key``, replacing it atomically."""
        path = self._record(key)
        with disk.writing(path):
            disk.private_folders(path.parent)
            temporary = self._temporary()
            disk.write_new(temporary, data, durable=durable)
            temporary.replace(path)
            if durable:
                disk.sync_folder(path.parent)

    def list(self, prefix: str) -> list[str]:
        """Return the keys of all records below the folder ``prefix``, sorted."""
        top = self._record(prefix)
        return sorted(p.relative_to(self.root).as_posix() for p in _files(top))

    def delete(self, key: str) -> None:
        """Remove the record ``key`` if it exists."""
        path = self._record(key)
        with disk.writing(path), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def _record(self, key: str) -> Path:
        # Keys contain names of steps, which the author of a notebook chooses.
        parts = key.split("/")
        if not key or any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts):
            raise ValueError(f"not a key of the store: {key!r}")
        return self.root.joinpath(*parts)

    def _temporary(self) -> Path:
        return self.root / "staging" / f"{os.getpid()}-{os.urandom(8).hex()}.tmp"

    def _copy(self, file: Path) -> Path:
        temporary = self._temporary()
        try:
            disk.copy_content(file, temporary)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return temporary

    def _take(self, file: Path) -> str:
        name = hash_file(file)
        if self.keep(name):
            file.unlink()
            return name
        # Its content must be on the disk before its name is, or a power cut could leave an empty
        # blob.
        disk.sync_file(file)
        self._into_place(file, name)
        return name

    def _into_place(self, file: Path, name: str) -> None:
        target = self.blob(name)
        file.chmod(0o400)
        # The time says when it was last used; a moved file has the time of its writing.
        os.utime(file)
        try:
            file.replace(target)
        except FileNotFoundError:
            # The folders below blobs/ are created when they are first needed.
            disk.private_folders(target.parent)
            disk.sync_folder(target.parent.parent)
            file.replace(target)
        disk.sync_folder(target.parent)


def open_store(root: Path) -> Store:
    """Open the store in the folder ``root``; create it if it does not exist.

    A file system on which a file can be created twice is refused: two attempts at one step could
    both believe that they were first. So is one on which a file can be locked twice: two drivers
    could execute one run.

    Raises
    ------
    InfrastructureError
        If the folder cannot be written, or two creations or locks of one file both succeed.
    """
    store = Store(root)
    with disk.writing(root):
        if root == store_folder():
            disk.private_folder(root.parent)
        for folder in _FOLDERS:
            disk.private_folders(root / folder)
        # Some network file systems accept a second link to an existing name, so try it.
        probe = root / "staging" / f"{os.getpid()}-{os.urandom(8).hex()}.probe"
        target = probe.with_suffix(".probed")
        try:
            disk.write_new(probe, b"probe", durable=False)
            honoured = _link_new(probe, target, durable=False)
            honoured = honoured and not _link_new(probe, target, durable=False)
            locked = locks.are_honoured(probe)
        finally:
            for path in (probe, target):
                with contextlib.suppress(OSError):
                    path.unlink()
    if not honoured:
        raise InfrastructureError(
            f"{root} is on a file system that allows two processes to create the same file, so "
            "results could be published twice. Set KFNB_HOME to a folder on a local disk."
        )
    if not locked:
        raise InfrastructureError(
            f"{root} is on a file system that gives one lock to two processes, so two drivers "
            "could execute one run. Set KFNB_HOME to a folder on a local disk."
        )
    return store


def _link_new(temporary: Path, path: Path, *, durable: bool = True) -> bool:
    """Give the complete file ``temporary`` the name ``path``, unless that exists."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        # What FAT, exFAT and some network file systems answer.
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise InfrastructureError(
                f"{path.parent} is on a file system without hard links, which kfnb needs to "
                "publish results exactly once. Set KFNB_HOME to a folder on a local disk."
            ) from error
        raise
    if durable:
        disk.sync_folder(path.parent)
    return True


def _files(folder: Path) -> Iterator[Path]:
    try:
        # Read at once: another process may remove files meanwhile.
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)
