"""What is made of a cell does in IPython what the author's cell does, without what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kfnb.engine.dispatch.step_notebook import executable
from kfnb.notebook.document import Document
from tests.notebook.authoring.book import declared


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    made = InteractiveShell.instance()
    yield made
    InteractiveShell.clear_instance()


def run(shell: Any, document: Document) -> dict[str, Any]:
    shell.reset(new_session=False)
    for cell in document.cells:
        result = shell.run_cell(executable(cell), store_history=False)
        result.raise_error()
    return dict(shell.user_ns)


@pytest.mark.parametrize(
    ("source", "name", "value"),
    [
        ("%%step a --after b\nx = 1", "x", 1),
        ("\n%%step a\nx = 1", "x", 1),
        ("%%step a\n%%capture out\nprint('hi')\nx = 1", "x", 1),
        ("%%step a\n\n%%time\nx = 1\n", "x", 1),
        ("%%step a\n!true\nx = !echo 1 \\\n  2\ny = x[0].split()", "y", ["1", "2"]),
        ("%%step a\n%%bash --out x\necho 1", "x", "1\n"),
        ("%%capture out\nprint('hi')\nx = 1", "x", 1),
        ("\n\n%%time\nx = 1", "x", 1),
        ("x = %pwd\nx = bool(x)", "x", True),
        ("%time x = 3", "x", 3),
        ("  x = 1\n  y = 2", "y", 2),
        ("x = 1\nkfnb.run('nb.ipynb')", "x", 1),
        ("for i in range(3):\n    x = i\n    kfnb.run('nb.ipynb')", "x", 2),
        ("x = 1; kfnb.run('nb.ipynb'); y = 2", "y", 2),
        ("%load_ext kfnb\nx = 1\n%pipeline run", "x", 1),
        ("%%pipeline run\nx = 1", "x", None),
        ("%%step a\n%load_ext kfnb\nx = 1", "x", 1),
        ("x = '''\n%%step\n!no\n'''", "x", "\n%%step\n!no\n"),
    ],
)
def test_a_cell(shell: Any, source: str, name: str, value: object, capsys: Any) -> None:
    found = declared(("step:z", source))
    assert run(shell, found.document).get(name) == value


def test_capture_below_a_step_line_captures(shell: Any, capsys: Any) -> None:
    found = declared(("", "%%step a\n%%capture out\nprint('hidden')\nx = 1"))
    assert run(shell, found.document)["out"].stdout == "hidden\n"
    assert "hidden" not in capsys.readouterr().out


@pytest.mark.parametrize("line", [2, 3])
def test_a_traceback_names_the_authors_line(shell: Any, line: int, capsys: Any) -> None:
    lines = ["%%step a", "x = 1", "y = 2"]
    lines[line - 1] = "1 / 0"
    found = declared(("", "\n".join(lines)))
    with pytest.raises(ZeroDivisionError) as caught:
        run(shell, found.document)
    assert [e.lineno + 1 for e in caught.traceback][-1] == line
