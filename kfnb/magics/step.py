"""``%%step`` in a live kernel: the line declares a step, and the cell runs as it stands.

An input transformation makes a comment of the line, as a step's execution does. So the
cell is compiled and run by IPython itself: ``await``, the numbers of lines, what the last
expression shows, magics below the line are those of a cell without it. The magic proper
is called where the line is wrong or asks for help, or by somebody's own code.
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
_ABOUT = """Declare this cell as a step of the pipeline, and run it as usual.

    Words without dashes are the step's name; several cells may carry the same.
    """


def as_comment(lines: list[str]) -> list[str]:
    """Make a comment of a ``%%step`` line that can be understood (an input transformation).

    Line numbers stay. A cell magic below it becomes the call that IPython makes of one on
    top of a cell.
    """
    source = "".join(lines)
    line = step_line(source)
    if line is None:
        # Below another magic the line would be taken for a comment of its cell.
        return lines if below_a_magic(source) is None else [_refusal("", source)]
    if _asks_for_help(line) or _wrong(line) is not None:
        # IPython would not call a cell magic without a body.
        return [_refusal(line.removeprefix("%%step").strip(), source)]
    from IPython.core.inputtransformer2 import leading_indent

    # IPython did so before it came to this, when the line above stood at the margin.
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


# IPython asks whether a cell is complete without such ones: a cell magic in a terminal is
# complete after an empty line, a comment is at once.
as_comment.has_side_effects = True  # type: ignore[attr-defined]


def step_magic(shell: Any) -> Callable[[str, str], None]:
    """Return the magic for a shell."""

    def step(line: str, cell: str) -> None:
        if _asks_for_help(f"%%step {line}"):
            # IPython writes it for a page of documentation, which begins a block with "::".
            print(described.parser.format_help().removeprefix("::\n\n"))
            return
        wrong = _above(cell) or _wrong(f"%%step {line}")
        if wrong is not None:
            raise PipelineError(wrong)
        _execute(shell, line, cell)

    described = _described(step)
    return described  # type: ignore[no-any-return]


def _described(step: Callable[[str, str], None]) -> Any:
    """Give the magic its help, made of the flags that the parser of the line knows."""
    from IPython.core.magic import no_var_expand
    from IPython.core.magic_arguments import argument, magic_arguments

    step.__doc__ = _ABOUT
    # The name of a step is text: IPython would evaluate what stands in braces.
    made: Any = no_var_expand(step)
    for flag in reversed(FLAGS):
        takes = {"action": "store_true"} if flag.metavar is None else {"metavar": flag.metavar}
        made = argument(flag.name, help=flag.help, **takes)(made)
    made = argument("name", nargs="*", metavar="NAME", help="The step's name.")(made)
    return magic_arguments("%step")(made)


def _asks_for_help(line: str) -> bool:
    return not _HELP.isdisjoint(split_words(line.removeprefix("%%step")))


def _wrong(line: str) -> str | None:
    """Say what is wrong with a line; None if nothing is."""
    claim: Declaration | None = cell_declaration(line)
    if claim is None or not claim.problems:
        return None
    problems = [
        p.message.removeprefix("the %%step line cannot be understood: ") for p in claim.problems
    ]
    said = "; ".join(problems)
    return f"The %%step line cannot be understood: {said}. {claim.problems[0].remedy}"


def _above(cell: str) -> str | None:
    """Say that another magic stands above the line; None if none does."""
    if below_a_magic(cell) is None:
        return None
    other = cell.split(maxsplit=1)[0]
    return (
        "A %%step line declares a step only on top of its cell: move it to the first line, "
        f"above {other}."
    )


def _execute(shell: Any, line: str, cell: str) -> None:
    """Run a cell that was given to the magic itself, not typed; raises what the cell raises."""
    import ast

    __tracebackhide__ = True
    source = f"# %%step {line}\n{cell}"
    code = shell.transform_cell(source)
    name = shell.compile.cache(code, shell.execution_count, raw_code=source)
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        tree = shell.transform_ast(shell.compile.ast_parse(code, name))
        shown = [tree.body.pop()] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
        parts = [
            shell.compile(part, name, mode)
            for part, mode in (
                (ast.Module(tree.body, []), "exec"),
                # The form of which Python shows the value.
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
    raise PipelineError(
        "await works in a cell that begins with %%step; this one was given to run_cell_magic."
    )
