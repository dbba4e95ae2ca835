"""A checkout that is installed as the README says has the live views."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.browser.demo_image import copy_checkout

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]  # it downloads and builds


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of what git knows, without anything that was built here."""
    folder = tmp_path_factory.mktemp("clone")
    copy_checkout(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout) -> Path:
    """The wheel that pip builds in an activated environment that has JupyterLab."""
    activated = Path(sys.executable).parent
    assert (activated / "jlpm").exists()
    packed = checkout.parent / "wheels"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(packed), "."],
        cwd=checkout,
        env={
            **os.environ,
            "PATH": f"{activated}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(activated.parent),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = packed.glob("*.whl")
    return made


def test_the_wheel_has_the_live_views_and_not_their_sources(wheel) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert "kfnb/widgets/static/missing.txt" not in names
        assert archive.getinfo("kfnb/widgets/static/engine.js").file_size > 100_000
        assert archive.getinfo("kfnb/widgets/static/layout.js").file_size > 500_000
        assert archive.getinfo("kfnb/widgets/static/loader.js").file_size > 1_000
    assert not [name for name in names if name.startswith(("labextension", "tests"))]
    # The entry points, without which `kfnb` and papermill's engine would not be found.
    assert any(name.endswith("entry_points.txt") for name in names)


def test_the_wheel_is_installed_where_there_is_no_node(wheel, tmp_path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    path = {"PATH": str(python.parent), "HOME": str(tmp_path)}
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, env=path)
    asked = "from kfnb.live import bundle; print(bundle.build_problem())"
    answer = subprocess.run(
        [str(python), "-c", asked],
        cwd=tmp_path,
        env=path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "None"
