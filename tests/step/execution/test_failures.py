from __future__ import annotations

import errno
from typing import Any

import pytest

from kfnb.errors import InfrastructureError, UsageError
from kfnb.step.execution import failures
from kfnb.step.execution.reporter import quote_cells
from kfnb.step.execution.session import CellFailure, KernelDied
from kfnb.step.execution.stop_requests import Stopped
from kfnb.step.order import Input, StepOrder

ORDER = StepOrder(
    run="r",
    step="train",
    step_id="train",
    attempt=1,
    notebook="n",
    folder="f",
    workdir="w",
    store="s",
    inputs=(Input("model", producer="load", absent=True),),
    memory=4 << 30,
    timeout=90,
    origins={"s": 3},
)
CELL = {"metadata": {"kfnb": {"cell": 7}}, "source": "# Fit it\nfit(too)"}


def test_a_failure_quotes_the_execution_count_that_the_notebook_has() -> None:
    kfnb = {"cell": 7, "execution_count": 12}
    cell = {"metadata": {"kfnb": kfnb}, "source": "# Fit it\nfit(too)"}
    reply = {"ename": "E", "evalue": "no", "traceback": ["Cell In[3], line 2"]}
    made = failures.failed_cell(ORDER, CellFailure(cell, {**reply, "execution_count": 3}))
    assert "[12] line 2: `fit(too)`" in made.summary
    assert failures.quoted(cell) == " [12]: `# Fit it`"


def test_a_traceback_has_the_execution_counts_of_the_notebook() -> None:
    def executed(count: int, source: str, **kfnb: int) -> dict[str, Any]:
        return {"execution_count": count, "metadata": {"kfnb": kfnb}, "source": source}

    cells = [
        {"execution_count": 1, "metadata": {}, "source": "injected"},
        executed(2, "def f():\n    return 1 / 0", cell=5),
        executed(3, "f()", cell=7, execution_count=12),
    ]
    lines = ["Cell In[3], line 1\n", "Cell In[2], line 2, in f()\n", "Cell In[1], line 9"]
    reply = {"ename": "E", "evalue": "no", "traceback": lines, "execution_count": 3}
    made = failures.failed_cell(ORDER, CellFailure(cells[2], reply), cells=cells)
    assert "[12] line 1: `f()`" in made.summary
    assert made.traceback.splitlines() == [
        "Cell In[12], line 1",
        "",
        "Cell `def f():`, line 2, in f()",
        "",
        "Cell In[1], line 9",
    ]
    coloured = "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[3]\x1b[39m\x1b[32m, line 1"
    assert quote_cells(coloured, cells) == coloured.replace("In[3]", "In[12]")


def failed(ename: str, evalue: str, *traceback: str) -> failures.Failure:
    reply = {
        "ename": ename,
        "evalue": evalue,
        "traceback": list(traceback),
        "execution_count": 3,
    }
    return failures.failed_cell(ORDER, CellFailure(CELL, reply))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [["-q", "rich"], ["tabulate==0.9.0"]],
            'The notebook\'s "%pip install tabulate==0.9.0" did not install it: pip',
        ),
        ([["./wheels/Tabulate-1-py3-none-any.whl"]], 'any.whl" did not install it: pip'),
        ([["rich"], ["attrs"]], '"%pip install rich" and "%pip install attrs" did not install it'),
    ],
)
def test_a_module_that_pip_did_not_install_is_reported_as_such(lines: Any, said: str) -> None:
    reply = {"ename": "ModuleNotFoundError", "evalue": "No module named 'tabulate.core'"}
    failure = failures.failed_cell(ORDER, CellFailure(CELL, reply), installs=lines)
    assert said in failure.remedy
    assert ("add a %pip install line" in failure.remedy) == (lines[0] == ["rich"])


@pytest.mark.parametrize(
    ("traceback", "line"),
    [
        ("\x1b[36mCell\x1b[39m In[3], line 12\n---> 12 f()\n\nFile lib.py:99, in g()", 12),
        ("Cell In[3], line 12\n---> 12 f()\nCell In[3], line 2, in f()\nCell In[2], line 9", 2),
        ("  Cell In[3], line 4\n    x = = 1\nSyntaxError: invalid", 4),
        ("Input In [3], in <cell line: 1>()\n----> 1 1/0\n", 1),
        ("<ipython-input-3-9e1622b385b6> in <module>\n      1 a\n----> 2 1/0\n", 2),
        ("Cell In[33], line 5", None),
        ("NameError: x", None),
    ],
)
def test_the_line_is_the_innermost_of_the_failing_cell(traceback: str, line: int | None) -> None:
    assert failed("E", "v", traceback).line == line


