"""A path holds one thing at a time: who waits for whom because of a file."""

from __future__ import annotations

from kfnb.notebook.flow.file_dependencies import file_edges
from kfnb.pipeline import FileUse
from tests.notebook.build import codes, pipeline


def edges(*steps: str) -> dict[str, list[str]]:
    """Edges of steps a, b, c …, each given as words: ``<path`` reads, ``>path`` writes, ``@m`` imports."""
    names = "abcdef"[: len(steps)]
    uses = {
        name: [
            FileUse(w[1:], w[1:], "write" if w[0] == ">" else "read", ord(name), line)
            for line, w in enumerate(words.split())
            if w[0] in "<>"
        ]
        for name, words in zip(names, steps, strict=True)
    }
    found = file_edges(
        names,
        {n: [u for u in us if u.mode == "read"] for n, us in uses.items()},
        {n: [u for u in us if u.mode == "write"] for n, us in uses.items()},
        {n: [w[1:] for w in s.split() if w[0] == "@"] for n, s in zip(names, steps, strict=True)},
    )
    return {f"{a}{b}": paths for (a, b), paths in found.items() if paths}


def test_a_reader_waits_for_the_latest_writer() -> None:
    assert edges(">x", "<x") == {"ab": ["x"]}
    assert edges(">x", "<y") == {}
    assert edges("<x", "<x") == {}


def test_a_writer_waits_for_those_who_read_or_wrote_before() -> None:
    assert edges("<x", ">x") == {"ab": ["x"]}
    assert edges(">x", ">x") == {"ab": ["x"]}
    assert edges(">x", "<x", ">x", "<x") == {"ab": ["x"], "ac": ["x"], "bc": ["x"], "cd": ["x"]}


def test_appending_waits_for_the_one_before() -> None:
    assert edges(">x", "<x >x", "<x >x") == {"ab": ["x"], "bc": ["x"]}


def test_what_a_step_wrote_itself_it_needs_from_nobody() -> None:
    assert edges(">x", ">x <x", "<x") == {"ab": ["x"], "bc": ["x"]}


def test_a_folder_and_a_pattern_see_what_is_in_them() -> None:
    assert edges(">d/x.csv", "<d") == {"ab": ["d/x.csv"]}
    assert edges(">d/x.csv", "<d/*.csv") == {"ab": ["d/x.csv"]}


def test_a_module_that_the_notebook_writes() -> None:
    assert edges(">helper.py", "@helper") == {"ab": ["helper.py"]}
    assert edges(">pkg/__init__.py", "@pkg @json") == {"ab": ["pkg/__init__.py"]}


def test_a_file_waits_for_the_folder_that_somebody_makes() -> None:
    assert edges(">out", ">out/x") == {"ab": ["out"]}
    assert edges(">out", ">outer") == {}


def test_a_hint_says_where_files_in_long_loops_may_be_missing() -> None:
    loops = "for i in range(40):\n  for j in range(40):\n    open(f'{i}-{j}.csv', 'w')"
    assert codes(pipeline(("step:write", loops))) == []
    found = pipeline(("step:write", loops), ("step:more", loops), ("step:read", "open('0-0.csv')"))
    assert [(d.code, d.step) for d in found.diagnostics] == [("KFNB-H114", "more")]
