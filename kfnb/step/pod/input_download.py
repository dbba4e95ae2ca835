"""Download what a step needs from the store: code, values and files."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

from kfnb.errors import InfrastructureError
from kfnb.step.order import StepOrder
from kfnb.step.pod.retry import Retries
from kfnb.store.remote import Refused, Remote
from kfnb.store.remote_store import RemoteStore

AT_ONCE = 4
"""How many blobs are transferred at once."""


def fetch_code(remote: Remote, key: str, workdir: Path, *, retries: Retries) -> None:
    """Download the bundle of the notebook's folder and extract it into ``workdir``, writable.

    Raises
    ------
    InfrastructureError
        If it is missing or damaged, or holds anything but plain files.
    """
    # Not in the folder itself, where the notebook could see it.
    file = workdir.with_name("code.tar")
    try:
        if not retries(lambda: remote.download(key, file)):
            raise Refused(f"The notebook's modules and files are not in {remote.address} ({key}).")
        # A damaged bundle would execute other code than the person sees.
        if not _is_named_by_content(file, key):
            raise Refused(
                f"The notebook's modules and files in {remote.address} are damaged ({key}). "
                "Remove them there, and start the run again."
            )
        unpack(file, workdir)
    finally:
        file.unlink(missing_ok=True)


def fetch_values(store: RemoteStore, order: StepOrder, *, retries: Retries) -> None:
    """Download the values of the step's inputs, and files that earlier steps wrote."""
    bundles = [given.bundle for given in order.inputs if given.bundle and not given.absent]
    needed = [blob for bundle in bundles for blob in bundle.blobs]
    needed += [file.hash for file in order.restore.values()]
    in_parallel(partial(retries, partial(store.fetch, blob)) for blob in dict.fromkeys(needed))


def drop_replaced(order: StepOrder, workdir: Path) -> None:
    """Remove files of the bundle that earlier steps have rewritten; their versions come instead."""
    for path in order.restore:
        with contextlib.suppress(OSError):
            (workdir / path).unlink()


def in_parallel(actions: Iterable[Callable[[], object]]) -> None:
    """Call several functions at once; raise the first error among them."""
    todo = list(actions)
    if len(todo) < 2:
        for act in todo:
            act()
        return
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kfnb-store")
    futures = [pool.submit(act) for act in todo]
    try:
        for future in futures:
            future.result()
    finally:
        # After a success nothing is left to wait for; after an error there is no time to wait.
        pool.shutdown(wait=False, cancel_futures=True)


def unpack(bundle: Path, folder: Path) -> None:
    """Extract a bundle of plain files.

    Raises
    ------
    InfrastructureError
        If it cannot be read, or holds anything else or a path that leads out of ``folder``.
    """
    try:
        with tarfile.open(bundle, mode="r:") as archive:
            for member in archive:
                _extract(archive, member, folder)
    except OSError as error:
        raise InfrastructureError(f"Cannot read {bundle}: {error.strerror or error}.") from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Refused(f"The bundle of the notebook's folder cannot be read: {error}.") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    # Not sparse files either: a few bytes in the archive could fill the disk.
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
    if path.is_absolute() or not path.parts or ".." in path.parts or not plain:
        raise Refused(
            f"The bundle of the notebook's folder contains {member.name!r}, which is not a "
            "regular file inside the folder."
        )
    target = folder.joinpath(*path.parts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source = archive.extractfile(member)
        assert source is not None
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
        target.chmod(0o700 if member.mode & 0o100 else 0o600)
    except OSError as error:
        raise InfrastructureError(f"Cannot write {target}: {error.strerror or error}.") from error


def _is_named_by_content(file: Path, key: str) -> bool:
    """Whether the file's SHA-256 is the one in its key; true if the key has none."""
    name = PurePosixPath(key).stem
    if len(name) < 32 or set(name) - set("0123456789abcdef"):
        return True
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while piece := data.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest().startswith(name)
