"""``%%step`` runs the cell as if the magic was not there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from kfnb.magics import step
from kfnb.notebook.authoring.magic import FLAGS
from kfnb.notebook.transform import transform


def test_the_cell_runs_and_its_value_is_shown_once(ipython):
    typed = ipython("%%step load --memory 4Gi\nrows = [1, 2]\nlen(rows)")
    assert typed.ok
    assert typed.text == "Out[2]: 2\n"
    assert ipython.names["rows"] == [1, 2]


def test_an_error_names_the_line_of_the_cell(ipython):
    typed = ipython("%%step load\nrows = [1, 2]\n\nrows[5]")
    assert "IndexError" in typed.text
    assert re.search(r"In ?\[2\], line 4", typed.text)
    assert "kfnb" not in typed.text


def test_a_cell_magic_below_it_is_one(ipython):
    typed = ipython("%%step load\n\n%%capture said\nprint('captured')")
    assert typed.ok
    assert typed.text == ""
    assert ipython.names["said"].stdout == "captured\n"


def test_line_magics_shell_lines_and_help_in_it(ipython):
    assert ipython("%%step load\nfolder = %pwd\nlisted = !echo here\nprint(listed)").ok
    assert ipython.names["folder"]
    assert ipython.names["listed"] == ["here"]


def test_top_level_await(ipython):
    typed = ipython("%%step load\nimport asyncio\nawait asyncio.sleep(0, result=7)")
    assert typed.text == "Out[2]: 7\n"


def test_blank_lines_and_indentation_above_it(ipython):
    assert ipython("\n\n  %%step load\n  x = 1\n  x").text == "Out[2]: 1\n"


def test_a_body_that_is_indented_as_a_whole(ipython):
    done = ipython("%%step one\n    x = 3\n\n    if x:\n        print('x', x)")
    assert done.ok
    assert "x 3" in done.text
    from kfnb.notebook.transform import transform, without_step_line

    source = "%%step one\n\n  x = 3"
    assert without_step_line(source) == "  # %%step one\n\n  x = 3"
    assert transform(source).endswith("\nx = 3")


def test_history_has_what_was_executed(ipython):
    ipython("%%step load\nx = 1")
    assert ipython.names["In"][2] == "# %%step load\nx = 1"
    assert ipython.shell.history_manager.input_hist_raw[2] == "%%step load\nx = 1"


@pytest.mark.parametrize(
    "cell",
    [
        "%%step load\nx = 1\n",
        "%%step load --after a\n\n%%time\nx = 1\n",
        "\n%%step load\n!ls\nx = %pwd\n",
        "%%step two words\n%%bash\nls\n",
        "%%step load\nawait x\n",
    ],
)
def test_the_live_kernel_executes_what_a_step_executes(ipython, cell):
    """One text for both, so that line numbers and meaning cannot differ."""
    live = ipython.shell.transform_cell(cell)
    assert live.lstrip("\n") == transform(cell).lstrip("\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%step", "the step's name is missing"),
        ("%%step load --memroy 4Gi", 'is it "--memory"?'),
        ("%%step load --memory lots", '--memory takes a quantity, as in 512Mi or 4Gi, not "lots"'),
        ("%%step load --retries", "--retries takes a value"),
        ("%%step load --cache --no-cache", "exclude each other"),
    ],
)
@pytest.mark.parametrize("body", ["", "\nleft = 1"])
def test_a_wrong_line_gets_a_sentence_and_executes_nothing(ipython, line, said, body):
    assert said in ipython.refused(line + body)
    assert "left" not in ipython.names


@pytest.mark.parametrize("above", ["%%time", "\n%%capture out", "%%bash", "%%capture\n%%time"])
def test_below_another_magic_it_gets_a_sentence_and_executes_nothing(ipython, above):
    said = ipython.refused(f"{above}\n\n%%step load\nleft = 1")
    assert f"above {above.split(maxsplit=1)[0]}." in said
    assert "left" not in ipython.names


def test_in_a_text_it_is_one(ipython):
    assert ipython("%%writefile cell.txt\n%%step load\nleft = 1").ok
    assert ipython('text = """\n%%step load\n"""').ok


@pytest.mark.parametrize("asks", ["--help", "load -h", "load --help\nleft = 1"])
def test_help_lists_all_flags(ipython, asks):
    typed = ipython(f"%%step {asks}")
    assert typed.ok
    assert "::" not in typed.text
    assert typed.text.lstrip().startswith("%%step")
    for flag in FLAGS:
        assert flag.name in typed.text
    assert "left" not in ipython.names


def test_help_by_a_question_mark(ipython):
    found = ipython.shell.object_inspect_mime("%%step", detail_level=0)
    assert "--after" in found["text/plain"]


def test_the_arguments_of_help_are_those_of_the_parser(ipython):
    magic = ipython.shell.find_cell_magic("step")
    known = {text for action in magic.parser._actions for text in action.option_strings}
    assert known == {flag.name for flag in FLAGS}


def test_called_by_code_it_executes_the_cell_too(ipython):
    """As a script does that nbconvert made of a notebook."""
    typed = ipython("get_ipython().run_cell_magic('step', 'load', 'x = 20\\nx + 1\\n')")
    assert typed.text == "Out[2]: 21\n"
    assert ipython.names["x"] == 20
    typed = ipython("get_ipython().run_cell_magic('step', 'load', '\\n1 / 0\\n')")
    assert "line 3" in typed.text
    assert "kfnb/magics/step.py" not in typed.text.replace("\\", "/").split("skipping")[-1]
    again = "import asyncio\\nawait asyncio.sleep(0, 5)\\n"
    assert ipython(f"get_ipython().run_cell_magic('step', 'load', '{again}')").text == "Out[4]: 5\n"


def test_in_a_terminal_the_cell_ends_with_an_empty_line(ipython):
    """A comment would be complete at once, so that nobody could type the cell below it."""
    complete = ipython.shell.check_complete
    assert complete("%%step load")[0] == "incomplete"
    assert complete("%%step load\nx = 1")[0] == "incomplete"
    assert complete("%%step load\nx = 1\n\n")[0] == "complete"


def test_loading_twice_and_unloading(ipython):
    ipython("%load_ext kfnb")
    assert ipython.shell.input_transformers_cleanup.count(step.as_comment) == 1
    ipython("%reload_ext kfnb")
    assert ipython.shell.input_transformers_cleanup.count(step.as_comment) == 1
    assert ipython("%%step load\n1 + 1").text.endswith(": 2\n")
    ipython("%unload_ext kfnb")
    assert step.as_comment not in ipython.shell.input_transformers_cleanup
    assert "`%%step` not found" in ipython("%%step load\n1").text
    assert "`%pipeline` not found" in ipython("%pipeline show").text
    ipython("%load_ext kfnb")


def test_loading_loads_nothing_heavy():
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\nbefore = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'kfnb')\n"
        "print('\\n'.join(set(sys.modules) - before))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    tops = {name.partition(".")[0] for name in found}
    assert not tops & {"click", "rich", "papermill", "nbformat", "psutil", "yaml", "ipywidgets"}
    assert not {"kfnb.widgets", "kfnb.api", "kfnb.cli", "kfnb.engine"} & set(found)


@pytest.mark.slow
def test_in_a_kernel(kernel):
    answer = kernel.ok("%%step load\nfrom IPython.display import HTML\nHTML('<b>rich</b>')")
    assert answer.form("text/html") == "<b>rich</b>"
    assert len(answer.shown) == 1

    # The kernel's own loop goes on meanwhile: nothing is nested in it.
    answer = kernel.ok(
        "%%step wait\nimport asyncio\ntask = asyncio.create_task(asyncio.sleep(0.01, result=3))\n"
        "await asyncio.sleep(0.05)\ntask.result()"
    )
    assert answer.form("text/plain") == "3"

    answer = kernel("%%step load\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0")
    assert answer.status == "error"
    assert ", line 4" in answer.error
    assert "kfnb" not in answer.error

    answer = kernel.ok("%%step timed\n%%time\nx = 5\nx")
    assert "Wall time" in answer.text
    assert answer.form("text/plain") == "5"
    assert "the step's name is missing" in kernel.refused("%%step\nx = 6")
    assert kernel.ok("x").form("text/plain") == "5"
