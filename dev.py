"""The project's commands for development: ``python3 dev.py demo`` and ``python3 dev.py test``.

Each command makes the virtual environment that it needs in the user's cache folder, so
that later runs start at once. This file and ``devtools/`` need the standard library only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

if sys.version_info < (3, 10):  # before devtools is imported, whose syntax is newer
    raise SystemExit(
        "dev.py: kfnb needs Python 3.10 or newer; call dev.py with one, "
        "for example: python3.12 dev.py demo"
    )

from devtools.browsers import chromium, jlpm
from devtools.environments import ROOT, environment, log, run
from devtools.parts import PARTS, Choices, for_tests
from devtools.testing import run_tests

ROWS_IN_A_BROWSER = ("paint", "watching", "page", "server", "panel")
ROWS_ON_A_CLUSTER = ("kubernetes",)


def demo(arguments: argparse.Namespace) -> None:
    """Run an example notebook as a pipeline on this machine."""
    python = environment("demo", "examples")
    name = arguments.example
    log(f"kfnb run examples/{name}/{name}.ipynb")
    run([str(python), "-m", "kfnb.cli.main", "run", f"examples/{name}/{name}.ipynb"])


def test(arguments: argparse.Namespace) -> None:
    """Lint, type-check and test; continuous integration runs this."""
    choices = Choices(pytest=arguments.pytest, whole=arguments.all)
    code = run_tests(arguments.only or (), choices)
    if code:
        raise SystemExit(code)


def bench(arguments: argparse.Namespace) -> None:
    """Measure kfnb beside its peers; print the table of benchmarks/README.md."""
    in_a_browser = [row for row in arguments.rows if row in ROWS_IN_A_BROWSER]
    on_a_cluster = [row for row in arguments.rows if row in ROWS_ON_A_CLUSTER]
    others = [row for row in arguments.rows if row not in {*in_a_browser, *on_a_cluster}]
    if on_a_cluster:
        run([for_tests(), "-m", "benchmarks", *on_a_cluster])
    if others or not arguments.rows:
        python = environment("bench", "test")
        run([str(python), "-m", "benchmarks", *others])
    if in_a_browser or not arguments.rows:
        # In an environment of their own: packages of JupyterLab make other rows slower.
        jlpm("install --immutable", "build")
        python = environment("browser", "browser")
        rows = in_a_browser or ROWS_IN_A_BROWSER
        run([str(python), "-m", "benchmarks", *rows], CHROMIUM=chromium())


def cluster(arguments: argparse.Namespace) -> None:
    """Start or stop the one-node Kubernetes of the tests."""
    run([for_tests(), "-m", "tests.cluster", *arguments.rest])


def release(arguments: argparse.Namespace) -> None:
    """Build and check the distributions of this version, and tag it."""
    from devtools.release import release

    release(dry_run=arguments.dry_run)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    program = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    commands = program.add_subparsers(required=True, metavar="COMMAND")

    example = commands.add_parser("demo", help="run an example pipeline on this machine")
    names = sorted(p.stem for p in ROOT.glob("examples/*/*.ipynb") if p.stem == p.parent.name)
    example.add_argument("example", nargs="?", default="digits", choices=names)
    example.set_defaults(call=demo)

    testing = commands.add_parser("test", help="set up what is needed and pass the tests")
    testing.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    testing.add_argument(
        "--all", action="store_true", help="run variants whole (all tests with the lowest versions)"
    )
    testing.add_argument("pytest", nargs="*", help="arguments for pytest (after --)")
    testing.set_defaults(call=test)

    measuring = commands.add_parser("bench", help="measure kfnb beside its peers")
    measuring.add_argument("rows", nargs="*")
    measuring.set_defaults(call=bench)

    node = commands.add_parser("cluster", help="up, down, …: the tests' Kubernetes (tests/cluster)")
    node.add_argument("rest", nargs=argparse.REMAINDER, metavar="up|down|…")
    node.set_defaults(call=cluster)

    releasing = commands.add_parser("release", help="build and check both distributions, and tag")
    releasing.add_argument("--dry-run", action="store_true", help="do not tag")
    releasing.set_defaults(call=release)
    return program


def main() -> None:
    """Run the command that the command line names."""
    arguments = parser().parse_args()
    try:
        arguments.call(arguments)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
