"""``%%step`` in a live kernel: the line declares a step, and the cell runs as usual.

An input transformation turns the line into a comment, as in a step. So IPython itself compiles and
runs the cell, and ``await``, line numbers, the output of the last expression and magics below the
line work as without it. The magic function is only called if the line is wrong or asks for help,
or by other code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from kfnb.magics.errors import PipelineError
from kfnb.notebook.authoring.declarations import Declaration
from kfnb.notebook.authoring.magic import FLAGS, below_a_magic, cell_declaration, split_words
from kfnb.notebook.transform import step_line, without_step_line

_HELP = frozenset(("-h", "--help"))
_ABOUT = """Make this cell part of a step of the pipeline, and run it as usual.

    Words without dashes are the step's name; several cells may have the same one.
    """


def as_comment(lines: list[str]) -> list[str]:
    """Turn a valid ``%%step`` line into a comment (an input transformation).

    Line numbers stay. A cell magic below it becomes the call that IPython makes of a cell magic
    in the first line.
    """
    source = "".join(lines)
    line = step_line(source)
    if line is None:
        # Below another magic the line would silently be part of that magic's cell.
        return lines if below_a_magic(source) is None else [_refusal("", source)]
    if _asks_for_help(line) or _line_problem(line) is not None:
        # IPython would not call a cell magic without a body.
        return [_refusal(line.removeprefix("%%step").strip(), source)]
    from IPython.core.inputtransformer2 import leading_indent

    # IPython has removed the indentation already, unless the %%step line had none.
    made: list[str] = leading_indent(without_step_line(source).splitlines(keepends=True))
    top = next(n for n, text in enumerate(made) if text.strip()) + 1
    while top < len(made) and not made[top].strip():
        top += 1
    if top < len(made) and made[top].startswith("%%"):
        from IPython.core.inputtransformer2 import cell_magic

        made[top:] = cell_magic(made[top:])
    return made


def _refusal(words: str, source: str) -> str:
    return f"get_ipython().run_cell_magic('step', {words!r}, {source!r})\n"


# IPython skips such transformations when it checks whether a cell is complete. In a terminal a
# cell magic is complete after an empty line, while a comment would be complete at once.
as_comment.has_side_effects = True  # type: ignore[attr-defined]


def step_magic(shell: Any) -> Callable[[str, str], None]:
    """Return the ``%%step`` magic of a shell."""

    def step(line: str, cell: str) -> None:
        if _asks_for_help(f"%%step {line}"):
            # IPython formats help for its documentation, in which "::" begins a block.
            print(described.parser.format_help().removeprefix("::\n\n"))
            return
        wrong = _position_problem(cell) or _line_problem(f"%%step {line}")
        if wrong is not None:
            raise PipelineError(wrong)
        _execute(shell, line, cell)

    described = _with_help(step)
    return described  # type: ignore[no-any-return]


def _with_help(step: Callable[[str, str], None]) -> Any:
    """Add the help, generated from the flags that the line's parser knows."""
    from IPython.core.magic import no_var_expand
    from IPython.core.magic_arguments import argument, magic_arguments

    step.__doc__ = _ABOUT
    # The name of a step is plain text; IPython would evaluate expressions in braces.
    made: Any = no_var_expand(step)
    for flag in reversed(FLAGS):
        takes = {"action": "store_true"} if flag.metavar is None else {"metavar": flag.metavar}
        made = argument(flag.name, help=flag.help, **takes)(made)
    made = argument("name", nargs="*", metavar="NAME", help="The step's name.")(made)
    return magic_arguments("%step")(made)


def _asks_for_help(line: str) -> bool:
    return not _HELP.isdisjoint(split_words(line.removeprefix("%%step")))


def _line_problem(line: str) -> str | None:
    """Return what is wrong with a line; None if nothing is."""
    claim: Declaration | None = cell_declaration(line)
    if claim is None or not claim.problems:
        return None
    problems = [
        p.message.removeprefix("the %%step line cannot be understood: ") for p in claim.problems
    ]
    listed = "; ".join(problems)
    return f"The %%step line cannot be understood: {listed}. {claim.problems[0].remedy}"


def _position_problem(cell: str) -> str | None:
    """Return an error if another magic stands above the line; else None."""
    if below_a_magic(cell) is None:
        return None
    other = cell.split(maxsplit=1)[0]
    return f"A %%step line must be the first line of its cell: move it above {other}."


def _execute(shell: Any, line: str, cell: str) -> None:
    """Run a cell that code passed to the magic; raise whatever the cell raises."""
    import ast

    # IPython leaves frames with this variable out of tracebacks.
    __tracebackhide__ = True
    source = f"# %%step {line}\n{cell}"
    code = shell.transform_cell(source)
    # By this name tracebacks find the lines of the cell.
    name = shell.compile.cache(code, shell.execution_count, raw_code=source)
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        tree = shell.transform_ast(shell.compile.ast_parse(code, name))
        shown = [tree.body.pop()] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
        parts = [
            shell.compile(part, name, mode)
            for part, mode in (
                (ast.Module(tree.body, []), "exec"),
                # Only in this mode Python displays the value of an expression.
                (ast.Interactive(shown), "single"),
            )
            if part.body
        ]
    for part in parts:
        if part.co_flags & inspect.CO_COROUTINE:
            _await(shell, part)
        else:
            exec(part, shell.user_global_ns, shell.user_ns)  # noqa: S102 (the user's cell)


def _await(shell: Any, code: CodeType) -> None:
    import asyncio

    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        shell.loop_runner(eval(code, shell.user_global_ns, shell.user_ns))  # noqa: S307 (as above)
        return
    # A kernel's loop is running already, and this function cannot wait for it.
    raise PipelineError(
        "A cell that is passed to run_cell_magic cannot use await; begin the cell with %%step."
    )
