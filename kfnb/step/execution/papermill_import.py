"""Import papermill without the clients of storage services that a step never uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_UNUSED = ("rfc3987_syntax", "pyarrow", "boto3", "gcsfs", "azure", "github")
# jsonschema imports it later than papermill, for formats that notebooks do not have.
_HIDDEN_FOR_GOOD = "rfc3987_syntax"


def preload() -> None:
    """Import what an attempt needs and takes long to load."""
    import jupyter_client.kernelspec
    import jupyter_client.manager  # noqa: F401

    import_papermill()


def import_papermill() -> tuple[Callable[..., Any], type[Exception]]:
    """Return papermill's ``execute_notebook`` and its error for failed cells.

    papermill imports every storage client that is installed. While it does, these modules look
    as if they were not; the user's kernel is another process and does not notice.
    """
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        from kfnb.step.execution.papermill_engine import register
    finally:
        for name in hidden:
            if name != _HIDDEN_FOR_GOOD:
                sys.modules.pop(name, None)
    register()
    return execute_notebook, PapermillExecutionError
