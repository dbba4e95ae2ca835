"""The call that runs a notebook as a run did, for a person to type."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kfnb.draw import visible
from kfnb.errors import KfnbError

if TYPE_CHECKING:
    from kfnb.api.run_view import RunView
    from kfnb.pipeline import Pipeline

LONGEST = 200
"""Characters of a value that a person would still type."""


def run_again(view: RunView) -> str:
    """Write ``kfnb run`` with the notebook, parameters and target of a run."""
    from kfnb.cli.target_options import target_flags
    from kfnb.runners.target import LOCAL, target_name

    words = ["kfnb", "run", _near(str(view.pipeline.path))]
    for name, value in _mapping(view.about.get("parameters")).items():
        text = typed(view.pipeline, name, value)
        words += ["-p", f"{name}={'…' if text is None else text}"]
    target = target_name(view.about)
    if target != LOCAL:
        words += ["--on", target, *target_flags(_mapping(view.about.get("said")))]
    return " ".join(word if word.endswith("=…") else shlex.quote(word) for word in words)


def typed(pipeline: Pipeline, name: str, value: Any) -> str | None:
    """Write a parameter's value so that ``-p`` reads it back; None if nobody would type it."""
    from kfnb.runners import check_parameters, parse_parameter

    for text in _written(value):
        if len(text) > LONGEST or visible(text) != text:
            continue
        try:
            read = check_parameters(pipeline, {name: parse_parameter(pipeline, name, text)})
        except KfnbError:
            continue
        if repr(read[name]) == repr(value):  # 1, 1.0 and True are equal, but not the same
            return text
    return None


def _written(value: Any) -> Iterator[str]:
    """List ways to write a value, the plainest first."""
    import yaml

    if isinstance(value, str):
        yield value
    yield json.dumps(value, ensure_ascii=False)
    # YAML has another way to write what is no number in JSON, and 1e-07 within a list.
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 30)
    yield dumped.removesuffix("\n").removesuffix("\n...")


def _near(path: str) -> str:
    """Return a path as a person here would type it."""
    try:
        near = os.path.relpath(path)
    except ValueError:  # another drive
        near = path
    return path if near.startswith("..") else near


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
