"""State that steps leave in their processes, and later steps that may need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kfnb.engine.consistency.findings import Finding, UnplannedEffect, left_behind, module_changed

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
        self._left: dict[int, Mapping[str, list[str]]] = {}
        self._read: dict[int, set[str]] = {}

    def finish(self, n: int, result: Mapping[str, Any]) -> list[Finding]:
        """Note what a step that has finished left, and return which steps may miss it.

        Parameters
        ----------
        result
            Data of ``StepSucceeded`` or ``StepCached``: ``left``, ``files_read``.
        """
        left = dict(result.get("left") or {})
        self._left[n] = left
        self._read[n] = set(result.get("files_read") or ())
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
        for reader in self._read:
            findings += self._missed(n, reader)
        for writer in self._left:
            if writer != n:
                findings += self._missed(writer, n)
        return findings

    def retract(self, n: int) -> None:
        """Forget a step: it executes again."""
        self._left.pop(n, None)
        self._read.pop(n, None)

    def _missed(self, writer: int, reader: int) -> list[Finding]:
        if reader <= writer:
            return []
        return [
            UnplannedEffect(
                reader,
                module_changed(self._name(writer), self._name(reader), path, _listed(names)),
            )
            for key, names in self._left[writer].items()
            if key.startswith(_MODULE) and (path := key[len(_MODULE) :]) in self._read[reader]
        ]


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
