"""What is said about processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.step.supervisor import process_table
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def test_a_process_is_described_by_its_command_without_the_folder_of_its_program(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    program = folder / "shell"
    program.symlink_to("/bin/sh")
    with subprocess.Popen(
        [program, "-c", "read line\n  echo done"], stdin=subprocess.PIPE
    ) as started:
        wait_until(lambda: "read line" in process_table.describe(started.pid), "it has started")
        assert process_table.describe(started.pid) == (
            f"shell -c read line echo done (pid {started.pid})"
        )
        started.communicate(b"\n", timeout=60)
