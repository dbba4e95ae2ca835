"""``python -m kfnb.step.pod.pod_main``: the program of a step's container.

It downloads what the step needs, executes the step in a separate process, as on any machine, and
uploads the results. The environment configures it: ``KFNB_STORE``, ``KFNB_STORE_ENDPOINT``;
``KFNB_ORDER``, the key of the step's order; ``KFNB_CODE``, the key of the notebook folder's bundle,
empty for none; ``KFNB_POD_UID``; ``KFNB_POD_ROOT``, the folder that is written to (``/kfnb``);
``KFNB_POD_PATIENCE``, seconds for which a request to the store is repeated. Exit codes are those
of :mod:`kfnb.step`, and 2 if the store refuses access or the environment is incomplete.
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
from kfnb.masked_parameters import VARIABLE as MASKED_FD
from kfnb.masked_parameters import passed
from kfnb.step.execution import failures
from kfnb.step.order import StepOrder
from kfnb.step.pod.event_upload import EventUploader
from kfnb.step.pod.input_download import drop_replaced, fetch_code, fetch_values, in_parallel
from kfnb.step.pod.pip_install import install, install_lines
from kfnb.step.pod.pod_environment import MASKED, SITE, make_home, memory_kills, pod_root
from kfnb.step.pod.retry import ENDED_ON_REQUEST, WAITS, Retries
from kfnb.step.pod.sigterm import TerminationHandler, TerminationRequested
from kfnb.store import Failure, Manifest, Store, failed_key, manifest_key
from kfnb.store.manifest import FailureClass
from kfnb.store.remote import Refused, Remote, StoreAddress, open_remote
from kfnb.store.remote_store import RemoteStore, open_remote_store

RETRY_SECONDS = 300.0
"""Seconds for which a request is repeated that the store does not answer."""

NEVER = 2
"""The exit code if no pod of this step can begin: its configuration or credentials are wrong."""

_OUTPUT_LIMIT = 20_000


def main() -> int:
    """Execute the step that the environment names; the exit code."""
    child: StepProcess | None = None
    try:
        where = StoreAddress.from_environment()
        key = os.environ.get("KFNB_ORDER", "")
        if where is None or not key:
            raise UsageError(
                "KFNB_STORE and KFNB_ORDER, which name the step to execute, are not set."
            )
        retries = Retries(
            float(os.environ.get("KFNB_POD_PATIENCE") or RETRY_SECONDS), report=report_wait
        )
        termination = TerminationHandler(retries)
        root = pod_root()
        # The image's user may have no home folder that can be written.
        os.environ.update(make_home(root))
        with termination.handled():
            # It starts, and imports papermill, while this process reads its order.
            child = StepProcess(root)
            # The driver has checked the store; a probe in each pod would only cost time.
            remote = open_remote(where, probe=False)
            code = PodAttempt(
                remote, key, process=child, retries=retries, termination=termination
            ).execute()
        if code == failures.EXIT_CODES["cancelled"]:
            # The last lines of the log are all that the cluster keeps of the reason.
            print(ENDED_ON_REQUEST, file=sys.stderr, flush=True)
        return code
    except TerminationRequested:
        print(f"{ENDED_ON_REQUEST} before the step began", file=sys.stderr, flush=True)
        return failures.EXIT_CODES["cancelled"]
    except (KfnbError, OSError) as error:
        # A store that cannot be read can hold no record of the failure: the log must do.
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        may_pass = isinstance(error, (InfrastructureError, OSError)) and not isinstance(
            error, Refused
        )
        return failures.EXIT_CODES["infrastructure"] if may_pass else NEVER
    finally:
        if child is not None:
            child.close()


class StepProcess:
    """The step's own process, which prepares itself before it gets its order."""

    def __init__(self, root: Path) -> None:
        self._log = root / "process.log"
        self._kills = memory_kills()
        # Only the step gets them, and not the programs that its cells start.
        masked = json.loads(os.environ.pop(MASKED, "") or "{}")
        with self._log.open("wb") as log, passed(masked) as pipe:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kfnb.step", "-"],
                cwd=root,
                env={**os.environ, **({MASKED_FD: str(pipe)} if pipe is not None else {})},
                pass_fds=() if pipe is None else (pipe,),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """The end of what the process printed."""
        data = self._log.read_bytes()
        return data[-_OUTPUT_LIMIT:].decode("utf-8", "replace").strip()

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the container's memory ran out since the process began."""
        return memory_kills() > self._kills

    def execute(self, order: Path) -> int:
        """Execute an order in the process; its exit code, a signal as a negative number."""
        with contextlib.suppress(BrokenPipeError):  # It has ended already; its output says why.
            self.process.communicate(os.fsencode(order) + b"\n")
        return self.process.wait()

    def close(self) -> None:
        """Kill the process if it still waits for an order."""
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
        process: StepProcess,
        retries: Retries,
        termination: TerminationHandler,
    ) -> None:
        self._remote = remote
        self._process = process
        self._retries = retries
        self._termination = termination
        self._prefix = key.rpartition("/")[0] + "/"
        self.order = self._read_order(key)
        self._folder = Path(self.order.folder)
        self._manifest = manifest_key(
            self.order.run, self.order.step_id, index=self.order.index, round=self.order.round
        )
        uid = os.environ.get("KFNB_POD_UID") or f"{os.getpid()}-{time.time_ns():x}"
        self._uploader = EventUploader(self._folder, remote, prefix=self._prefix, pod=uid)

    def execute(self) -> int:
        """Download, execute, upload; the exit code."""
        try:
            with self._termination.by_exception():
                # Kubernetes may create a second pod for a Job whose first pod has finished.
                if self._retries(lambda: self._remote.get(self._manifest)) is not None:
                    print(
                        "kfnb: the result of this step has already been published; there is "
                        "nothing to do",
                        flush=True,
                    )
                    return 0
                store = open_remote_store(Path(self.order.store), self._remote)
                self._download(store)
        except TerminationRequested:
            return self._could_not_begin("cancelled", f'Step "{self.order.step}" was cancelled.')
        except (KfnbError, OSError) as error:
            print(f"kfnb: {error}", file=sys.stderr, flush=True)
            return self._could_not_begin("infrastructure", str(error))
        with self._termination.by_stopping(self._process.process):
            self._uploader.start()
            code = self._process.execute(self._folder / "order.json")
        # The container's log is all that remains of the process's output.
        if output := self._process.output:
            print(output, file=sys.stderr, flush=True)
        try:
            return self._upload_results(store, code, out_of_memory=self._process.ran_out_of_memory)
        except (InfrastructureError, OSError) as error:
            print(
                f"kfnb: the results of the step could not be uploaded: {error}",
                file=sys.stderr,
                flush=True,
            )
            failure = Failure(kind="infrastructure", summary=str(error))
            # The time for repeated requests is over.
            self._report_result(ok=False, failure=failure.plain(), retries=Retries(0))
            return failures.EXIT_CODES["infrastructure"]

    def _read_order(self, key: str) -> StepOrder:
        with self._termination.by_exception():
            data = self._retries(lambda: self._remote.get(key))
        if data is None:
            raise Refused(f"The step's order {key} is not in {self._remote.address}.")
        return StepOrder.from_json(data)

    def _download(self, store: RemoteStore) -> None:
        """Download the order, the notebook, the code, values and files."""
        order = self.order
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "order.json").write_bytes(order.to_json())
        workdir = Path(order.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        bundle = os.environ.get("KFNB_CODE")
        in_parallel(
            [
                self._download_notebook,
                *([partial(self._download_code, bundle, workdir)] if bundle else []),
                partial(fetch_values, store, order, retries=self._retries),
            ]
        )
        errors = install(
            install_lines(Path(order.notebook)),
            site=pod_root() / SITE,
            workdir=workdir,
            environment={**os.environ, **order.environment},
        )
        if errors:  # The notebook's own line may still succeed, or show the same error.
            print(errors, file=sys.stderr, flush=True)

    def _download_notebook(self) -> None:
        key, path = self._prefix + "step.ipynb", Path(self.order.notebook)
        if not self._retries(lambda: self._remote.download(key, path)):
            raise Refused(f"The step's notebook is not in {self._remote.address}.")

    def _download_code(self, key: str, workdir: Path) -> None:
        fetch_code(self._remote, key, workdir, retries=self._retries)
        drop_replaced(self.order, workdir)

    def _upload_results(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> int:
        """Upload the step's values, then its manifest, then the event that reports it."""
        local = Store(store.root)
        data = local.get(self._manifest)
        if data is None:
            return self._upload_failure(store, code, out_of_memory=out_of_memory)
        # Blobs before the manifest: a driver that sees the manifest may start the next step at
        # once.
        self._upload_blobs(store, Manifest.from_json(data).blobs())
        if not self._retries(lambda: store.create(self._manifest, data)):
            print("kfnb: another pod has already published the result of this step", flush=True)
        self._report_result(ok=True, manifest=self._manifest)
        return 0

    def _upload_failure(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> int:
        order = self.order
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        record = Store(store.root).get(key)
        if record is not None:
            failure = Failure.from_json(record)
        else:
            self._uploader.finish(self._retries)
            failure = self._explain_loss(store, code, out_of_memory=out_of_memory)
        self._upload_blobs(store, {name for name in (failure.executed, failure.log) if name})
        self._retries(lambda: store.create(key, failure.to_json()))
        self._report_result(ok=False, failure=failure.plain())
        return failures.EXIT_CODES[failure.kind]

    def _explain_loss(self, store: RemoteStore, code: int, *, out_of_memory: bool) -> Failure:
        """Explain a step that left no record: it was killed, or its disk was full."""
        reported = (self._uploader.result or {}).get("data", {}).get("failure")
        failure = (
            Failure.from_plain(reported)
            if reported
            else failures.process_lost(
                self.order,
                code,
                output=self._process.output,
                out_of_memory=out_of_memory,
                stop_requested=self._termination.requested,
            )
        )
        local = Store(store.root)
        with contextlib.suppress(InfrastructureError, OSError):
            # One after the other: on a full disk the log may fit although the notebook does not.
            log = local.add_blob(self._folder / "log.txt", move=False)
            failure = dataclasses.replace(failure, log=log)
            executed = local.add_blob(self._folder / "executed.ipynb", move=False)
            failure = dataclasses.replace(failure, executed=executed)
        return failure

    def _upload_blobs(self, store: RemoteStore, names: set[str]) -> None:
        """Upload blobs, and the events that are not in the store yet."""
        in_parallel(
            [
                partial(self._uploader.finish, self._retries),
                *(
                    partial(self._retries, partial(upload_blob, store, name))
                    for name in sorted(names)
                ),
            ]
        )

    def _could_not_begin(self, kind: FailureClass, summary: str) -> int:
        """Record in the store, if it can be reached, why the step did not begin."""
        order = self.order
        failure = Failure(kind=kind, summary=summary)
        key = failed_key(order.run, order.step_id, order.attempt, index=order.index)
        with contextlib.suppress(InfrastructureError):
            self._remote.create(key, failure.to_json())
        self._report_result(ok=False, failure=failure.plain(), retries=Retries(0))
        return failures.EXIT_CODES[kind]

    def _report_result(self, *, ok: bool, retries: Retries | None = None, **data: Any) -> None:
        """Send the last event, once the store has what it refers to."""
        # The step process may have been killed before it wrote its last event.
        event: Mapping[str, Any] = self._uploader.result or {
            "n": self._uploader.next_number,
            "time": time.time(),
            "type": "Result",
        }
        event = {**event, "data": {"ok": ok, **data}}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        with contextlib.suppress(
            InfrastructureError
        ):  # Drivers also find the manifest or the record.
            self._uploader.send_last(line.encode("utf-8", "replace"), retries or self._retries)


def report_wait(reason: str) -> None:
    """Print in one line why the step waits for the store."""
    print(WAITS + " ".join(reason.split()), file=sys.stderr, flush=True)


def upload_blob(store: RemoteStore, name: str) -> None:
    """Upload a blob from this container, unless the store has it."""
    if not store.has(name):
        store.remote.upload(f"blobs/{name[:2]}/{name}", Store.blob(store, name))


if __name__ == "__main__":
    sys.exit(main())
