"""Does the pipeline do what the notebook does? Executes both and compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.verify.report import VerifyReport, verify

__all__ = ["VerifyReport", "verify"]


def __getattr__(name: str) -> Any:
    """Import late: the linear run's process needs only its own module."""
    if name in __all__:
        from kfnb.verify import report

        return getattr(report, name)
    raise AttributeError(name)
