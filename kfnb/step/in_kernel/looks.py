"""Record which files the user's code looks for, where nobody outside of the kernel sees that.

``os.path.exists`` and the like raise no audit event, so the functions behind them are replaced.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from kfnb.step.in_kernel.audit import FileAudit

_NAMES = ("stat", "lstat", "access")
_CAPABILITIES = (
    os.supports_dir_fd,
    os.supports_effective_ids,
    os.supports_fd,
    os.supports_follow_symlinks,
)


class LookWatch:
    """Tells ``audit`` what is looked at by ``os.stat``, ``os.lstat`` and ``os.access``."""

    def __init__(self, audit: FileAudit) -> None:
        self._audit = audit
        self._replaced: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def start(self) -> None:
        """Replace the functions."""
        for name in _NAMES:
            original = getattr(os, name)
            watched = self._watched(original)
            for functions in _CAPABILITIES:
                # shutil asks whether os.stat is among them when it is imported.
                if original in functions:
                    functions.add(watched)
            setattr(os, name, watched)
            self._replaced[name] = (original, watched)

    def stop(self) -> None:
        """Put the functions back, unless somebody else has replaced them meanwhile."""
        for name, (original, watched) in self._replaced.items():
            if getattr(os, name) is watched:
                setattr(os, name, original)
        self._replaced.clear()

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(path: Any, *arguments: Any, **options: Any) -> Any:
            try:
                answer = function(path, *arguments, **options)
            except (FileNotFoundError, NotADirectoryError):
                self._note(path, options, there=False)
                raise
            # os.access() also says no to what may not be read or written.
            self._note(path, options, there=answer is not False or os.path.lexists(path))
            return answer

        return watched

    def _note(self, path: Any, options: dict[str, Any], *, there: bool) -> None:
        if options.get("dir_fd") is None:
            try:
                self._audit.looked_at(path, there=there, frame=sys._getframe(2))
            except Exception:  # Observing must never change what the notebook does.
                return
