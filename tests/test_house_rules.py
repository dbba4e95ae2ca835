"""Rules for names and sizes that hold in the whole tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from devtools.parts import LOWEST, LOWEST_KERNELS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kfnb"
PAGES = ROOT / "labextension/src"
LONGEST = 400
"""Lines of a file."""
MOST = 16
"""Python files of a folder, with its ``__init__``."""
PRIVATE = frozenset(
    [
        "said",
        "told",
        "found",
        "owed",
        "kept",
        "away",
        "elsewhere",
        "alone",
        "doors",
        "reach",
        "place",
        "happenings",
        "conduct",
        "bell",
        "brought",
        "still",
        "front",
    ]
)
"""Words that tell a stranger nothing about what they name."""

FIXED_NAMES = {"kfnb/live/graph_types.py: found", "kfnb/pipeline.py: said"}
"""Names in the protocol of the pages and in the public interface."""
NOT_A_WAIT = {
    "tests/step/test_order.py: timeout=1.5,",
    'tests/step/values/test_libraries.py: "du": [datetime.timedelta(seconds=5)] * 3,',
}
"""Times in programs and orders, which no test waits for."""


def check(offenders: Iterable[str], exceptions: set[str]) -> None:
    offending = set(offenders)
    new = sorted(offending - exceptions)
    assert not new, "\n" + "\n".join(new)
    stale = sorted(exceptions - offending)
    assert not stale, "These exceptions are no longer needed:\n" + "\n".join(stale)


def sources(*folders: Path, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in suffixes and "static" not in path.parts
    )


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_files_are_short() -> None:
    files = sources(PACKAGE, PAGES, ROOT / "devtools", suffixes=(".py", ".ts", ".tsx"))
    long = {short(path) for path in files if len(path.read_text("utf-8").splitlines()) > LONGEST}
    check(long, set())


def test_folders_hold_few_files() -> None:
    folders = {path.parent for path in sources(PACKAGE)}
    full = {short(folder) for folder in folders if len(list(folder.glob("*.py"))) > MOST}
    check(full, set())


def names(path: Path) -> Iterator[str]:
    """Yield the names of a module, of its classes and functions, and of their variables."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_names_say_what_they_name() -> None:
    private = {
        f"{short(path)}: {name}"
        for path in sources(PACKAGE, ROOT / "devtools", ROOT / "benchmarks")
        for name in names(path)
        if name.strip("_").lower() in PRIVATE
    }
    check(private, FIXED_NAMES)


DECLARED = re.compile(
    r"\b(?:const|let|function|class|interface|type|private|readonly) +(\w+)"
    r"|^ +(\w+)\(.*\): [\w<>]+ \{$"
)


def test_names_of_the_page_say_what_they_name() -> None:
    private = {
        f"{short(path)}: {match[1] or match[2]}"
        for path in sources(PAGES, suffixes=(".ts", ".tsx"))
        for line in path.read_text("utf-8").splitlines()
        for match in DECLARED.finditer(line)
        if (match[1] or match[2]).lower() in PRIVATE
    }
    check(private, {"labextension/src/protocol.ts: found"})


def test_files_are_named_by_their_content() -> None:
    files = sources(ROOT / "tests", PAGES, suffixes=(".py", ".ts", ".tsx"))
    private = {
        short(path)
        for path in files
        if PRIVATE & set(re.split(r"[_.-]", path.stem.removeprefix("test_").lower()))
    }
    check(private, set())


def test_every_package_says_what_it_holds() -> None:
    silent = {
        short(path)
        for path in PACKAGE.rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    }
    check(silent, set())


def imported_by_programs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of imports from kfnb in programs that stand in strings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for module, listed in re.findall(r"from (kfnb[\w.]*) import ([\w, ]+)", node.value):
                for name in listed.split(","):
                    yield module, name.split(" as ")[0].strip()


def exists(module: str, name: str) -> bool:
    base = ROOT / module.replace(".", "/")
    file = base.with_suffix(".py")
    source = file if file.exists() else base / "__init__.py"
    return source.exists() and (
        re.search(rf"\b{name}\b", source.read_text("utf-8")) is not None
        or (base / f"{name}.py").exists()
        or (base / name).is_dir()
    )


def test_programs_in_strings_import_what_exists() -> None:
    missing = {
        f"{short(path)}: from {module} import {name}"
        for path in sources(ROOT / "tests", ROOT / "benchmarks")
        for module, name in imported_by_programs(path)
        if path != Path(__file__) and module != "kfnb" and not exists(module, name)
    }
    check(missing, {"tests/notebook/authoring/test_launching.py: from kfnb.widgets import Dag"})


def test_what_is_tested_with_the_lowest_versions_exists() -> None:
    assert all((ROOT / "tests" / name).exists() for name in (*LOWEST, *LOWEST_KERNELS))


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:kfnb|tests|devtools|docs|benchmarks)/[\w/.]+)`", text)
    built = {"kfnb/widgets/static", "kfnb/labextension"}  # exists only after a build
    check({path for path in named if not (ROOT / path).exists()} - built, set())


WAITS = re.compile(
    r"\b(?:timeout|seconds)(?:: float)? ?= ?(\d+(?:\.\d+)?)\b|\.(?:wait|join)\((\d+)\)"
)
"""A test that gives up early fails on a machine that is busy."""


def test_tests_wait_long_enough_for_a_busy_machine() -> None:
    impatient = {
        f"{short(path)}: {line.strip()}"
        for path in sources(ROOT / "tests")
        for line in path.read_text("utf-8").splitlines()
        for match in WAITS.finditer(line)
        if path != Path(__file__)
        and 0.5 < float(match[1] or match[2]) < 30
        and "Options(" not in line
    }
    check(impatient, NOT_A_WAIT)
