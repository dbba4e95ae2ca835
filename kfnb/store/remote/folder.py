"""A store in a folder, such as a mounted volume."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from kfnb.errors import InfrastructureError
from kfnb.store import disk
from kfnb.store.remote.base import ObjectInfo, check_key

_TEMPORARY = ".part-"
_PIECE = 1 << 20


class FolderRemote:
    """Keys are paths below a folder. Several pods may write to it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.root)

    def get(self, key: str) -> bytes | None:
        """Return a record, or None."""
        path = self._path(key)
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    def put(self, key: str, data: bytes) -> None:
        """Write a record, replacing it."""
        path = self._path(key)
        with disk.writing(path):
            self.receive(key, [data])  # Through a temporary file that no listing shows.

    def create(self, key: str, data: bytes) -> bool:
        """Create a record if it is absent."""
        path = self._path(key)
        with disk.writing(path):
            _shared_folders(path.parent)
            temporary = _beside(path)
            disk.write_new(temporary, data)
            try:
                _share(temporary, 0o660)
                # A hard link fails if the name exists; a rename would replace the record of another
                # pod.
                os.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            disk.sync_folder(path.parent)
            return True

    def upload(self, key: str, file: Path) -> None:
        """Copy a file in."""
        with disk.writing(self._path(key)), file.open("rb") as opened:
            self.receive(key, iter(lambda: opened.read(_PIECE), b""))

    def receive(self, key: str, pieces: Iterable[bytes]) -> None:
        """Write a record from pieces; if they raise, nothing is left of it."""
        path = self._path(key)
        with disk.writing(path):
            _shared_folders(path.parent)
            temporary = _beside(path)
            try:
                with open(temporary, "xb", opener=disk.private_opener) as opened:
                    opened.writelines(pieces)
                _share(temporary, 0o660)
                disk.sync_file(temporary)
                temporary.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
            disk.sync_folder(path.parent)

    def open(self, key: str) -> BinaryIO | None:
        """Open a record for reading, or None."""
        path = self._path(key)
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    def download(self, key: str, file: Path) -> bool:
        """Copy a file out."""
        path = self._path(key)
        if not path.is_file():
            return False
        with disk.writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = _beside(file)
            try:
                disk.copy_content(path, temporary)
                temporary.replace(file)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        return True

    def size(self, key: str) -> int | None:
        """Return the size in bytes, None if there is no such key."""
        path = self._path(key)
        try:
            status = path.stat()
            return None if stat.S_ISDIR(status.st_mode) else status.st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    def list(self, prefix: str) -> list[str]:
        """List the keys that begin with ``prefix``, sorted."""
        # A prefix may end in the middle of a name.
        top = self.root / prefix.rpartition("/")[0]
        keys = []
        for folder, _, names in os.walk(top):
            below = Path(folder).relative_to(self.root).as_posix()
            for name in names:
                key = name if below == "." else f"{below}/{name}"
                # An upload in progress, or one whose pod was killed, is no record.
                if key.startswith(prefix) and not name.startswith(_TEMPORARY):
                    keys.append(key)
        return sorted(keys)

    def list_objects(self, prefix: str) -> dict[str, ObjectInfo]:
        """List the keys that begin with ``prefix``, each with its size and age."""
        objects = {}
        for key in self.list(prefix):
            # Other pods may remove a record between the listing and this look at it.
            with contextlib.suppress(FileNotFoundError):
                status = (self.root / key).stat()
                objects[key] = ObjectInfo(status.st_size, status.st_mtime)
        return objects

    def delete(self, key: str) -> None:
        """Remove a key if it is there."""
        path = self._path(key)
        with disk.writing(path), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def delete_all(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``, and folders that are empty then."""
        for key in self.list(prefix):
            self.delete(key)
        top = self.root / prefix
        if prefix.endswith("/") and top.is_dir():
            shutil.rmtree(top, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*check_key(key).split("/"))


def _beside(path: Path) -> Path:
    return path.with_name(f"{_TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}")


def _unreadable(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(f"Cannot read {path}: {error.strerror or error}.")


def _shared_folders(path: Path) -> None:
    """Create a folder, and what is missing above it, for the group that a volume's pods share."""
    for folder in disk.missing_folders(path):
        folder.mkdir(mode=0o770, exist_ok=True)
        # What is created below it gets its group.
        _share(folder, 0o2770)


def _share(path: Path, mode: int) -> None:
    # Some volumes have fixed rights, which are then those that somebody chose for them.
    with contextlib.suppress(OSError):
        path.chmod(mode)
