"""``python -m kfnb.step.pod``: what the container of a step executes.

It brings what the step needs from the store, executes the step as on any machine in a
process of its own, and takes what the step leaves to the store. Told by the environment:
``KFNB_STORE``, ``KFNB_STORE_ENDPOINT``; ``KFNB_ORDER``, the key of the step's order;
``KFNB_CODE``, the key of the notebook folder's bundle, empty for none; ``KFNB_POD_UID``.
Exit codes are those of :mod:`kfnb.step`.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.step.failures import EXIT_CODES
from kfnb.step.order import StepOrder
from kfnb.step.shipping import Shipper
from kfnb.store import Failure, Manifest, Store, failed_key, manifest_key
from kfnb.store.mirrored import MirroredStore, open_mirrored
from kfnb.store.remote import Remote, StoreAddress, open_remote

T = TypeVar("T")

GRACE = 25.0
"""Seconds that the step has to save its notebook when the pod is asked to end."""

_UNREACHABLE = 60.0


def main() -> int:
    """Execute the step that the environment names; the exit code."""
    try:
        where = StoreAddress.from_environment()
        key = os.environ.get("KFNB_ORDER", "")
        if where is None or not key:
            raise UsageError(
                "KFNB_STORE and KFNB_ORDER say which step to execute; they are not set."
            )
        remote = open_remote(where, probe=False)
        return Pod(remote, key).execute()
    except (KfnbError, OSError) as error:
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        return EXIT_CODES["infrastructure"]


class Pod:
    """One execution of an attempt in a container."""

    def __init__(self, remote: Remote, key: str) -> None:
        self._remote = remote
        self._prefix = key.rpartition("/")[0] + "/"
        data = _patiently(lambda: remote.get(key))
        if data is None:
            raise InfrastructureError(f"The step's order {key} is not in {remote.address}.")
        self.order = StepOrder.from_json(data)
        self._folder = Path(self.order.folder)
        self._manifest = manifest_key(self.order.run, self.order.step_id, index=self.order.index)
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_to_end = False

    def execute(self) -> int:
        """Bring, execute, take away."""
        if self._remote.get(self._manifest) is not None:
            print("kfnb: this step has been published already; nothing to do", flush=True)
            return 0
        environment = make_home(Path(self.order.workdir).parent)
        store = open_mirrored(Path(self.order.store), self._remote)
        self._bring(store)
        uid = os.environ.get("KFNB_POD_UID") or f"{os.getpid()}-{time.time_ns():x}"
        shipper = Shipper(self._folder, self._remote, prefix=self._prefix, pod=uid)
        with self._ends_with_pod():
            shipper.start()
            code = self._run(environment)
        shipper.finish()
        return self._take_away(store, shipper, code)

    def _bring(self, store: MirroredStore) -> None:
        """Have the order, the notebook, the code, values and files in this container."""
        order = self.order
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "order.json").write_bytes(order.to_json())
        if not _patiently(
            lambda: self._remote.download(self._prefix + "step.ipynb", Path(order.notebook))
        ):
            raise InfrastructureError(f"The step's notebook is not in {self._remote.address}.")
        workdir = Path(order.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        if bundle := os.environ.get("KFNB_CODE"):
            data = _patiently(lambda: self._remote.get(bundle))
            if data is None:
                raise InfrastructureError(
                    f"The notebook's modules and files are not in {self._remote.address}."
                )
            unpack(data, workdir)
        needed = [
            blob for i in order.inputs if i.bundle and not i.absent for blob in i.bundle.blobs
        ]
        needed += [file.hash for file in order.restore.values()]
        for blob in dict.fromkeys(needed):
            _patiently(partial(store.fetch, blob))

    def _run(self, environment: dict[str, str]) -> int:
        if self._asked_to_end:
            return EXIT_CODES["cancelled"]
        command = [sys.executable, "-m", "kfnb.step", str(self._folder / "order.json")]
        with (self._folder / "process.log").open("wb") as log:
            self._child = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=self.order.workdir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            code = self._child.wait()
        said = (self._folder / "process.log").read_bytes()
        if said:
            sys.stderr.buffer.write(said[-20_000:])
            sys.stderr.flush()
        return code

    def _take_away(self, store: MirroredStore, shipper: Shipper, code: int) -> int:
        """Have what the step left in the store: its values, then its manifest, then the news."""
        here = Store(store.root)
        data = here.get(self._manifest)
        if data is not None:
            manifest = Manifest.from_json(data)
            for name in sorted(manifest.blobs()):
                _patiently(partial(take, store, name))
            if not _patiently(lambda: store.create(self._manifest, data)):
                print("kfnb: another pod has published this step before", flush=True)
        else:
            self._take_failure(store, here)
        if shipper.result is not None:
            shipper.tell(shipper.result)
        return code

    def _take_failure(self, store: MirroredStore, here: Store) -> None:
        order = self.order
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        record = here.get(key)
        if record is None:
            return
        failure = Failure.from_json(record)
        for name in (failure.executed, failure.log):
            if name:
                _patiently(partial(take, store, name))
        _patiently(lambda: store.create(key, record))

    @contextlib.contextmanager
    def _ends_with_pod(self) -> Iterator[None]:
        """Hand a pod's SIGTERM to the step, which saves its notebook; kill it after the grace."""

        def end(_number: int, _frame: object) -> None:
            self._asked_to_end = True
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()
                signal.setitimer(signal.ITIMER_REAL, GRACE)

        def kill(_number: int, _frame: object) -> None:
            if self._child is not None and self._child.poll() is None:
                self._child.kill()

        before = signal.signal(signal.SIGTERM, end), signal.signal(signal.SIGALRM, kill)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGTERM, before[0])
            signal.signal(signal.SIGALRM, before[1])


