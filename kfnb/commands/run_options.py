"""The options of ``run`` and ``resume``, and a new run made as they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kfnb.commands.arguments import StepName, duration_option, number_option
from kfnb.commands.target_options import on_option, take_target_options, target_options

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.pipeline import Pipeline


def limit_options() -> list[click.Parameter]:
    """Make the options that limit a run; resuming a run may change them."""
    return [
        number_option(
            "--parallel",
            least=1,
            help="How many steps may execute at once [default: the number of cores of this "
            "machine].",
        ),
        number_option(
            "--retries",
            help="How often to retry a failed step, unless the step sets its own number.",
        ),
        duration_option(
            "--timeout",
            help="How long a step may take (30m, 2h), unless the step sets its own timeout.",
        ),
        click.Option(
            ["--keep-going/--fail-fast", "keep_going"],
            default=None,
            help="After a failure, execute the steps that do not depend on the failed one "
            "[default], or stop.",
        ),
        click.Option(
            ["--on-mutation"],
            type=click.Choice(["fail", "warn"]),
            help="What to do if a step changed a value that a later step had already used, in a "
            "way that the source does not show: fail [default], or warn and continue.",
        ),
        click.Option(
            ["--overwrite-files"],
            is_flag=True,
            default=None,
            help="Replace files that you changed after a step wrote them, where a cached result "
            "puts its files back. Otherwise the run stops and names the file.",
        ),
    ]


def masked_option() -> click.Parameter:
    """Make the option with which a resumed run gets what no file has."""
    return click.Option(
        ["-p", "--parameter", "pairs"],
        multiple=True,
        metavar="NAME=VALUE",
        help="Give the value of a masked parameter again: it is not stored.",
    )


def new_run_options() -> list[click.Parameter]:
    """Make the options of a new run that come before its limits."""
    return [
        click.Option(
            ["-p", "--parameter", "pairs"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Set a parameter.",
        ),
        click.Option(
            ["-f", "--parameters-file", "files"],
            multiple=True,
            type=click.Path(),
            metavar="FILE",
            help="Read parameters from a YAML or JSON file; -p takes precedence.",
        ),
        click.Option(
            ["--mask"],
            multiple=True,
            metavar="NAME",
            help="Store and show *** instead of this parameter's value; it is the default for "
            "password, token, api_key and names that end so.",
        ),
        click.Option(
            ["--no-mask"],
            multiple=True,
            metavar="NAME",
            help="Store and show this parameter's value although its name looks like a secret.",
        ),
        click.Option(["--name"], help="The run's name [default: the notebook's name]."),
        click.Option(
            ["--from", "from_step"],
            type=StepName(),
            metavar="STEP",
            help="Execute this step and all that depend on it, even if nothing changed.",
        ),
        click.Option(
            ["--only", "only_step"],
            type=StepName(),
            metavar="STEP",
            help="Execute only this step, with its inputs from the latest run that has them.",
        ),
        click.Option(
            ["--no-cache"],
            is_flag=True,
            help="Execute every step, even if an earlier run has its result.",
        ),
        on_option("Where the steps execute [default: local]."),
        *target_options(),
    ]


def create_run(
    pipeline: Pipeline,
    files: tuple[str, ...],
    read_pairs: Callable[[], dict[str, Any]],
    *,
    from_step: str | None,
    only_step: str | None,
    no_cache: bool,
    **given: Any,
) -> RunFolder:
    """Make the folder of a new run from the options of ``run``.

    Parameters
    ----------
    files
        Files of parameters.
    read_pairs
        Reads the parameters that were given one by one; they override ``files``.
    """
    from kfnb.api.launch import create

    if from_step is not None and only_step is not None:
        # With the context, the message names the command whose help explains the options.
        context = click.get_current_context()
        raise click.UsageError("--from and --only exclude each other", context)
    options = take_target_options(given)
    return create(
        pipeline,
        parameters_of(pipeline, files, read_pairs),
        from_step=from_step,
        only_step=only_step,
        cache=not no_cache,
        target_options=options,
        **{name: value for name, value in settings_of(given).items() if value is not None},
    )


def parameters_of(
    pipeline: Pipeline, files: tuple[str, ...], read_pairs: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Combine the parameters of files with those that were given one by one, which win."""
    from kfnb.api.parameters import from_file

    parameters: dict[str, Any] = {}
    for path in files:
        parameters.update(from_file(pipeline.parameters, path))
    # -p is the more specific of the two.
    return {**parameters, **read_pairs()}


def settings_of(limits: dict[str, Any]) -> dict[str, Any]:
    """Translate the values of :func:`limit_options` into the API's settings."""
    # None if neither flag was given: a resumed run then keeps its own setting.
    keep_going = limits.pop("keep_going")
    on_failure = None if keep_going is None else "finish" if keep_going else "stop"
    return {**limits, "on_failure": on_failure}


def split_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Split ``name=value`` texts.

    Raises
    ------
    click.UsageError
        If one has no name or no value.
    """
    values = {}
    for pair in pairs:
        # Only the first sign separates: values may contain more of them.
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            from kfnb.runners.parameters import brief

            context = click.get_current_context()
            raise click.UsageError(f"-p expects NAME=VALUE, not {brief(pair)}", context)
        values[name.strip()] = value
    return values
