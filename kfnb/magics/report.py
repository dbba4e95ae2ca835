"""Diagnostics in a notebook: as HTML with links to the cells, and as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kfnb.draw import shortened, visible
from kfnb.locations import location
from kfnb.magics.errors import PipelineError
from kfnb.magics.notebook_path import opens_links_in_new_tab
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.runners.amounts import count

if TYPE_CHECKING:
    from kfnb.magics.session import Session

_COLOURS = {
    "error": "var(--jp-error-color1, #c21f2c)",
    "warning": "var(--jp-warn-color1, #9a6700)",
    "hint": "var(--jp-info-color1, #1565c0)",
}
_MARKS = {"error": "✗", "warning": "▲", "hint": "○"}
_SOURCE = 160
_CLICK = (
    "var d=document.getElementById('jupyter-config-data'),"
    "b=d&&d.textContent.indexOf('notebookPage')>0&&this.closest('.jp-Notebook'),"
    "c=b&&(b.querySelector('.jp-Cell[data-windowed-list-index=\"#\"]')"
    "||b.querySelectorAll('.jp-Cell')[#]);"
    "if(c){c.scrollIntoView({block:'center'});"
    "event.preventDefault();event.stopImmediatePropagation()}"
)
"""Scrolls to the cell in Notebook 7, which would open the notebook in another tab. Other pages
follow the link itself."""
_ONCE = frozenset(("KFNB-W215",))


def show_problems(session: Session, pipeline: Pipeline) -> None:
    """Show the diagnostics of a pipeline, if there are any.

    A harmless finding (a view in a cell of a step) is shown once per session, and by ``check``.
    """
    problems = [one for one in pipeline.diagnostics if one not in session.shown_once]
    session.shown_once.update(one for one in problems if one.code in _ONCE)
    if problems:
        show_diagnostics(session, pipeline, problems)


def refuse(session: Session, pipeline: Pipeline) -> PipelineError:
    """Show a notebook's findings, the errors last; return the error that ends the cell."""
    title = f"Nothing was started, because of {count(len(pipeline.errors), 'error')}"
    if not session.in_notebook:
        others = [one for one in pipeline.diagnostics if one.severity != "error"]
        if others:
            show_diagnostics(session, pipeline, others)
        return PipelineError("\n".join([f"{title}:", *(f"error: {e}" for e in pipeline.errors)]))
    # The page shows the errors with links to their cells, so the red box below only names them.
    show_diagnostics(session, pipeline, pipeline.diagnostics, errors_last=True)
    named = (f"{e.code} ({e.location})" if e.location else e.code for e in pipeline.errors)
    return PipelineError(f"{title}: {', '.join(named)}.")


def show_diagnostics(
    session: Session,
    pipeline: Pipeline,
    diagnostics: Sequence[Diagnostic],
    *,
    head: str = "",
    errors_last: bool = False,
) -> None:
    """Show diagnostics, errors first or last: as HTML in a notebook, else as lines.

    Parameters
    ----------
    head
        A heading.
    errors_last
        For a call that fails because of them: its output ends with the errors.
    """
    # The sort is stable, so each group keeps the notebook's order.
    ordered = sorted(diagnostics, key=lambda d: (d.severity == "error") == errors_last)
    text = "\n".join([*(visible(f"{d.severity}: {d}") for d in ordered), *([head] if head else [])])
    if not session.in_notebook:
        print(text)
        return
    links_by_name = session.has_page and not opens_links_in_new_tab()
    page = Path(pipeline.path or "").name if links_by_name else None
    written = html(pipeline, ordered, head=head, page=page, scrolls=session.has_page)
    shown = {"text/plain": text, "text/html": written}
    session.display(shown, raw=True)


def html(
    pipeline: Pipeline,
    diagnostics: Sequence[Diagnostic],
    *,
    head: str = "",
    page: str | None = None,
    scrolls: bool = False,
) -> str:
    """Return diagnostics as HTML, in which all contents of the notebook are escaped.

    Parameters
    ----------
    page
        The notebook's file name, because JupyterLab understands links to ``NAME#cell-id=ID``. None
        for an exported page, which understands ``#cell-id=ID``, and for pages that would open the
        notebook in another tab.
    scrolls
        Whether a click scrolls the open notebook, because Notebook 7 has no links to cells.
    """
    parts = [f"<div><b>{escape(visible(head))}</b></div>"] if head else []
    parts += [_item(pipeline, diagnostic, page, scrolls=scrolls) for diagnostic in diagnostics]
    return f'<div class="kfnb-diagnostics">{"".join(parts)}</div>'


def cell_link(
    pipeline: Pipeline, cell: int, text: str, page: str | None, *, scrolls: bool = False
) -> str:
    """Link a text to a cell of the notebook."""
    target = f"{quote(page) if page else ''}#cell-id={quote(pipeline.cells[cell].id)}"
    act = f' onclick="{escape(_CLICK.replace("#", str(cell)))}"' if scrolls else ""
    return f'<a href="{escape(target)}"{act}>{escape(text)}</a>'


def _item(pipeline: Pipeline, diagnostic: Diagnostic, page: str | None, *, scrolls: bool) -> str:
    severity = diagnostic.severity
    colour = _COLOURS[severity]
    where = source = ""
    if diagnostic.cell is not None and 0 <= diagnostic.cell < len(pipeline.cells):
        cell = pipeline.cells[diagnostic.cell]
        text = location(execution_count=cell.execution_count, line=diagnostic.line) or "the cell"
        where = f" {cell_link(pipeline, diagnostic.cell, text, page, scrolls=scrolls)}"
        source = _line(cell.source, diagnostic.line)
    return (
        f'<div style="border-left:3px solid {colour};padding:0 0 0 .6em;margin:.5em 0">'
        f'<div><span style="color:{colour}">{_MARKS[severity]} {severity}</span> '
        f"<code>{escape(diagnostic.code)}</code>{where}</div>"
        f"<div>{escape(visible(diagnostic.message))}.</div>"
        f"{source}<div><i>{escape(visible(diagnostic.remedy))}</i></div></div>"
    )


def _line(source: str, number: int | None) -> str:
    lines = source.splitlines()
    if number is None or not 1 <= number <= len(lines) or not lines[number - 1].strip():
        return ""
    shown = shortened(visible(lines[number - 1].strip().expandtabs(4)), _SOURCE)
    return f"<div><code>{escape(shown)}</code></div>"
