"""Parts of the result that the kernel leaves for the step process, as JSON values."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kfnb import metrics

if TYPE_CHECKING:
    from kfnb.step.values import Saved


def bundle_records(saved: Saved | None) -> list[dict[str, Any]]:
    """Return the bundles that were saved."""
    return [
        {
            "names": list(bundle.names),
            "files": [str(file) for file in bundle.files],
            "codec": bundle.codec,
            "classes": list(bundle.classes),
            "globals": list(bundle.globals),
        }
        for bundle in (saved.bundles if saved else ())
    ]


def failed_values(saved: Saved | None) -> dict[str, dict[str, str]]:
    """Return the values that could not be saved, and why."""
    return {
        name: {
            "type": problem.type,
            "path": str(problem.path_in_value),
            "reason": problem.reason,
            "remedy": problem.remedy,
        }
        for name, problem in (saved.failed if saved else {}).items()
    }


def log_metrics(wanted: Iterable[str], names: Mapping[str, Any]) -> dict[str, str]:
    """Log the values of ``wanted`` as metrics; for those that are not numbers, the reason."""
    refused = {}
    for name in wanted:
        if name in names:
            try:
                metrics.log_metric(name, names[name])
            except (TypeError, ValueError) as error:
                refused[name] = str(error)
    return refused


def problem_record(phase: str, error: Exception, names: Iterable[str]) -> dict[str, Any]:
    """Return what is known about an error of kfnb's own cells."""
    return {
        "phase": phase,
        "names": list(names),
        "ename": type(error).__name__,
        "evalue": str(error),
        "errno": getattr(error, "errno", None),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }
