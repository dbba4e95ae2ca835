"""The line of ``%pipeline``: split into words, variables put in, handed to a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kfnb.magics.errors import PipelineError
from kfnb.magics.session import Session

_VARIABLE = re.compile(r"\{([^\W\d]\w*(?:\.[^\W\d]\w*)*)\}")
_UNCLOSED = re.compile(r"\{([^\W\d]\w*(?:\.[^\W\d]\w*)*)$")


def pipeline_magic(session: Session) -> Callable[[str], None]:
    """Return the magic for a session."""
    from IPython.core.magic import no_var_expand

    def pipeline(line: str) -> None:
        """Show, check and run the pipeline of this notebook: ``%pipeline --help``.

        ``{name}`` in a value stands for a variable of yours: ``%pipeline run -p lr={lr}``.
        """
        obey(session, line)

    # IPython would put in whatever stands in braces, also where a step's name has them.
    made: Callable[[str], None] = no_var_expand(pipeline)
    return made


def obey(session: Session, line: str) -> None:
    """Do what a line says.

    Raises
    ------
    PipelineError
        If that cannot be done: the sentence that a person reads.
    """
    import os

    import click

    from kfnb.commands.terminal import call_error
    from kfnb.errors import KfnbError
    from kfnb.magics.commands import pipeline
    from kfnb.notebook.authoring.magic import split_words

    if "KFNB_STEP" in os.environ:
        # Such lines are left out when a step is made; this one came by another way.
        session.note("%pipeline does nothing inside a step of a run.")
        return
    words = [_expanded(word, session.variables) for word in split_words(line)]
    problem: str
    try:
        pipeline.main(words, prog_name="%pipeline", standalone_mode=False, obj=session)
        return
    except click.ClickException as error:
        problem = call_error(error)
    except click.Abort:
        raise KeyboardInterrupt from None
    except (KfnbError, PipelineError) as error:
        problem = str(error)
    raise PipelineError(problem)


def variable(name: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of ``a`` or ``a.b``.

    Raises
    ------
    PipelineError
        If there is none: with the name that was probably meant.
    """
    from kfnb.notebook.suggestions import did_you_mean

    first, *rest = name.split(".")
    if first not in variables:
        hint = did_you_mean(first, variables, "Execute the cell that makes it.")
        raise PipelineError(f'There is no variable "{first}" here. {hint}')
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
        Whether it is a variable's value as it stands (``{name}`` alone), and that value; or
        the text with the variables in it put in.

    Raises
    ------
    PipelineError
        If there is no such variable, or its brace is not closed.
    """
    torn = _UNCLOSED.search(text)
    if torn is not None:
        raise PipelineError(f'The brace in "{text}" is not closed: write {{{torn[1]}}}.')
    whole = _VARIABLE.fullmatch(text)
    if whole is not None:
        return True, variable(whole[1], variables)
    return False, _VARIABLE.sub(lambda found: str(variable(found[1], variables)), text)


def _expanded(word: str, variables: Mapping[str, Any]) -> str:
    """Put in a variable that is a whole word: ``%pipeline status {run_id}``.

    A name of a step may look like that too: what is no variable stays.
    """
    found = _VARIABLE.fullmatch(word)
    if found is None or found[1].partition(".")[0] not in variables:
        return word
    return str(variable(found[1], variables))
