"""State that steps leave in their processes, and later steps that may need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kfnb.engine.consistency.findings import Finding, UnplannedEffect, left_behind, module_changed
from kfnb.engine.core.event_types import StepSucceeded

_MODULE = "module:"


class ProcessState:
    """Which step left what, and which modules each step imports.

    Parameters
    ----------
    name
        A step's name, for the sentences.
    last
        Position of the notebook's last step: no later step can need what it leaves.
    """

    def __init__(self, name: Callable[[int], str], last: int) -> None:
        self._name = name
        self._last = last
        # By path of a module: which steps left which of its globals changed, and which imported it.
        self._changed: dict[str, dict[int, Sequence[str]]] = {}
        self._read: dict[str, set[int]] = {}
        self._paths: dict[int, set[str]] = {}

    def finish(self, n: int, result: StepSucceeded) -> list[Finding]:
        """Note what a step that has finished left, and return which steps may miss it.

        Parameters
        ----------
        result
            Data of ``StepSucceeded`` or ``StepCached``: ``left``, ``files_read``.
        """
        left = result.left
        findings: list[Finding] = []
        if n < self._last:
            if names := left.get("environment"):
                many = "s" if len(names) > 1 else ""
                what = f"the environment variable{many} {', '.join(names)}"
                findings.append(UnplannedEffect(n, left_behind(self._name(n), what)))
            if left.get("folder"):
                findings.append(
                    UnplannedEffect(n, left_behind(self._name(n), "the working directory"))
                )
        changed = {k[len(_MODULE) :]: names for k, names in left.items() if k.startswith(_MODULE)}
        read = set(result.files_read)
        self._paths[n] = changed.keys() | read
        for path, names in changed.items():
            self._changed.setdefault(path, {})[n] = names
            # Reader and writer may finish in either order, so both look for the other.
            for reader in sorted(self._read.get(path, ())):
                findings += self._missed(n, reader, path)
        for path in sorted(read):
            self._read.setdefault(path, set()).add(n)
            for writer in sorted(self._changed.get(path, ())):
                findings += self._missed(writer, n, path)
        return findings

    def retract(self, n: int) -> None:
        """Forget a step: it executes again."""
        for path in self._paths.pop(n, ()):
            self._changed.get(path, {}).pop(n, None)
            self._read.get(path, set()).discard(n)

    def _missed(self, writer: int, reader: int, path: str) -> list[Finding]:
        # The notebook executes the reader first, so it does not expect the change.
        if reader <= writer:
            return []
        names = _listed(self._changed[path][writer])
        changed = module_changed(self._name(writer), self._name(reader), path, names)
        return [UnplannedEffect(reader, changed)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
