"""Parse a line of ``%pipeline``, insert variables, and call the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session

_VARIABLE = re.compile(r"\{([^\W\d]\w*(?:\.[^\W\d]\w*)*)\}")
_UNCLOSED = re.compile(r"\{([^\W\d]\w*(?:\.[^\W\d]\w*)*)$")


def pipeline_magic(session: Session) -> Callable[[str], None]:
    """Return the ``%pipeline`` magic of a session."""
    from IPython.core.magic import no_var_expand

    def pipeline(line: str) -> None:
        """Show, check and run the pipeline of this notebook: ``%pipeline --help``.

        ``{name}`` in a value stands for a variable of yours: ``%pipeline run -p lr={lr}``.
        """
        run_line(session, line)

    # IPython would evaluate everything in braces, even in the name of a step.
    made: Callable[[str], None] = no_var_expand(pipeline)
    return made


def run_line(session: Session, line: str) -> None:
    """Run the command of a line.

    Raises
    ------
    PipelineError
        If the command fails, with the sentence that people read.
    """
    import os

    import click

    from kfnb.commands.terminal import call_error
    from kfnb.errors import KfnbError
    from kfnb.magics.commands import pipeline
    from kfnb.notebook.authoring.magic import split_words

    if "KFNB_STEP" in os.environ:
        # Steps are made without such lines; this one was called by a function, for instance.
        session.note("%pipeline does nothing inside a step of a run.")
        return
    words = [_expand(word, session.variables) for word in split_words(line)]
    problem: str
    try:
        # In standalone mode click would print errors itself, and call sys.exit.
        pipeline.main(words, prog_name="%pipeline", standalone_mode=False, obj=session)
        return
    except click.ClickException as error:
        problem = call_error(error)
    except click.Abort:
        # click turns Ctrl+C into Abort, but IPython expects KeyboardInterrupt.
        raise KeyboardInterrupt from None
    except (KfnbError, PipelineError) as error:
        problem = str(error)
    raise PipelineError(problem)


def variable(name: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of ``a`` or ``a.b``.

    Raises
    ------
    PipelineError
        If there is none, suggesting a similar name.
    """
    from kfnb.notebook.suggestions import did_you_mean

    first, *rest = name.split(".")
    if first not in variables:
        hint = did_you_mean(first, variables, "Execute the cell that defines it.")
        raise PipelineError(f'This kernel has no variable "{first}". {hint}')
    value = variables[first]
    for part in rest:
        try:
            value = getattr(value, part)
        except AttributeError:
            raise PipelineError(f'"{first}" has no attribute "{part}".') from None
    return value


def parameter_value(text: str, variables: Mapping[str, Any]) -> tuple[bool, Any]:
    """Read the value of ``-p name=VALUE``.

    Returns
    -------
    tuple
        True and the variable's value if the text is only ``{name}``; else False and the text
        with variables inserted.

    Raises
    ------
    PipelineError
        If there is no such variable, or a brace is not closed.
    """
    unclosed = _UNCLOSED.search(text)
    if unclosed is not None:
        raise PipelineError(f'A brace in "{text}" is not closed: write {{{unclosed[1]}}}.')
    whole = _VARIABLE.fullmatch(text)
    if whole is not None:
        return True, variable(whole[1], variables)
    return False, _VARIABLE.sub(lambda match: str(variable(match[1], variables)), text)


def _expand(word: str, variables: Mapping[str, Any]) -> str:
    """Insert a variable that is a whole word: ``%pipeline status {run_id}``.

    A word that names no variable stays, because a step's name may have braces.
    """
    match = _VARIABLE.fullmatch(word)
    if match is None or match[1].partition(".")[0] not in variables:
        return word
    return str(variable(match[1], variables))
