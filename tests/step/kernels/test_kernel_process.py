"""The kernel process: its sockets, and how its end is described."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from kfnb.errors import UsageError
from kfnb.step.kernels import kernel_process


def test_sockets_get_a_private_folder_with_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = kernel_process.socket_folder()
    assert len(str(folder)) < 60
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()


@pytest.mark.parametrize(
    ("status", "words"),
    [(3, "exit code 3"), (-9, "by signal SIGKILL"), (-99, "by signal 99"), (None, "unknown")],
)
def test_an_exit_status_in_words(status: int | None, words: str) -> None:
    assert words in kernel_process.describe_exit(status)


def test_a_folder_that_is_gone_is_no_reason_to_try_again(tmp_path: Path) -> None:
    """A usage error fails the step at once; an infrastructure error would be retried five times."""
    kernel = kernel_process.Kernel("python3")
    try:
        with pytest.raises(UsageError, match="no longer exists"):
            asyncio.run(kernel.launch(cwd=str(tmp_path / "gone"), env=None))
    finally:
        shutil.rmtree(kernel.folder)