def test_a_failure_says_what_happened_where() -> None:
    failure = failed("ValueError", "too\nbad", "Cell In[3], line 2")
    assert failure.summary == 'Step "train" failed: line 2: `fit(too)` raised ValueError: too.'
    assert (failure.kind, failure.cell) == ("user", 7)


@pytest.mark.parametrize(
    ("ename", "evalue", "kind", "words"),
    [
        ("MemoryError", "", "memory", "memory"),
        ("OSError", "[Errno 28] No space left on device: 'x'", "disk", "kfnb clean"),
        ("OSError", "[Errno 2] nothing", "user", ""),
        ("ModuleNotFoundError", "No module named 'x'", "user", "%pip install"),
        ("NameError", "name 'model' is not defined", "user", '"load" ended without binding'),
        ("NameError", "name 'other' is not defined", "user", ""),
    ],
)
def test_some_errors_have_a_remedy(ename: str, evalue: str, kind: str, words: str) -> None:
    failure = failed(ename, evalue)
    assert failure.kind == kind
    assert words in failure.remedy


@pytest.mark.parametrize(
    ("status", "asked", "kind", "words"),
    [
        (0, True, "user", "exit() or quit()"),
        (7, False, "user", "exit code 7"),
        (-11, False, "user", "segmentation fault, SIGSEGV"),
        (-9, False, "memory", "peak 2Gi, 512Mi free"),
        (-64, False, "user", "SIGRTMAX"),
        (None, False, "user", "exit code None"),
    ],
)
def test_a_lost_kernel_is_explained(status: int | None, asked: bool, kind: str, words: str) -> None:
    gone = KernelDied(CELL, status=status, exit_requested=asked, output="last words")
    failure = failures.kernel_died(ORDER, gone, peak=2 << 30, available=512 << 20)
    assert failure.kind == kind
    assert words in failure.summary
    assert "the cell `# Fit it`" in failure.summary
    assert failure.traceback == "last words"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("timeout", "timeout of 90 seconds, in `# Fit it`"),
        ("memory", "memory limit of 4Gi (peak 4.2Gi), in `# Fit it`"),
        ("disk", "4.2Gi"),
        ("cancelled", "was cancelled"),
    ],
)
def test_a_stop_is_explained(reason: Any, words: str) -> None:
    failure = failures.stopped(ORDER, Stopped(reason, "4.2Gi"), during=CELL)
    assert failure.kind == reason
    assert words in failure.summary


def test_all_values_that_cannot_be_saved_are_named() -> None:
    problem = {"type": "generator", "path": "s[0]", "reason": "it runs", "remedy": "list(...)"}
    failure = failures.unsaveable(ORDER, {"s": problem, "t": {**problem, "path": "t"}}, {3: CELL})
    assert '"s", made in `# Fit it`, is a generator (at s[0]): it runs' in failure.summary
    assert '"t" is a generator: it runs' in failure.summary
    assert (failure.cell, failure.remedy) == (3, "list(...)")


def test_each_value_that_cannot_be_saved_has_its_remedy() -> None:
    stream = {"type": "generator", "path": "s", "reason": "it runs", "remedy": "Make a list."}
    file = {"type": "file", "path": "f", "reason": "it is open", "remedy": "Pass its path."}
    failure = failures.unsaveable(ORDER, {"s": stream, "f": file}, {3: CELL})
    assert failure.remedy == "Pass its path. Make a list."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UsageError("no kernel."), "configuration"),
        (InfrastructureError("no store."), "infrastructure"),
        (OSError(errno.ENOSPC, "No space left", "/x"), "disk"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "infrastructure"),
        (RuntimeError("bug"), "configuration"),
    ],
)
def test_what_went_wrong_around_the_notebook_has_a_class(error: Exception, kind: str) -> None:
    failure = failures.from_error(ORDER, error)
    assert failure.kind == kind
    assert failures.EXIT_CODES[failure.kind] == 4
    assert failure.summary.endswith((".", "bug"))


def test_a_full_disk_behind_the_store_is_a_full_disk() -> None:
    error = InfrastructureError("Cannot write.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left")
    assert failures.from_error(ORDER, error).kind == "disk"


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0"), (1023, "1023"), (4 << 30, "4Gi"), (300 << 20, "300Mi"), (1600 << 20, "1.56Gi")],
)
def test_sizes_are_written_as_kubernetes_writes_them(size: int, words: str) -> None:
    assert failures.format_bytes(size) == words
