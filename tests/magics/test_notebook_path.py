"""Where the notebook is: as VS Code, Jupyter's servers, nbconvert and papermill tell it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.magics import notebook_path
from tests.magics.kernel import Kernel

CELLS = (("step:found here", "x = 1"), ("skip", "%load_ext kfnb"), ("skip", "%pipeline show"))


class Shell:
    """As much of a shell as is asked."""

    def __init__(self, *inputs: str, **names: object) -> None:
        self.user_ns = names
        self.history_manager = type("History", (), {"input_hist_raw": ["", *inputs]})


def forget():
    notebook_path.executing_program.cache_clear()
    notebook_path._parent.cache_clear()


@pytest.fixture(autouse=True)
def nothing_known():
    """No server and no program that executes notebooks: our parent is neither."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JPY_PARENT_PID", "0")
        yield
    forget()


def test_vs_code_names_the_file(desk):
    path = desk.notebook(*CELLS)
    found = notebook_path.find(Shell(__vsc_ipynb_file__=str(path)))
    assert (found.path, found.edited) == (path, True)
    assert notebook_path.find(Shell(__vsc_ipynb_file__=str(path) + "x")) is None


def test_the_server_names_it_when_the_kernel_starts(desk, monkeypatch):
    path = desk.notebook(*CELLS)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert notebook_path.find(Shell()).path == path
    # A console is named so too, and a file may have been renamed since.
    monkeypatch.setenv("JPY_SESSION_NAME", str(desk.folder / "Console 1"))
    assert notebook_path.find(Shell()) is None
    monkeypatch.setenv("JPY_SESSION_NAME", str(desk.folder / "gone.ipynb"))
    assert notebook_path.find(Shell()) is None


def test_a_file_in_the_kernels_folder_that_has_every_cell(desk):
    path = desk.notebook(*CELLS)
    desk.notebook(("", "%pipeline show"), name="other.ipynb")
    (desk.folder / "torn.ipynb").write_text("{")
    found = notebook_path.find(Shell("x = 1", "%pipeline show"))
    assert found.path == path
    assert "by its cells" in found.note
    assert notebook_path.find(Shell("%pipeline show")) is None  # two files have that
    assert notebook_path.find(Shell("x = 2", "%pipeline show")) is None
    assert notebook_path.find(Shell()) is None


@pytest.mark.parametrize(
    ("words", "name", "books"),
    [
        (
            ["/usr/bin/python", "/env/bin/jupyter-nbconvert", "--execute", "a.ipynb"],
            "nbconvert",
            ["a"],
        ),
        (["python", "-m", "nbconvert", "--execute", "a.ipynb", "b.ipynb"], "nbconvert", ["a", "b"]),
        (["python", "/env/bin/papermill", "a.ipynb", "b.ipynb"], "papermill", ["a", "b"]),
        (["python", "-m", "papermill", "a.ipynb", "out.ipynb"], "papermill", ["a"]),
        (["python", "/env/bin/jupyter-execute", "a.ipynb"], "execute", ["a"]),
        (["python", "/env/bin/jupyter-lab", "a.ipynb"], None, []),
        (["python", "run.py", "a.ipynb"], None, []),
    ],
)
def test_programs_have_it_on_their_command_line(desk, monkeypatch, words, name, books):
    for book in ("a", "b"):
        desk.notebook(("", f"'{book}'"), ("", "'both'"), name=f"{book}.ipynb")

    class Process:
        def __init__(self, pid: int) -> None: ...
        def cmdline(self) -> list[str]:
            return words

        def cwd(self) -> str:
            return str(desk.folder)

    monkeypatch.setattr("psutil.Process", Process)
    forget()
    program = notebook_path.executing_program()
    assert not notebook_path.opens_links_in_new_tab()
    words = ["python", "/env/bin/jupyter-notebook"]
    forget()
    assert notebook_path.opens_links_in_new_tab()
    forget()
    assert (program and program.name) == name
    if program:
        assert [path.stem for path in program.notebooks] == books


def test_of_several_notebooks_the_one_that_has_our_cells(desk):
    paths = tuple(
        desk.notebook(("", f"'{book}'"), ("", "'both'"), name=f"{book}.ipynb") for book in "ab"
    )
    program = notebook_path.Program("nbconvert", paths)
    assert notebook_path._notebook_of_program(program, ["'b'"]) == notebook_path.NotebookLocation(
        paths[1]
    )
    assert notebook_path._notebook_of_program(program, ["'both'"]) is None
    program = notebook_path.Program("papermill", paths)  # what it reads, then what it writes
    assert (
        notebook_path._notebook_of_program(program, ["# Parameters\nx = 1", "'both'"]).path
        == paths[0]
    )


@pytest.mark.slow
def test_a_kernel_without_a_known_notebook_explains_what_to_do(desk):
    with Kernel.started(desk.folder, desk.environment()) as kernel:
        kernel.ok("%load_ext kfnb")
        for line in ("show", "run", "status", "debug", "load a.b"):
            assert "cannot be found" in kernel.refused(f"%pipeline {line}")
        path = desk.notebook(*CELLS)
        assert "found here" in kernel.ok(f"%pipeline show --notebook {path}").text + "".join(
            map(str, kernel.ok("%pipeline show").shown)
        )


@pytest.mark.slow
@pytest.mark.parametrize("program", ["papermill", "jupyter-execute"])
def test_executed_by_a_program(desk, program):
    path = desk.notebook(*CELLS, name="executed.ipynb")
    desk.notebook(*CELLS, name="a copy of it.ipynb")
    written = desk.folder / "out" / "written.ipynb"
    written.parent.mkdir()
    script = Path(sys.executable).parent / program
    command = {
        "papermill": [sys.executable, "-m", "papermill", path.name, written, "-p", "x", "1"],
        "jupyter-execute": [sys.executable, script, f"--output={written}", path.name],
    }[program]
    subprocess.run(
        [str(word) for word in command],
        cwd=desk.folder,
        env=desk.environment(),
        check=True,
        timeout=120,
        capture_output=True,
    )
    cells = json.loads(written.read_text())["cells"]
    shown = json.dumps([cell["outputs"] for cell in cells])
    assert "found here" in shown
    assert "saved" not in shown
    assert os.fspath(desk.folder / "a copy of it.ipynb") not in shown


@pytest.mark.slow
def test_a_run_that_fails_fails_the_program_too(desk):
    path = desk.notebook(
        ("step:fail", "1 / 0"),
        ("skip", "%load_ext kfnb"),
        ("skip", "%pipeline run"),
        name="bad.ipynb",
    )
    # The first cell is not to fail in the notebook itself.
    path.write_text(
        path.read_text().replace("1 / 0", "import os\\n1 / ('KFNB_STEP' not in os.environ)")
    )
    done = subprocess.run(
        [sys.executable, "-m", "papermill", path.name, "out.ipynb"],
        cwd=desk.folder,
        env=desk.environment(),
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "kfnb: Run" in done.stderr
    outputs = json.loads((desk.folder / "out.ipynb").read_text())["cells"][-1]["outputs"]
    said = "".join("".join(output.get("text", "")) for output in outputs)
    assert "fail: failed: line 2: `1 / (" in said
    assert "ZeroDivisionError" in said
    assert [o["ename"] for o in outputs if o["output_type"] == "error"] == ["PipelineError"]
    # The picture at the end shows how it ended.
    pictures = [o["data"]["image/svg+xml"] for o in outputs if "image/svg+xml" in o.get("data", {})]
    assert len(pictures) == 1
    assert "failed" in "".join(pictures[0])
