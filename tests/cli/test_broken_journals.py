"""A journal that is damaged: one sentence from each command, no process, and other runs go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli import scripted
from tests.cli.scripted import made_run, write

Call = Callable[..., Result]
BREAK: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "cut in the middle": lambda data: data[:300] + data[360:],
    "nested": lambda data: b"[" * 100_000 + b"\n" + data,
    "newer": lambda data: data.replace(b'{"v":1', b'{"v":99'),
    "binary": lambda data: b"\xff\x00" * 500 + b"\n" + data,
}


@pytest.mark.parametrize("damage", BREAK)
def test_every_command_says_one_sentence_and_ends(
    kfnb: Call, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kfnb.runners.launch.start_driver", lambda _: pytest.fail("a driver was started")
    )
    other, run = made_run(tmp_path / "other.ipynb"), made_run(tmp_path / "train.ipynb")
    for folder in (other, run):
        write(folder, *scripted.FAILED)
    data = BREAK[damage](run.journal.read_bytes())
    if data is None:
        run.journal.unlink()
    else:
        run.journal.write_bytes(data)
    for command in ("stop", "resume"):
        result = kfnb(command, run.id)
        assert result.exit_code == 4, (command, result.stdout, result.stderr)
        assert len(result.stderr.splitlines()) == 1
        assert "journal" in result.stderr
    for command in ("status", "logs"):
        result = kfnb(command, run.id)
        assert "journal" in result.stdout + result.stderr or result.exit_code == 0
        assert "Traceback" not in result.stdout + result.stderr
    listed = kfnb("runs")
    assert listed.exit_code == 0
    assert run.id in listed.stdout
    assert other.id in listed.stdout
    assert "failed" in kfnb("status", other.id).stdout
