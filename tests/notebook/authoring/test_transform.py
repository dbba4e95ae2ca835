"""IPython's transformation: only where it is needed, and line numbers stay."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.notebook.parsed_cell import parse_code
from kfnb.notebook.transform import transform


@pytest.mark.parametrize(
    "source",
    [
        "",
        "\n\n",
        "x = 1",
        "await f()\n",
        "# c\n",
        "x = 'a\\d'",
        "async for a in b: pass",
        "\n\nx = 1\n",
    ],
)
def test_plain_python_stays_as_it_is(source: str) -> None:
    assert transform(source) == source


def test_plain_python_does_not_import_ipython() -> None:
    code = (
        "import sys; from kfnb.notebook.transform import transform;"
        "transform('%%step a\\nx = 1'); transform('%%time\\nx = 1');"
        "assert not [m for m in sys.modules if m.startswith('IPython')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("!ls {x}", "get_ipython().system('ls {x}')"),
        ("x = !ls\ny = 1", "x = get_ipython().getoutput('ls')\ny = 1"),
        ("x = %pwd", "x = get_ipython().run_line_magic('pwd', '')"),
        ("for i in x:\n    !ls $i\n", "for i in x:\n    get_ipython().system('ls $i')\n"),
        ("print?", "get_ipython().run_line_magic('pinfo', 'print')"),
        ("\n\n%cd x", "\n\nget_ipython().run_line_magic('cd', 'x')"),
        ("  x = 1\n  !ls", "x = 1\nget_ipython().system('ls')"),
        (">>> x = 1", "x = 1"),
        ("%time y = f(x)", "get_ipython().run_line_magic('time', 'y = f(x)')"),
    ],
)
def test_lines_of_ipython(source: str, code: str) -> None:
    assert transform(source) == code


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%%time\nx = 1\ny = 2\n", "get_ipython().run_line_magic('time', '')\nx = 1\ny = 2\n"),
        ("%%capture out\nx = 1", "get_ipython().run_line_magic('capture', 'out')\nx = 1"),
        ("%%timeit -n 5\nf(x)", "get_ipython().run_line_magic('timeit', '-n 5')\nf(x)"),
        ("\n\n%%prun\nf(x)", "\n\nget_ipython().run_line_magic('prun', '')\nf(x)"),
        (
            "%%time\n%%capture\n!ls",
            """get_ipython().run_line_magic('time', '')
get_ipython().run_line_magic('capture', '')
get_ipython().system('ls')""",
        ),
    ],
)
def test_cell_magics_around_python_leave_it_visible(source: str, code: str) -> None:
    assert transform(source) == code


@pytest.mark.parametrize(
    "name", ["bash", "sh", "script perl", "html", "writefile a.txt", "javascript", "mine"]
)
def test_other_cell_magics_are_one_call(name: str) -> None:
    code = transform(f"%%{name}\nif x: [\n")
    word, _, rest = name.partition(" ")
    assert code == f"get_ipython().run_cell_magic({word!r}, {rest!r}, 'if x: [\\n')\n"


def test_below_a_step_line_the_call_is_whole_because_it_is_executed() -> None:
    code = transform("%%step a\n%%capture out\nx = 1\n")
    assert code == "# %%step a\nget_ipython().run_cell_magic('capture', 'out', 'x = 1\\n')\n"


@pytest.mark.parametrize(
    "source",
    [
        "a = 1\n!ls \\\n  -l \\\n  -a\nb = 2\n%pwd\nc = 3",
        "\n\n!ls\nb = 2",
        "if a:\n    !ls \\\n      -l\n    b = 2\nc = 3",
        "x = !ls \\\n -l\ny = 2",
        "%%step a\n\n!ls\ny = 2",
        "%time \\\n  f()\ny = 2",
    ],
)
def test_line_numbers_stay(source: str) -> None:
    code = transform(source)
    parsed = parse_code(code)
    assert parsed.error is None
    lines = source.split("\n")
    for node in ast.walk(ast.Module(parsed.body, [])):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            assert lines[node.lineno - 1].strip() == ast.unparse(node)
    assert code.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    "source",
    ["x = 'a", "x = (\n", "def f(:\n", "x\x00 = 1", "(" * 500, "\\", "%", "!", "%%", "?", "'''"],
)
def test_what_cannot_be_parsed_never_raises(source: str) -> None:
    assert isinstance(transform(source), str)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "x = 1",
                "!ls",
                "%pwd",
                "%%time",
                "%%bash",
                "%%step a",
                "",
                "  ",
                "if x:",
                "    y = 2",
                "!ls \\",
                "'''",
                "z?",
                "(",
            ]
        ),
        max_size=6,
    ).map("\n".join)
    | st.text(max_size=30)
)
def test_any_cell_is_transformed(source: str) -> None:
    assert isinstance(transform(source), str)
    if parse_code(source).error is None:
        assert transform(source) == source
