"""IPython's input transformation, where a cell needs it, and only then.

A cell that parses as plain Python is what it is: importing IPython costs 70 ms and
is kept for cells with magics, shell lines and help requests.
"""

from __future__ import annotations

import ast
import re
import warnings

_CELL_MAGIC = re.compile(r"\s*%%(\S+)[^\n]*")
# Cell magics whose body is Python that runs in the notebook's namespace.
PYTHON_BODY = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "lprun", "mprun", "python_cell"}
)
_STEP_LINE = re.compile(r"\A(\s*)%%step\b([^\n]*)")


def is_python(source: str) -> bool:
    """Tell whether ``source`` parses as it stands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def without_step_line(source: str) -> str:
    """Turn a leading ``%%step`` line into a comment, so that line numbers stay."""
    return _STEP_LINE.sub(r"\1# %%step\2", source, count=1)


def transform(source: str) -> str:
    """Give what IPython makes of a cell, with the same line numbers.

    The body of a cell magic that runs it in the notebook (``%%time`` …) stays
    Python; other cell magics become the call that IPython makes of them.
    """
    source = without_step_line(source)
    if is_python(source):
        return source
    head, _, body = source.partition("\n")
    magic = _CELL_MAGIC.fullmatch(head)
    if magic and magic[1] in PYTHON_BODY:
        return _line(head) + "\n" + transform(body)
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        changed: str = TransformerManager().transform_cell(source)
    except SyntaxError:
        return source
    return changed if source.endswith("\n") else changed.removesuffix("\n")


def _line(head: str) -> str:
    """Present ``%%time`` and its like as a call on one line."""
    name, _, rest = head.strip()[2:].partition(" ")
    return f"get_ipython().run_line_magic({name!r}, {rest!r})"
