"""The supervisor answers for the files of kernels whose step processes ask for it."""

from __future__ import annotations

import os

import pytest

from kfnb.step.opened_files.report import NAME, read_report
from kfnb.step.opened_files.seccomp_filter import wanted
from tests.step.supervisor.conftest import SupervisorBench

STEP_WITH_A_KERNEL = """
import os, socket
from pathlib import Path
from kfnb.step.opened_files.seccomp_filter import watch_this_process
from kfnb.step.supervisor.client import StepChannel
channel = StepChannel.inherited()
ours, theirs = socket.socketpair()
if os.fork() == 0:
    listener = watch_this_process()
    socket.send_fds(theirs, [b"listener"], [listener])
    os.close(listener)
    open("made", "w").close()
    os.system("cat made > copied")
    os._exit(0)
_, (listener,), *_ = socket.recv_fds(ours, 16, 1)
assert channel.listen(listener, Path("opened-files.txt").absolute())
os.close(listener)
assert os.wait()[1] == 0
"""


@pytest.mark.skipif(not wanted(), reason="files are not watched on this system")
def test_it_writes_down_which_files_the_kernel_and_its_programs_use(bench: SupervisorBench) -> None:
    client = bench.connect()
    folder = bench.start(client, STEP_WITH_A_KERNEL)
    assert bench.end_of(client).status == 0
    opened = [
        (os.path.relpath(os.fsdecode(event.path), folder), bool(event.flags & os.O_CREAT))
        for event in read_report(folder / NAME)
        if event.operation == "open" and event.path.startswith(os.fsencode(folder))
    ]
    assert opened == [("made", True), ("copied", True), ("made", False)]
