"""Which files a shell command names: redirections, and the arguments of everyday commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Literal

Access = tuple[Literal["read", "write"], str]

_READERS = frozenset(
    [
        "cat",
        "head",
        "tail",
        "wc",
        "sort",
        "uniq",
        "less",
        "more",
        "md5sum",
        "sha1sum",
        "sha256sum",
        "zcat",
        "gunzip",
        "unzip",
        "nl",
        "tac",
        "column",
        "file",
        "stat",
        "source",
    ]
)
_WRITERS = frozenset(("touch", "tee", "rm", "unlink", "truncate"))
_OUTPUT_FLAG = {"wget": ("-O", "--output-document"), "curl": ("-o", "--output"), "sort": ("-o",)}
_BETWEEN = frozenset((";", "|", "&", "&&", "||", "(", ")", "|&", "\n"))
# Patterns, substituted commands, the home folder, standard input, devices and addresses.
_NOT_PLAIN = re.compile(r"[*?\[\]`$]|^~|^-$|^/dev/|://")
# A file has a suffix or a folder; a bare word after `head -n 5` would be a number.
_COUNT = re.compile(r"[+-]?\d+[kKmMgGbB]?")


def accesses(command: str, fill: Callable[[str], str | None]) -> Iterator[Access]:
    """Yield what a command reads and writes, as far as its words are plain.

    Parameters
    ----------
    command
        Shell text, of one line or more.
    fill
        Replaces ``{name}`` and ``$name`` in a word; None where it is not known.
    """
    for line in command.replace("\\\n", " ").splitlines():
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            # With a quote that is not closed, the meaning of the line is unknown.
            continue
        simple: list[str] = []
        for word in words:
            if word in _BETWEEN:
                yield from _command(simple, fill)
                if simple[:1] == ["cd"]:
                    return
                simple = []
            else:
                simple.append(word)
        yield from _command(simple, fill)
        if simple[:1] == ["cd"]:
            # From here on, relative names mean something else.
            return


def _command(words: list[str], fill: Callable[[str], str | None]) -> Iterator[Access]:
    arguments: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if set(word) <= set("<>&|") and set(word) & set("<>"):
            # The number of a stream, as in 2>errors.txt, is a separate word here.
            if arguments and arguments[-1] in ("1", "2", "0"):
                arguments.pop()
            target = words[position + 1] if position + 1 < len(words) else ""
            position += 2
            if word in (">", ">|", "&>"):
                yield from _plain("write", target, fill)
            elif word in (">>", "&>>"):
                yield from _plain("read", target, fill)
                yield from _plain("write", target, fill)
            elif word == "<":
                yield from _plain("read", target, fill)
            continue
        arguments.append(word)
        position += 1
    if not arguments:
        return
    program, rest = arguments[0].rsplit("/", 1)[-1], arguments[1:]
    names = [a for a in rest if not a.startswith("-") and not _COUNT.fullmatch(a)]
    if program in _READERS:
        for name in names:
            yield from _plain("read", name, fill)
    elif program in _WRITERS:
        for name in names:
            # A file to which something is appended depends on what it had.
            if program == "tee" and "-a" in rest:
                yield from _plain("read", name, fill)
            yield from _plain("write", name, fill)
    elif program in ("grep", "egrep", "sed", "awk") and len(names) > 1:
        # The first word is the pattern or the program.
        for name in names[1:]:
            yield from _plain("read", name, fill)
            if program == "sed" and any(a.startswith("-i") for a in rest):
                yield from _plain("write", name, fill)
    # With more names the last one is a folder, and the new files are not named.
    elif program in ("cp", "mv") and len(names) == 2:
        yield from _plain("read", names[0], fill)
        if program == "mv":
            yield from _plain("write", names[0], fill)
        yield from _plain("write", names[1], fill)
    # Code follows -c, and a module follows -m.
    elif program in ("python", "python3", "bash", "sh") and names and not {"-c", "-m"} & {*rest}:
        yield from _plain("read", names[0], fill)
    for flag in _OUTPUT_FLAG.get(program, ()):
        if flag in rest[:-1]:
            yield from _plain("write", rest[rest.index(flag) + 1], fill)


def _plain(
    access: Literal["read", "write"], word: str, fill: Callable[[str], str | None]
) -> Iterator[Access]:
    filled = fill(word)
    if filled and not _NOT_PLAIN.search(filled):
        yield access, filled


def variables(command: str) -> Iterator[str]:
    """Yield the names after a dollar sign in a command."""
    rest = command
    while "$" in rest:
        # In IPython, $$ stands for a dollar sign of the shell.
        rest = rest.split("$", 1)[1].removeprefix("$").removeprefix("{")
        name = ""
        for character in rest:
            if not (character.isalnum() or character == "_"):
                break
            name += character
        if name and not name[0].isdigit():
            yield name
