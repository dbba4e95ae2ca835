"""The project's two commands: ``python3 dev.py demo`` and ``python3 dev.py test``.

Standard library only, because it is what makes everything else available: each
command builds a virtual environment of its own in the user's cache folder, keyed
by what it was built from, so that later runs start at once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 10)


def cache_folder() -> Path:
    """Where environments are kept: ``KFNB_DEV_CACHE``, or ``kfnb-dev`` in the user's cache."""
    said = os.environ.get("KFNB_DEV_CACHE")
    if said:
        return Path(said)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "kfnb-dev"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "kfnb-dev"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kfnb-dev"


def environment(name: str, extras: str, *, lowest: bool = False) -> Path:
    """Make (or find) a virtual environment that has this checkout; returns its Python.

    The checkout is installed in editable form, so the environment depends on
    ``pyproject.toml``, the interpreter and the checkout's place, and on nothing else.
    """
    key = hashlib.sha256()
    for part in (sys.version, sys.prefix, str(ROOT), extras, str(lowest)):
        key.update(part.encode() + b"\0")
    key.update((ROOT / "pyproject.toml").read_bytes())
    folder = cache_folder() / f"{name}-{key.hexdigest()[:16]}"
    binaries = folder / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / ("python.exe" if os.name == "nt" else "python")
    if (folder / "ready").exists():
        (folder / "ready").touch()
        return python
    say(f"making an environment with kfnb[{extras}] (about a minute, once)")
    for old in folder.parent.glob(f"{name}-*"):
        # An environment that nobody used for two weeks belongs to a checkout that moved on.
        ready = old / "ready"
        if not ready.exists() or time.time() - ready.stat().st_mtime > 14 * 86400:
            shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        run([sys.executable, "-m", "venv", str(folder)], quiet=True)
    except subprocess.CalledProcessError:
        raise SystemExit(
            "dev.py: this Python cannot make virtual environments; on Debian and Ubuntu: "
            "apt-get install python3-venv"
        ) from None
    target = f"{ROOT}[{extras}]"
    if lowest:
        run([str(python), "-m", "pip", "install", "-q", "uv"])
        uv = [str(binaries / "uv"), "pip", "install", "-q", "--python", str(python)]
        run([*uv, "--resolution", "lowest-direct", "-e", target])
    else:
        run([str(python), "-m", "pip", "install", "-q", "-e", target])
    (folder / "ready").touch()
    return python


def say(text: str) -> None:
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, quiet: bool = False, **env: str) -> None:
    subprocess.run(
        command,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **env},
        stdout=subprocess.DEVNULL if quiet else None,
    )


def demo(arguments: argparse.Namespace) -> None:
    """Run an example notebook as a pipeline on this machine."""
    python = environment("demo", "examples")
    name = arguments.example
    say(f"kfnb run examples/{name}/{name}.ipynb")
    run([str(python), "-m", "kfnb.cli.main", "run", f"examples/{name}/{name}.ipynb"])


def test(arguments: argparse.Namespace) -> None:
    """Lint, type-check and test; what continuous integration runs."""
    python = str(environment("test", "test"))
    tool = [python, "-m"]
    if not arguments.only or "lint" in arguments.only:
        run([*tool, "ruff", "check", "."])
        run([*tool, "ruff", "format", "--check", "."])
        run([*tool, "mypy", "--strict", "kfnb"])
        run([str(Path(python).with_name("lint-imports"))])
    if not arguments.only or "unit" in arguments.only:
        workers = str(os.cpu_count() or 1)
        run([*tool, "pytest", "-q", "-n", workers, "--dist", "worksteal", *arguments.pytest])
    if not arguments.only or "lowest" in arguments.only:
        oldest = str(environment("lowest", "test", lowest=True))
        run([oldest, "-m", "pytest", "-q", "-m", "not slow", "tests/notebook", "tests/engine"])


def bench(arguments: argparse.Namespace) -> None:
    """Measure kfnb beside its peers; prints the table of benchmarks/README.md."""
    python = environment("bench", "test")
    run([str(python), "-m", "benchmarks", *arguments.rows])


def main() -> None:
    if sys.version_info < OLDEST:
        raise SystemExit(
            "dev.py: kfnb needs Python 3.10 or newer; call it with one, "
            "for example: python3.12 dev.py demo"
        )
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("demo", help="run an example pipeline here")
    one.add_argument(
        "example",
        nargs="?",
        default="digits",
        choices=sorted(p.parent.name for p in ROOT.glob("examples/*/*.ipynb")),
    )
    one.set_defaults(call=demo)
    two = commands.add_parser("test", help="set up what is needed and pass the tests")
    two.add_argument("--only", action="append", choices=["lint", "unit", "lowest"])
    two.add_argument("pytest", nargs="*", help="arguments for pytest (after --)")
    two.set_defaults(call=test)
    three = commands.add_parser("bench", help="measure kfnb beside its peers")
    three.add_argument("rows", nargs="*")
    three.set_defaults(call=bench)
    arguments = parser.parse_args()
    try:
        arguments.call(arguments)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
