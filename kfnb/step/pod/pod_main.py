"""``python -m kfnb.step.pod.pod_main``: what the container of a step executes.

It brings what the step needs from the store, executes the step as on any machine in a
process of its own, and takes what the step leaves to the store. Told by the environment:
``KFNB_STORE``, ``KFNB_STORE_ENDPOINT``; ``KFNB_ORDER``, the key of the step's order;
``KFNB_CODE``, the key of the notebook folder's bundle, empty for none; ``KFNB_POD_UID``;
``KFNB_POD_ROOT``, the folder that is written to (``/kfnb``); ``KFNB_POD_PATIENCE``, seconds
for which a store that does not answer is asked again. Exit codes are those of
:mod:`kfnb.step`, and 2 where the store refuses or the environment says nothing of use.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.step.execution import failures
from kfnb.step.order import StepOrder
from kfnb.step.pod.event_upload import EventUploader
from kfnb.step.pod.input_download import drop_replaced, fetch_code, fetch_values, in_parallel
from kfnb.step.pod.pip_install import install, install_lines
from kfnb.step.pod.pod_environment import SITE, make_home, memory_kills, pod_root
from kfnb.step.pod.retry import WAITS, Retries
from kfnb.step.pod.sigterm import TerminationHandler, TerminationRequested
from kfnb.store import Failure, Manifest, Store, failed_key, manifest_key
from kfnb.store.manifest import FailureClass
from kfnb.store.remote import Refused, Remote, StoreAddress, open_remote
from kfnb.store.remote_store import RemoteStore, open_remote_store

PATIENCE = 300.0
"""Seconds for which a store that does not answer is asked again."""

NEVER = 2
"""The exit code where no pod of this step could begin: what it is told, or its keys, are wrong."""

_SAID = 20_000


def main() -> int:
    """Execute the step that the environment names; the exit code."""
    child: StepProcess | None = None
    try:
        where = StoreAddress.from_environment()
        key = os.environ.get("KFNB_ORDER", "")
        if where is None or not key:
            raise UsageError(
                "KFNB_STORE and KFNB_ORDER say which step to execute; they are not set."
            )
        patience = Retries(float(os.environ.get("KFNB_POD_PATIENCE") or PATIENCE), say=say_waiting)
        ending = TerminationHandler(patience)
        root = pod_root()
        os.environ.update(make_home(root))
        with ending.handled():
            # It starts while this process learns what it is to execute.
            child = StepProcess(root)
            remote = open_remote(where, probe=False)
            return PodAttempt(remote, key, child=child, patience=patience, ending=ending).execute()
    except TerminationRequested:
        print("kfnb: asked to end before the step could begin", file=sys.stderr, flush=True)
        return failures.EXIT_CODES["cancelled"]
    except (KfnbError, OSError) as error:
        # No record can be left in a store that cannot be read: these words are the record.
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        mends = isinstance(error, (InfrastructureError, OSError)) and not isinstance(error, Refused)
        return failures.EXIT_CODES["infrastructure"] if mends else NEVER
    finally:
        if child is not None:
            child.close()


class StepProcess:
    """The step's own process, which gets ready before it knows its order."""

    def __init__(self, root: Path) -> None:
        self._log = root / "process.log"
        self._kills = memory_kills()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kfnb.step", "-"],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """The end of what it printed."""
        data = self._log.read_bytes()
        return data[-_SAID:].decode("utf-8", "replace").strip()

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the container's memory ran out since the process began."""
        return memory_kills() > self._kills

    def execute(self, order: Path) -> int:
        """Let it execute an order, and wait; its exit code, negative for a signal."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: what it said tells why
            self.process.communicate(os.fsencode(order) + b"\n")
        return self.process.wait()

    def close(self) -> None:
        """End it, if it still waits for an order."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class PodAttempt:
    """One execution of an attempt in a container."""

    def __init__(
        self,
        remote: Remote,
        key: str,
        *,
        child: StepProcess,
        patience: Retries,
        ending: TerminationHandler,
    ) -> None:
        self._remote = remote
        self._process = child
        self._patiently = patience
        self._ending = ending
        self._prefix = key.rpartition("/")[0] + "/"
        self.order = self._read_order(key)
        self._folder = Path(self.order.folder)
        self._manifest = manifest_key(
            self.order.run, self.order.step_id, index=self.order.index, round=self.order.round
        )
        uid = os.environ.get("KFNB_POD_UID") or f"{os.getpid()}-{time.time_ns():x}"
        self._uploader = EventUploader(self._folder, remote, prefix=self._prefix, pod=uid)

    def execute(self) -> int:
        """Bring, execute, take away; the exit code."""
        try:
            with self._ending.by_exception():
                if self._patiently(lambda: self._remote.get(self._manifest)) is not None:
                    print("kfnb: this step has been published already; nothing to do", flush=True)
                    return 0
                store = open_remote_store(Path(self.order.store), self._remote)
                self._bring(store)
        except TerminationRequested:
            return self._could_not_begin("cancelled", f'Step "{self.order.step}" was cancelled.')
        except (KfnbError, OSError) as error:
            print(f"kfnb: {error}", file=sys.stderr, flush=True)
            return self._could_not_begin("infrastructure", str(error))
        with self._ending.by_stopping(self._process.process):
            self._uploader.start()
            code = self._process.execute(self._folder / "order.json")
        if said := self._process.said:
            print(said, file=sys.stderr, flush=True)
        try:
            return self._take_away(store, code, out_of_memory=self._process.ran_out_of_memory)
        except (InfrastructureError, OSError) as error:
            print(f"kfnb: what the step left is lost: {error}", file=sys.stderr, flush=True)
            failure = Failure(kind="infrastructure", summary=str(error))
            self._tell(ok=False, failure=failure.plain(), patiently=Retries(0))
            return failures.EXIT_CODES["infrastructure"]

    def _read_order(self, key: str) -> StepOrder:
        with self._ending.by_exception():
            data = self._patiently(lambda: self._remote.get(key))
        if data is None:
            raise Refused(f"The step's order {key} is not in {self._remote.address}.")
        return StepOrder.from_json(data)

    def _bring(self, store: RemoteStore) -> None:
        """Have the order, the notebook, the code, values and files in this container."""
        order = self.order
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "order.json").write_bytes(order.to_json())
        workdir = Path(order.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        bundle = os.environ.get("KFNB_CODE")
        in_parallel(
            [
                self._bring_notebook,
                *([partial(self._bring_code, bundle, workdir)] if bundle else []),
                partial(fetch_values, store, order, patiently=self._patiently),
            ]
        )
        said = install(
            install_lines(Path(order.notebook)),
            site=pod_root() / SITE,
            workdir=workdir,
            environment={**os.environ, **order.environment},
        )
        if said:  # the notebook's own line says it too, and may know better
            print(said, file=sys.stderr, flush=True)

    def _bring_notebook(self) -> None:
        key, path = self._prefix + "step.ipynb", Path(self.order.notebook)
        if not self._patiently(lambda: self._remote.download(key, path)):
            raise Refused(f"The step's notebook is not in {self._remote.address}.")

    def _bring_code(self, key: str, workdir: Path) -> None:
        fetch_code(self._remote, key, workdir, patiently=self._patiently)
        drop_replaced(self.order, workdir)

    def _take_away(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> int:
        """Have what the step left in the store: its values, then its manifest, then the news."""
        here = Store(store.root)
        data = here.get(self._manifest)
        if data is None:
            return self._take_failure(store, code, out_of_memory=out_of_memory)
        self._take(store, Manifest.from_json(data).blobs())
        if not self._patiently(lambda: store.create(self._manifest, data)):
            print("kfnb: another pod has published this step before", flush=True)
        self._tell(ok=True, manifest=self._manifest)
        return 0

    def _take_failure(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> int:
        order = self.order
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        record = Store(store.root).get(key)
        if record is not None:
            failure = Failure.from_json(record)
        else:
            self._uploader.finish(self._patiently)
            failure = self._lost(store, code, out_of_memory=out_of_memory)
        self._take(store, {name for name in (failure.executed, failure.log) if name})
        self._patiently(lambda: store.create(key, failure.to_json()))
        self._tell(ok=False, failure=failure.plain())
        return failures.EXIT_CODES[failure.kind]

    def _lost(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> Failure:
        """Say what became of a step that left no record: it was killed, or had no disk to."""
        said = (self._uploader.result or {}).get("data", {}).get("failure")
        failure = (
            Failure.from_plain(said)
            if said
            else failures.process_lost(
                self.order,
                code,
                output=self._process.said,
                out_of_memory=out_of_memory,
                stop_requested=self._ending.asked,
            )
        )
        here = Store(store.root)
        with contextlib.suppress(InfrastructureError, OSError):
            log = here.add_blob(self._folder / "log.txt", move=False)
            failure = dataclasses.replace(failure, log=log)
            executed = here.add_blob(self._folder / "executed.ipynb", move=False)
            failure = dataclasses.replace(failure, executed=executed)
        return failure

    def _take(self, store: RemoteStore, names: set[str]) -> None:
        """Have blobs in the store, and all that was reported."""
        in_parallel(
            [
                partial(self._uploader.finish, self._patiently),
                *(partial(self._patiently, partial(take, store, name)) for name in sorted(names)),
            ]
        )

    def _could_not_begin(self, kind: FailureClass, summary: str) -> int:
        """Leave a record of a step that did not begin, if the store takes it."""
        order = self.order
        failure = Failure(kind=kind, summary=summary)
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        with contextlib.suppress(InfrastructureError):
            self._remote.create(key, failure.to_json())
        self._tell(ok=False, failure=failure.plain(), patiently=Retries(0))
        return failures.EXIT_CODES[kind]

    def _tell(self, *, ok: bool, patiently: Retries | None = None, **data: Any) -> None:
        """Say how it ended, when that is so outside as well."""
        event: Mapping[str, Any] = self._uploader.result or {
            "n": self._uploader.next_number,
            "time": time.time(),
            "type": "Result",
        }
        event = {**event, "data": {"ok": ok, **data}}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        with contextlib.suppress(InfrastructureError):  # manifest or record are what counts
            self._uploader.send_last(line.encode("utf-8", "replace"), patiently or self._patiently)


def say_waiting(reason: str) -> None:
    """Print in one line what of the store is waited for."""
    print(WAITS + " ".join(reason.split()), file=sys.stderr, flush=True)


def take(store: RemoteStore, name: str) -> None:
    """Upload a blob that is here, unless the store has it."""
    if not store.has(name):
        store.remote.upload(f"blobs/{name[:2]}/{name}", Store.blob(store, name))


if __name__ == "__main__":
    sys.exit(main())
