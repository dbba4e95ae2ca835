"""``dev.py release``: build both distributions, check them where people will use them, and tag."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devtools.browsers import jlpm
from devtools.environments import ROOT, environment, log, run

_EXAMPLE = ROOT / "examples" / "hello" / "hello.ipynb"


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine."""

    version: tuple[int, int]
    path: Path


def release(*, dry_run: bool) -> None:
    """Make the distributions of this version and tag the commit.

    Nothing is uploaded: the last line says how to do that.

    Parameters
    ----------
    dry_run
        Build and check, also with changes that are not committed, and do not tag.

    Raises
    ------
    SystemExit
        With a sentence about what has to be done before this version can be released.
    """
    version = _value(r'^version = "(.+)"$')
    problems = _problems(version)
    for problem in problems:
        log(problem)
    if problems and not dry_run:
        raise SystemExit("dev.py: nothing was built")
    python = environment("release", "release")
    # The hook takes the built files as they are if their sources have not changed.
    jlpm("install --immutable", "build")
    with tempfile.TemporaryDirectory(prefix="kfnb-release-") as folder:
        built = _build(python, Path(folder))
        for interpreter in supported_interpreters():
            _use(interpreter, built["wheel"], Path(folder) / "use")
        target = ROOT / "dist"
        target.mkdir(exist_ok=True)
        for path in built.values():
            shutil.copy(path, target)
    if dry_run:
        log(f"kfnb {version} can be built; it was not tagged")
        return
    run(["git", "tag", "-a", f"v{version}", "-m", f"kfnb {version}"])
    log(f"tagged v{version}. To publish it: git push --tags && twine upload dist/*{version}*")


def _problems(version: str) -> list[str]:
    """List what keeps this version from being released, a sentence each."""
    problems = []
    package = re.search(r'"version": "(.+?)"', (ROOT / "labextension/package.json").read_text())
    if package is None or package[1] != version:
        problems.append(
            f"labextension/package.json has another version than pyproject.toml, {version}"
        )
    if f"\n## {version}\n" not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        problems.append(f"CHANGELOG.md has no section {version}")
    if "\n## Unreleased\n\n#" in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        problems.append("CHANGELOG.md has entries under Unreleased: give them a version")
    if _git("status", "--porcelain"):
        problems.append("there are changes that are not committed")
    if _git("tag", "--list", f"v{version}"):
        problems.append(f"v{version} is tagged already: give the next version a number")
    return problems


def _build(python: Path, folder: Path) -> dict[str, Path]:
    """Build the source distribution, and the wheel from it, as an installation would."""
    out = folder / "dist"
    run([str(python), "-m", "build", "--outdir", str(out)], KFNB_ENGINE="require")
    (wheel,) = out.glob("*.whl")
    (source,) = out.glob("*.tar.gz")
    run([str(python), "-m", "twine", "check", "--strict", str(wheel), str(source)])
    # W004 is about modules that cannot be imported, which a folder of scripts is on purpose.
    run([str(python.with_name("check-wheel-contents")), str(wheel)])
    return {"wheel": wheel, "source": source}


def _use(interpreter: Interpreter, wheel: Path, folder: Path) -> None:
    """Install the wheel where there is no node, and run an example with it."""
    number = ".".join(map(str, interpreter.version))
    log(f"Python {number}: installing the wheel and running an example")
    installed = folder / number
    run([str(interpreter.path), "-m", "venv", str(installed)], quiet=True)
    binaries = installed / "bin"
    environment_of_a_person = {
        "PATH": f"{binaries}{os.pathsep}/bin",
        "KFNB_HOME": str(installed / "home"),
        "PYTHONPATH": "",
    }
    install = [str(binaries / "pip"), "install", "-q", str(wheel)]
    run(install, cwd=folder, **environment_of_a_person)
    notebook = shutil.copy(_EXAMPLE, installed)
    for arguments in (["--version"], ["check", notebook], ["run", notebook]):
        run([str(binaries / "kfnb"), *arguments], cwd=installed, **environment_of_a_person)
    looked = "from kfnb.live import bundle; raise SystemExit(bundle.build_problem())"
    run([str(binaries / "python"), "-c", looked], cwd=installed, **environment_of_a_person)


def supported_interpreters() -> list[Interpreter]:
    """Return the oldest and the newest supported Python of this machine; one if it has one.

    They are looked for on PATH and among pyenv's versions.
    """
    lowest = tuple(map(int, _value(r'^requires-python = ">=(\d+\.\d+)"$').split(".")))
    classified = re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', _pyproject())
    newest = (3, max(map(int, classified)))
    interpreters: dict[tuple[int, int], Path] = {}
    for minor in range(lowest[1], newest[1] + 1):
        path = shutil.which(f"python3.{minor}")
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        candidates = [Path(path)] if path else []
        candidates += [p / "bin" / "python" for p in sorted(pyenv.glob(f"3.{minor}.*"))]
        for candidate in candidates:
            # pyenv puts scripts on PATH that fail for versions which are not chosen.
            if (
                subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode
                == 0
            ):
                interpreters[3, minor] = candidate
                break
    if not interpreters:
        raise SystemExit(f"dev.py: no Python {lowest[0]}.{lowest[1]} or newer was found")
    return [
        Interpreter(version, interpreters[version])
        for version in sorted({min(interpreters), max(interpreters)})
    ]


def _value(pattern: str) -> str:
    match = re.search(pattern, _pyproject(), re.MULTILINE)
    assert match is not None, pattern
    return match[1]


def _pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text("utf-8")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
