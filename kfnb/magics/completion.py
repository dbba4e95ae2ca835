"""Tab completion on the lines of ``%%step`` and ``%pipeline``."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfnb.notebook.authoring.magic import FLAGS, cell_declaration

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.magics.session import Session

_PIPELINE = re.compile(r"(?:^|.*=)\s*%pipeline\s")
_STEP = re.compile(r"\s*%%step\s")
_LISTS = frozenset(("--after", "--changes"))
_ID = "kfnb.magics"


@dataclass(frozen=True, slots=True)
class LineAtCursor:
    """A line up to the cursor: complete words, and the word being typed.

    Parameters
    ----------
    typed
        The characters of that word in the line, with an open quote.
    value
        The same without the quote.
    """

    words: tuple[str, ...]
    typed: str
    value: str


def attach(session: Session) -> None:
    """Add our matcher to the shell's completer."""
    from IPython.core.completer import context_matcher

    def matcher(context: Any) -> Any:
        return _result(session, context)

    # It comes first, because variables and files mean nothing on these lines.
    made = context_matcher(identifier=_ID, priority=200)(matcher)
    session.shell.Completer.custom_matchers.append(made)


def detach(session: Session) -> None:
    """Undo :func:`attach`."""
    matchers = session.shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", "") != _ID]


def completions(session: Session, cell: str, line: int, column: int) -> tuple[str, list[str]]:
    """Complete a position in a cell.

    Returns
    -------
    tuple
        The characters before the cursor that are replaced, and the candidates.
    """
    before = cell.split("\n")[line][:column]
    with contextlib.suppress(Exception):  # pressing Tab must never print a traceback
        # The line counts only at the top of a cell.
        if (match := _STEP.match(before)) is not None and not cell.split("\n")[:line]:
            return _of_step(session, split_at_cursor(before[match.end() :]))
        if (match := _PIPELINE.match(before)) is not None:
            return _of_pipeline(session, split_at_cursor(before[match.end() :]))
    return "", []


def split_at_cursor(text: str) -> LineAtCursor:
    """Split a line at the cursor as :func:`kfnb.notebook.authoring.magic.split_words` will.

    >>> split_at_cursor('logs "load d')
    LineAtCursor(words=('logs',), typed='"load d', value='load d')
    >>> split_at_cursor("run --from=tr").typed
    'tr'
    """
    words: list[str] = []
    value, start, quote = "", len(text), ""
    begun = False
    for n, letter in enumerate(text):
        if quote:
            quote, value = ("", value) if letter == quote else (quote, value + letter)
        elif letter.isspace():
            if begun:
                words.append(value)
            value, begun = "", False
            start = len(text)
            continue
        elif letter in "\"'":
            quote = letter
        else:
            value += letter
        if not begun:
            begun, start = True, n
    typed = text[start:]
    flag, equals, rest = typed.partition("=")
    if flag.startswith("--") and equals:
        # The front end replaces only what follows the equals sign.
        return LineAtCursor((*words, flag), rest, rest.lstrip("\"'"))
    return LineAtCursor(tuple(words), typed, value)


def declared_steps(session: Session, notebook: str | None = None) -> list[str]:
    """List the steps of the saved notebook, then those of cells executed here."""
    names: dict[str, None] = {}
    with contextlib.suppress(Exception):
        path = session.locate(notebook).path
        names.update(dict.fromkeys(_saved(path, path.stat().st_mtime_ns)))
    for text in session.shell.history_manager.input_hist_raw:
        if (
            "%%step" in text
            and (claim := cell_declaration(text))
            and claim.step
            and not claim.problems
        ):
            names[claim.step] = None
    return list(names)


def steps_of_run(run: RunFolder) -> list[str]:
    """List the steps of a run."""
    return list(json.loads(run.pipeline.read_bytes())["steps"])


_read: dict[Path, tuple[int, list[str]]] = {}


def _saved(path: Path, changed: int) -> list[str]:
    """Read the names of a notebook's steps; again only after it was saved."""
    from kfnb.notebook.authoring.grouping import declare
    from kfnb.notebook.document import load

    if _read.get(path, (None,))[0] != changed:
        _read[path] = changed, [step.name for step in declare(load(path)).steps]
    return _read[path][1]


def _of_step(session: Session, at: LineAtCursor) -> tuple[str, list[str]]:
    flag = at.words[-1] if at.words else ""
    if flag in _LISTS:
        done, comma, last = at.value.rpartition(",")
        names: Iterable[str]
        names = declared_steps(session) if flag == "--after" else _variables(session)
        taken = set(done.split(","))
        # A candidate replaces the whole list that was typed so far.
        candidates = [
            done + comma + name for name in names if name not in taken and name.startswith(last)
        ]
        return at.typed, _typed(candidates, joined=False)
    if flag in {f.name for f in FLAGS if f.metavar}:
        return at.typed, []
    if at.typed.startswith("-"):
        given = set(at.words)
        return at.typed, [
            f.name for f in FLAGS if f.name not in given and f.name.startswith(at.value)
        ]
    return at.typed, _following(declared_steps(session), _name_words(at.words), at.value)


def _name_words(words: tuple[str, ...]) -> list[str]:
    """Return the words that are neither flags nor their values: the step's name so far."""
    takes = {f.name for f in FLAGS if f.metavar}
    of_the_name: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("--"):
            skip = word in takes
        else:
            of_the_name.append(word)
    return of_the_name


def _following(names: Iterable[str], words: list[str], value: str) -> list[str]:
    """Complete a name of several words from its earlier words and the word being typed."""
    begun = "".join(f"{word} " for word in words)
    fitting = [name[len(begun) :] for name in names if name.startswith(begun + value)]
    return _typed([name for name in fitting if name], joined=True)


def _variables(session: Session) -> list[str]:
    hidden = session.shell.user_ns_hidden
    return [n for n in session.variables if not n.startswith("_") and n not in hidden]


def _of_pipeline(session: Session, at: LineAtCursor) -> tuple[str, list[str]]:
    """Let click complete the commands and their arguments."""
    from click.shell_completion import ShellComplete

    from kfnb.magics.commands import pipeline

    asked = ShellComplete(pipeline, {"obj": session}, "%pipeline", "")
    given = at.words
    candidates = asked.get_completions(list(given), at.value)
    joined = bool(given) and not given[-1].startswith("-")
    return at.typed, _typed(
        [item.value for item in candidates if item.type == "plain"], joined=joined
    )


def _typed(names: Iterable[str], *, joined: bool) -> list[str]:
    """Quote names where needed, and leave out those that cannot be typed.

    Parameters
    ----------
    joined
        Whether a name with spaces needs no quotes here.
    """
    typed = []
    for name in names:
        if not name.isprintable() or not name.strip():
            continue
        plain = " ".join(name.split()) == name and not re.search(r"[\"']| -", name)
        if plain and (joined or " " not in name):
            typed.append(name)
        elif '"' not in name:
            typed.append(f'"{name}"')
        elif "'" not in name:
            typed.append(f"'{name}'")
    return typed


def _result(session: Session, context: Any) -> Any:
    from IPython.core.completer import SimpleCompletion

    typed, candidates = completions(
        session, context.full_text, context.cursor_line, context.cursor_position
    )
    # With candidates of ours, those of IPython's other matchers are suppressed.
    made = {
        "completions": [SimpleCompletion(text, type="kfnb") for text in candidates],
        "ordered": True,
    }
    return {**made, "suppress": True, "matched_fragment": typed} if candidates else made
