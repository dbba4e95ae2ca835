"""Run a notebook once more as an earlier run did, with the notebook as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.api.launch import create, read, refuse_inside_a_step
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.rerun_command import rerun_command
from kfnb.errors import CheckError, UsageError
from kfnb.home import RunFolder
from kfnb.masked_parameters import MASK, is_masked_name
from kfnb.runners.masked_values import FACT, held
from kfnb.runners.target import target_name


def run_again(view: RunView) -> RunFolder:
    """Create a new run with the saved notebook, and the parameters and target of ``view``.

    What did not change since comes from the cache.

    Raises
    ------
    UsageError
        If the notebook of the run is not known, or this is called inside a step.
    NotebookError
        If the notebook is gone or not readable.
    CheckError
        If the notebook has errors.
    """
    refuse_inside_a_step()
    if view.pipeline.path is None:
        raise UsageError("The notebook of this run is not known, so it cannot be run again.")
    pipeline = read(view.pipeline.path)
    if pipeline.errors:
        raise CheckError("\n".join(str(error) for error in pipeline.errors))
    about = view.about
    known = {parameter.name for parameter in pipeline.parameters}
    # An edit may have removed a parameter; its value has no place any more.
    given = {k: v for k, v in _mapping(about.get("parameters")).items() if k in known}
    masked = _mapping(about.get(FACT))
    given |= {name: value for name, value in held(view.folder).items() if name in known}
    if unknown := [name for name in masked if given.get(name) == MASK]:
        raise UsageError(
            f"The value of {', '.join(unknown)} is masked, so it was not stored. Give it again: "
            f"{rerun_command(view)}"
        )
    name = about.get("name")
    return create(
        pipeline,
        given,
        name=str(name) if name and name != view.pipeline.name else None,
        target=target_name(about),
        target_options=dict(_mapping(about.get("said"))),
        mask=[name for name in masked if name in known],
        no_mask=[n for n in known if is_masked_name(n) and n not in masked],
        **_settings(about),
    )


def _settings(about: Mapping[str, Any]) -> dict[str, Any]:
    settings = _mapping(about.get("settings"))
    names = ("parallel", "retries", "timeout", "on_failure", "on_mutation", "overwrite_files")
    return {name: settings[name] for name in names if settings.get(name) is not None}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
