"""The registry of diagnostics: each has a stable code and a severity.

Ranges: 00x the document, 1xx data flow, 2xx tags and options, 3xx files, 4xx library state,
5xx options that the target does not support, 6xx findings of a run, 7xx infrastructure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kfnb.locations import line_text, one_line
from kfnb.pipeline import Cell, Diagnostic, Severity


@dataclass(frozen=True, slots=True)
class Code:
    """Severity and title of a code."""

    severity: Severity
    title: str


def _codes(severity: Severity, titles: dict[str, str]) -> dict[str, Code]:
    return {code: Code(severity, title) for code, title in titles.items()}


CODES: dict[str, Code] = {
    **_codes(
        "error",
        {
            "KFNB-E001": "a cell cannot be read",
            "KFNB-E002": "steps need a Python kernel",
            "KFNB-E101": "syntax error",
            "KFNB-E102": "undefined name",
            "KFNB-E104": "cells of two steps interleave",
            "KFNB-E105": "setup needs a step's value",
            "KFNB-E201": "two cells claim different options for one step",
            "KFNB-E202": "an option cannot be understood",
            "KFNB-E203": "after: names no step",
            "KFNB-E204": "a cycle of dependencies",
            "KFNB-E205": "a step needs a name",
            "KFNB-E206": "metadata is not valid",
            "KFNB-E207": "the %%step line cannot be understood",
            "KFNB-E208": "a cell claims two steps",
            "KFNB-E209": "the on-exit step is not clear",
            "KFNB-E210": "a cell stands for another notebook",
            "KFNB-E219": "a %%step line that is not on top of its cell",
            "KFNB-E405": "a module's attribute is changed in another step",
            "KFNB-E406": "IPython's history of another step is read",
            "KFNB-E407": "setup makes a value that differs in each step",
            "KFNB-E410": "steps that share a kernel have different options",
            "KFNB-E502": "the notebook's kernel is not installed",
            "KFNB-E601": "a step began with a value before it was changed",
            "KFNB-E602": "an unforeseen change was not saved",
            "KFNB-E603": "an object was changed under one of its names",
            "KFNB-E604": "a file was read before it was written",
            "KFNB-E605": "a file was read with a later step's content",
            "KFNB-E609": "a step changed what setup makes",
            "KFNB-E614": "a step began with another state of a library",
            "KFNB-E616": "a step does more with a value than to add to it",
            "KFNB-E651": "the notebook fails from top to bottom",
            "KFNB-E652": "a step fails in the pipeline only",
            "KFNB-E653": "a text output differs from the notebook's",
            "KFNB-E654": "a value differs from the notebook's",
        },
    ),
    **_codes(
        "warning",
        {
            "KFNB-W003": "a cell is not as Jupyter writes it",
            "KFNB-W103": "a name that may be undefined",
            "KFNB-W107": "Kale's rule gives another producer",
            "KFNB-W108": "code that cannot be read",
            "KFNB-W109": "setup stands after the step that needs it",
            "KFNB-W110": "a statement is nested too deeply",
            "KFNB-W111": "changes: names nothing",
            "KFNB-W211": "magic, metadata and tag disagree",
            "KFNB-W212": "a tag looks misspelt",
            "KFNB-W213": "a cell has two roles",
            "KFNB-W214": "a tag has no effect where it is",
            "KFNB-W215": "lines that launch pipelines are left out",
            "KFNB-W216": "there is nothing to execute",
            "KFNB-W218": "a setting of Kale that has no effect",
            "KFNB-W220": "%%step is used without %load_ext kfnb",
            "KFNB-W221": "a tag has no effect yet",
            "KFNB-W416": "a global option is set in another step",
            "KFNB-W417": "a cache belongs to one process",
            "KFNB-W418": "setup may make a value that differs in each step",
            "KFNB-W501": "options that the target cannot honour",
            "KFNB-W601": "a step began with a value before it was changed (by request)",
            "KFNB-W602": "an unforeseen change was not saved (by request)",
            "KFNB-W603": "an object was changed under one of its names (by request)",
            "KFNB-W604": "a file was read before it was written (by request)",
            "KFNB-W605": "a file was read with a later step's content (by request)",
            "KFNB-W606": "a step changed a value unforeseen",
            "KFNB-W607": "a file flowed between steps unforeseen",
            "KFNB-W608": "two steps wrote one file at the same time",
            "KFNB-W609": "a step changed what setup makes (by request)",
            "KFNB-W610": "a metric could not be logged",
            "KFNB-W611": "a cell called sys.exit",
            "KFNB-W612": "a kernel did not exit by itself",
            "KFNB-W613": "threads outlived the saving of a step's values",
            "KFNB-W614": "a step began with another state of a library (by request)",
            "KFNB-W617": "a step left processes running",
            "KFNB-W619": "a step wrote files whose names are not UTF-8",
            "KFNB-W655": "an output differs, as it does from run to run",
            "KFNB-W656": "a value cannot be compared",
            "KFNB-W657": "notebook and pipeline fail alike",
            "KFNB-W701": "a path that is not in the notebook's folder",
            "KFNB-W702": "values come from another version of Python",
            "KFNB-W703": "values come from other versions of packages",
            "KFNB-W704": "a file that is read is not in the notebook's folder",
            "KFNB-W710": "a step waits for the cluster",
            "KFNB-W711": "the run pauses while this machine sleeps",
            "KFNB-W712": "the process that supervises the steps was stopped",
        },
    ),
    **_codes(
        "hint",
        {
            "KFNB-H112": "calls that are assumed to depend on everything",
            "KFNB-H113": "a step waits because two steps change one value",
            "KFNB-H114": "loops that may name more files than are known",
            "KFNB-H115": "a step reads the whole environment",
            "KFNB-H117": "steps share a kernel",
        },
    ),
}


def make(
    code: str,
    message: str,
    remedy: str,
    *,
    step: str | None = None,
    cell: int | None = None,
    line: int | None = None,
) -> Diagnostic:
    """Make a diagnostic with the severity that its code has.

    Characters that would break or disguise a line (a newline in a step's name, a terminal's
    escape sequences, right-to-left overrides) are written as escapes.

    Raises
    ------
    KeyError
        If the code is not registered.
    """
    return Diagnostic(
        code, CODES[code].severity, one_line(message), one_line(remedy), step, cell, line
    )


def located(diagnostics: Iterable[Diagnostic], cells: Sequence[Cell]) -> Iterator[Diagnostic]:
    """Add to each diagnostic its line's text and its cell's execution count."""
    for diagnostic in diagnostics:
        index = diagnostic.cell
        if index is None or not 0 <= index < len(cells):
            yield diagnostic
            continue
        cell = cells[index]
        text = line_text(cell.source, diagnostic.line) or None
        yield replace(diagnostic, text=text, execution_count=cell.execution_count)
