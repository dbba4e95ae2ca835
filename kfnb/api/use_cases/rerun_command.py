"""The command that runs a notebook once more as an earlier run did."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kfnb.draw import visible
from kfnb.errors import KfnbError

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Parameter

LONGEST = 200
"""Characters of the longest value that the command has; a longer one is shown as ``…``."""


def rerun_command(view: RunView) -> str:
    """Write ``kfnb run`` with the notebook, parameters and target of a run."""
    from kfnb.api.use_cases.target_flags import target_flags
    from kfnb.runners.target import LOCAL, target_name

    words = ["kfnb", "run", _relative(str(view.pipeline.path))]
    masked = _mapping(view.about.get("masked"))
    for name, value in _mapping(view.about.get("parameters")).items():
        text = None if name in masked else typed(view.pipeline.parameters, name, value)
        words += ["-p", f"{name}={'…' if text is None else text}"]
    target = target_name(view.about)
    if target != LOCAL:
        words += ["--on", target, *target_flags(_mapping(view.about.get("said")))]
    return " ".join(word if word.endswith("=…") else shlex.quote(word) for word in words)


def typed(parameters: Sequence[Parameter], name: str, value: Any) -> str | None:
    """Write a parameter's value so that ``-p`` reads it back; None if it is too long to type."""
    from kfnb.runners import check_parameters, parse_parameter

    for text in _written(value):
        # A terminal cannot show, and a person cannot type, control characters.
        if len(text) > LONGEST or visible(text) != text:
            continue
        try:
            read = check_parameters(parameters, {name: parse_parameter(parameters, name, text)})
        except KfnbError:
            continue
        if repr(read[name]) == repr(value):  # 1, 1.0 and True are equal
            return text
    return None


def _written(value: Any) -> Iterator[str]:
    """Yield ways to write a value, the simplest first."""
    import yaml

    if isinstance(value, str):
        yield value
    yield json.dumps(value, ensure_ascii=False)
    # JSON lacks NaN and infinities, and YAML reads JSON's 1e-07 as text.
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 30)
    yield dumped.removesuffix("\n").removesuffix("\n...")


def _relative(path: str) -> str:
    """Return a path relative to the working directory if it is below that."""
    relative = os.path.relpath(path)
    # A path with many ".." is harder to read than an absolute one.
    return path if relative.startswith("..") else relative


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
