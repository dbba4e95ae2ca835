"""IPython as a person at a terminal has it, and real kernels as a notebook has them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.desk import Desk
from tests.magics.kernel import Kernel


@pytest.fixture(autouse=True)
def home(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of kfnb's for this test alone, and its folder as working directory."""
    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("KFNB_STEP", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(desk.folder)
    return desk.home


@dataclass
class Typed:
    """What came of a cell: what was printed, and IPython's own result."""

    text: str
    result: Any

    @property
    def ok(self) -> bool:
        return bool(self.result.success)


class Terminal:
    """Plain IPython, with the extension loaded."""

    def __init__(self, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys
        assert self("%load_ext kfnb").ok

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns

    def __call__(self, cell: str) -> Typed:
        """Execute a cell as if it was typed."""
        self._capsys.readouterr()
        result = self.shell.run_cell(cell, store_history=True)
        said = self._capsys.readouterr()
        return Typed(said.out + said.err, result)

    def refused(self, cell: str) -> str:
        """Execute a cell that is wrong; the sentence that it gets."""
        typed = self(cell)
        assert not typed.ok
        assert "Traceback" not in typed.text
        assert typed.text.startswith("kfnb: "), typed.text
        assert typed.text.count("\n") <= 2, typed.text
        return typed.text


@pytest.fixture
def ipython(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Terminal]:
    """A fresh shell of IPython's in this process."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    yield Terminal(shell, capsys)
    shell.run_line_magic("unload_ext", "kfnb")
    InteractiveShell.clear_instance()


@pytest.fixture
def kernel(desk: Desk) -> Iterator[Kernel]:
    """A kernel in the desk's folder, with the extension loaded."""
    with Kernel.started(desk.folder, desk.environment()) as started:
        started.ok("%load_ext kfnb")
        yield started
