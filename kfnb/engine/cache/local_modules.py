"""The user's own modules: files below the notebook's folder that a step imports.

A package counts with every Python file below it, since what it imports by name
at run time cannot be seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from kfnb.notebook.effects.process_reads import ProcessReads, process_reads

_MOST_FILES = 2_000


class LocalModules:
    """Resolves imports below one folder, remembering each file that it has parsed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._imports: dict[Path, frozenset[str]] = {}
        self._resolved: dict[str, frozenset[Path]] = {}
        self._reads: dict[Path, ProcessReads] = {}

    def files(self, modules: Iterable[str]) -> list[Path]:
        """List the local files that importing ``modules`` executes, through their own imports."""
        files: set[Path] = set()
        waiting = list(modules)
        seen: set[str] = set()
        while waiting:
            module = waiting.pop()
            if module in seen:
                continue
            seen.add(module)
            for path in self._resolve(module) - files:
                files.add(path)
                waiting.extend(self._imported_by(path))
        return sorted(files)

    def reads(self, files: Iterable[Path]) -> ProcessReads:
        """Return what the code of some of these files reads of its process."""
        together = ProcessReads()
        for path in files:
            if path not in self._reads:
                try:
                    self._reads[path] = process_reads(path.read_text("utf-8", "replace"))
                except OSError:  # Python reports it when the step imports the file
                    self._reads[path] = ProcessReads()
            together |= self._reads[path]
        return together

    def _resolve(self, module: str) -> frozenset[Path]:
        top = module.partition(".")[0]
        if not top.isidentifier():
            return frozenset()
        # Most steps import the same modules.
        if top not in self._resolved:
            self._resolved[top] = frozenset(self._find(top))
        return self._resolved[top]

    def _find(self, top: str) -> Iterator[Path]:
        package = self._folder / top
        if package.is_dir():
            # Including files that nothing imports by name: a package may import them at run time.
            files = sorted(package.rglob("*.py"))
            yield from files[:_MOST_FILES]
            # Python prefers a package to a module of the same name; a folder without this file
            # comes last.
            if (package / "__init__.py").is_file():
                return
        module = self._folder / f"{top}.py"
        if module.is_file():
            yield module

    def _imported_by(self, path: Path) -> frozenset[str]:
        if path not in self._imports:
            self._imports[path] = frozenset(_absolute_imports(path))
        return self._imports[path]


def _absolute_imports(path: Path) -> Iterator[str]:
    """Names of modules that a file imports; relative imports stay inside its package."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # Python reports the error when the step imports the file.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
