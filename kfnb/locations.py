"""How a location in a notebook is written for a person: by step, execution count and line.

An index that counts markdown cells from 0 helps no reader, so it appears only in JSON.
"""

from __future__ import annotations

import re

_LONGEST_TEXT = 80
# Some of these characters show the text after them in the opposite direction.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def location(
    *,
    step: str | None = None,
    execution_count: int | None = None,
    line: int | None = None,
    text: str | None = None,
) -> str:
    """Write a location, with what is known of it.

    Parameters
    ----------
    step
        Name of the step.
    execution_count
        What Jupyter shows in brackets beside the cell.
    line
        Line within the cell, from 1.
    text
        That line's text; the cell's first line if ``line`` is None.

    >>> location(step="train", execution_count=12, line=3, text="model.fit(X)")
    'step "train", [12] line 3: `model.fit(X)`'
    >>> location(line=3), location(text="import numpy as np"), location()
    ('line 3', '`import numpy as np`', '')
    """
    count = f"[{execution_count}]" if execution_count is not None else ""
    where = " ".join(part for part in (count, f"line {line}" if line is not None else "") if part)
    if text:
        where = f"{where}: `{text}`" if where else f"`{text}`"
    return ", ".join(part for part in (f'step "{step}"' if step else "", where) if part)


def line_text(source: str, line: int | None = None) -> str:
    """Return line ``line`` (from 1) of a cell's source, or its first line that is not blank.

    It can be quoted in a sentence: stripped, safe to print, at most 80 characters.
    """
    lines = source.split("\n")
    if line is None:
        text = next((text for text in lines if text.strip()), "")
    else:
        text = lines[line - 1] if 0 < line <= len(lines) else ""
    text = one_line(text.strip())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def one_line(text: str) -> str:
    """Write characters that would break or disguise a line (newlines, escapes, bidi) as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
