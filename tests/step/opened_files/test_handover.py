from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.step.opened_files import handover
from kfnb.step.opened_files.handover import BEGIN, KernelListener, watch_this_kernel
from kfnb.step.opened_files.report import NAME, read_report
from kfnb.step.opened_files.seccomp_filter import VARIABLE, wanted
from tests.step.opened_files.watched import ROOT

pytestmark = pytest.mark.skipif(not wanted(), reason="files are not watched on this system")

KERNEL = f"""
import sys, threading
sys.path.insert(0, {ROOT!r})
from pathlib import Path
from kfnb.step.opened_files.handover import BEGIN, mark, watch_this_kernel
watched, ended = threading.Event(), threading.Event()

def work():
    watched.wait()
    open("by-a-thread", "w").close()
    ended.set()

threading.Thread(target=work, daemon=True).start()
print(watch_this_kernel(sys.argv[1]), watch_this_kernel(sys.argv[1]))
mark(Path.cwd(), BEGIN)
watched.set()
ended.wait()
"""


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[KernelListener]:
    files = handover.start(folder / NAME, environment={}, listen=lambda *_: False)
    assert files is not None
    try:
        yield files
    finally:
        files.close()


def seccomp_of_this_process() -> list[str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("Seccomp", "NoNewPrivs"))]


def test_a_kernel_with_threads_is_watched_whole(tmp_path: Path) -> None:
    with listening(tmp_path) as files:
        done = subprocess.run(
            [sys.executable, "-c", KERNEL, files.address],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
    # The second time another listener is there already.
    assert done.stdout.split() == ["True", "False"]
    names = [Path(os.fsdecode(event.path)).name for event in read_report(tmp_path / NAME)]
    assert names.index(BEGIN) < names.index("by-a-thread")


def test_a_kernel_to_which_nobody_listens_goes_on_unwatched() -> None:
    before = seccomp_of_this_process()
    assert not watch_this_kernel("kfnb-nobody")
    assert seccomp_of_this_process() == before


def test_where_watching_is_off_nobody_listens(tmp_path: Path) -> None:
    environment = {VARIABLE: "off"}
    assert handover.start(tmp_path, environment=environment, listen=lambda *_: False) is None


def test_another_process_may_answer(tmp_path: Path) -> None:
    passed: list[tuple[int, Path]] = []

    def listen(descriptor: int, report: Path) -> bool:
        passed.append((os.dup(descriptor), report))
        return True

    files = KernelListener(tmp_path / NAME, listen=listen)
    code = (
        f"import sys; sys.path.insert(0, {ROOT!r}); from kfnb.step.opened_files.handover import *"
    )
    code += f"\nwatch_this_kernel({files.address!r}); import os; os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
    files.close()
    [(descriptor, report)] = passed
    os.close(descriptor)
    assert report == tmp_path / NAME
