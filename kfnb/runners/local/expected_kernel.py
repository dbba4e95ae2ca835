"""Which template the kernel of a step will be forked from, before its step process asks for it.

The driver has the template loaded while the step process starts. If it expects another one than the
step process then asks for, a template was loaded in vain, and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfnb.engine.dispatch.kernels import find_kernel
from kfnb.step.kernels.without_debugger import without_debugger
from kfnb.step.order import StepOrder
from kfnb.step.templates.kernel_spec import HISTORY, before_local, local_names, template_spec
from kfnb.step.templates.spec import TemplateSpec

_NATIVE = re.compile(r"python(3(\.\d+)?)?")
_USUAL = {"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}


def expected_template(order: StepOrder, environment: Mapping[str, str]) -> TemplateSpec | None:
    """Return the template of the kernel of a step; None if its kernel cannot be forked.

    Parameters
    ----------
    environment
        The whole environment of the step process.
    """
    folder = find_kernel(order.kernel or "python3")
    spec = _kernelspec(folder) if folder is not None else None
    if spec is None or not Path(order.workdir).is_dir():
        return None
    program, *arguments = (str(word) for word in spec["argv"])
    # jupyter_client starts its own interpreter for these names.
    if _NATIVE.fullmatch(program):
        program = sys.executable
    command = without_debugger([program, *arguments, HISTORY])
    imports = before_local(order.imports, local_names(order.workdir))
    return template_spec(command, {**environment, **spec.get("env", {})}, imports)


def _kernelspec(folder: Path) -> Mapping[str, Any] | None:
    """Read a kernelspec; None if another program than jupyter_client starts its kernel."""
    try:
        spec: dict[str, Any] = json.loads((folder / "kernel.json").read_bytes())
    except FileNotFoundError:  # ipykernel is there, without a kernelspec of its own.
        return _USUAL
    except (OSError, ValueError):
        return None
    return None if "kernel_provisioner" in spec.get("metadata", {}) else spec
