"""Executes a notebook linearly and as a pipeline, and compares values and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.verify.report import VerifyReport, verify

__all__ = ["VerifyReport", "verify"]


def __getattr__(name: str) -> Any:
    """Import late: the process of the linear run needs only its own module."""
    if name in __all__:
        from kfnb.verify import report

        return getattr(report, name)
    raise AttributeError(name)