def take(store: MirroredStore, name: str) -> None:
    """Upload a blob that is here, unless the store has it."""
    if not store.has(name):
        store.remote.upload(f"blobs/{name[:2]}/{name}", store.blob(name))


def make_home(root: Path) -> dict[str, str]:
    """Make the folders that programs write to, below ``root``; the environment that says so.

    The container's own file system may be read-only, and its user may have no name and no home.
    What ``%pip install`` brings goes there too.
    """
    folders = {
        "HOME": "user",
        "TMPDIR": "tmp",
        "IPYTHONDIR": "user/.ipython",
        "JUPYTER_CONFIG_DIR": "user/.jupyter",
        "JUPYTER_DATA_DIR": "user/.local/share/jupyter",
        "JUPYTER_RUNTIME_DIR": "user/.local/share/jupyter/runtime",
        "MPLCONFIGDIR": "user/.config/matplotlib",
        "XDG_CACHE_HOME": "user/.cache",
        "XDG_CONFIG_HOME": "user/.config",
        "XDG_DATA_HOME": "user/.local/share",
        "PIP_TARGET": "site",
        "KFNB_HOME": "home",
    }
    environment = {name: str(root / folder) for name, folder in folders.items()}
    for folder in environment.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    path = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(
        [environment["PIP_TARGET"], *([path] if path else [])]
    )
    environment["USER"] = environment["LOGNAME"] = os.environ.get("USER") or "kfnb"
    return environment


def unpack(data: bytes, folder: Path) -> None:
    """Extract a bundle of plain files.

    Raises
    ------
    InfrastructureError
        If it holds anything else, or a path that leads out of ``folder``.
    """
    with tarfile.open(fileobj=io.BytesIO(data)) as bundle:
        for member in bundle:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise InfrastructureError(
                    f"The bundle of the notebook's folder holds {member.name!r}, which is no plain "
                    "file inside it."
                )
            target = folder.joinpath(*path.parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = bundle.extractfile(member)
            assert source is not None
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(0o700 if member.mode & 0o100 else 0o600)


def _patiently(act: Callable[[], T]) -> T:
    """Try again for a minute what the store does not answer."""
    deadline = time.monotonic() + _UNREACHABLE
    pause = 0.5
    while True:
        try:
            return act()
        except InfrastructureError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 8.0)


if __name__ == "__main__":
    sys.exit(main())
