"""A kernel whose environment has neither kfnb nor cloudpickle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.step.kernels.kernel_path import make_path, needs_path
from tests.step.conftest import Bench, other_environment


def test_only_another_interpreter_needs_a_path(tmp_path: Path) -> None:
    assert not needs_path([sys.executable, "-m", "ipykernel_launcher"])
    assert not needs_path(["python3", "-m", "ipykernel_launcher"])
    assert needs_path([str(tmp_path / "bin/python"), "-m", "ipykernel_launcher"])
    assert needs_path([])


def test_the_path_holds_nothing_but_what_is_needed(tmp_path: Path) -> None:
    make_path(tmp_path / "kernel")
    folder = make_path(tmp_path / "kernel")
    assert sorted(p.name for p in folder.iterdir()) == ["cloudpickle", "kfnb"]
    code = "import kfnb.step.in_kernel.kernel_side, cloudpickle, sys; print(sys.modules['kfnb'].__path__[0])"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(folder)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == str(folder / "kfnb")


@pytest.mark.slow
def test_a_kernel_of_another_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    other = other_environment(bench, monkeypatch)
    first = bench.run(
        "first",
        "import subprocess, sys\nfrom kfnb import log_metric\nlog_metric('m', 1)\nbefore = [1]",
        "made = lambda: 41\n"
        "code = \"try: import kfnb\\nexcept ImportError: print('no kfnb here')\"\n"
        "seen = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout\n"
        "print(seen, sys.prefix)",
        outputs=("made", "before"),
        kernel="other",
    )
    assert first.code == 0, first.events[-1]
    assert f"no kfnb here\n {other}" in first.text(1)
    assert [name for _, name, _, _ in first.manifest.metrics] == ["m"]
    second = bench.run(
        "second",
        "import sys\nprint(made() + before[0], [p for p in sys.path if 'steps' in p])",
        inputs=bench.inputs(first, "made", "before"),
        kernel="other",
    )
    assert second.code == 0, second.events[-1]
    assert second.text(0).startswith("42 ")
