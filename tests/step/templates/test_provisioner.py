"""Steps in kernels that were forked from a template."""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.runners.local.expected_kernel import expected_template
from kfnb.step.execution.attempt import run
from kfnb.step.kernels.own_kernels import OwnKernels
from kfnb.step.kernels.without_debugger import without_debugger
from kfnb.step.order import StepOrder
from kfnb.step.templates.kernel_spec import before_local, local_names, template_spec
from tests.step.conftest import Bench, Ended, Source, other_environment
from tests.step.templates.template_source import TemplateSource

pytestmark = pytest.mark.slow
# The shell of a forked kernel was made in its template.
SHELL = """
shell = get_ipython()
kernel, app = shell.kernel, shell.kernel.parent
print(type(shell), type(shell.compile), sys.excepthook.__qualname__, os.environ["PAGER"])
print(sys.modules["__main__"].__dict__ is shell.user_ns, kernel.user_ns, type(shell.user_module))
print(shell.parent is kernel, kernel.shell is app.shell is shell, shell.config is app.config)
print(shell.display_pub.session is kernel.session, shell.displayhook.session is kernel.session)
print(shell.starting_dir == os.getcwd(), shell.history_manager.dir_hist == [__import__("pathlib").Path.cwd()])
print(sorted(app.config), app.config.IPKernelApp.connection_file == app.connection_file)
print(shell.history_manager.hist_file, shell.profile_dir.location, shell.ipython_dir, len(In), sorted(Out))
"""
IMPORTS = ("import numpy", "import pandas", "import matplotlib.pyplot")


@pytest.fixture(scope="module")
def source() -> Iterator[TemplateSource]:
    source = TemplateSource()
    yield source
    source.close()


def execute(bench: Bench, source: TemplateSource, *cells: Source, **options: object) -> Ended:
    path = bench.prepare("step", *cells, **{"imports": IMPORTS, **options})
    before = len(source.forked)
    code = run(str(path), kernels=OwnKernels(capture=True, source=source))
    assert len(source.forked) == before + 1, source.refused
    return Ended(code, path.parent, bench.store, StepOrder.from_json(path.read_bytes()))


def test_a_step_in_a_forked_kernel_publishes_what_it_would_otherwise(
    bench: Bench, source: TemplateSource
) -> None:
    cells = (
        (
            "import numpy as np, pandas as pd, matplotlib.pyplot as plt, sys, threading, warnings\n"
            "frame = pd.DataFrame(np.arange(40).reshape(2, 20))\nframe"
        ),
        "plt.plot([1, 2])",
        "import logging; logging.warning('logged'); print(sys.argv[1:1], sys.path[:4], __name__)",
        "warnings.warn('careful')\nhash('text'), sorted({'a', 'b', 'c'}), [str(f) for f in warnings.filters]",
        "import atexit; atexit.register(print, 'bye')\nopen('made.txt', 'w').write('made')",
        "import os; print(sorted(n for n in dir() if not n.startswith('_')), os.path.basename(os.getcwd()))",
        SHELL,
    )
    options = {"outputs": ("frame",), "environment": {"PYTHONHASHSEED": "0"}}
    fresh = bench.run("fresh", *cells, imports=IMPORTS, **options)
    before = dict(os.environ)  # an old ipykernel sets a variable when it is imported
    forked = execute(bench, source, *cells, **options)
    assert forked.code == fresh.code == 0, forked.events[-1]
    for cell in (0, 2, 3, 4, 5, 6):
        assert _plain(forked.text(cell)) == _plain(fresh.text(cell))
    assert forked.text(1).partition(" at ")[0] == fresh.text(1).partition(" at ")[0]
    kinds = [[sorted(o.get("data", {})) for o in c["outputs"]] for c in forked.notebook["cells"]]
    assert kinds == [
        [sorted(o.get("data", {})) for o in c["outputs"]] for c in fresh.notebook["cells"]
    ]
    assert ["image/png", "text/plain"] in kinds[2]
    assert forked.log.endswith("bye\n")
    assert forked.manifest.outputs == fresh.manifest.outputs
    assert forked.manifest.packages == fresh.manifest.packages
    assert forked.manifest.files_written == fresh.manifest.files_written
    assert forked.manifest.peak_memory > 1 << 20
    assert forked.manifest.cpu_seconds > 0
    cells_of_events = [
        [e["data"]["cell"] for e in ended.events if e["type"] == "CellFinished"]
        for ended in (forked, fresh)
    ]
    assert cells_of_events[0] == cells_of_events[1] != []
    # The driver knows the template before the step process asks for it.
    expected = expected_template(forked.order, {**before, **forked.order.environment})
    assert expected in source.templates


def test_what_a_kernel_has_open_is_written_when_it_exits(
    bench: Bench, source: TemplateSource
) -> None:
    (bench.workdir / "helper.py").write_text(
        "class Closes:\n"
        "    def __init__(self, name):\n"
        "        self.name, self.itself = name, self\n"
        "    def __del__(self):\n"
        "        with open(self.name, 'w') as file: file.write('closed')\n"
        "file = open('module.txt', 'w')\nfile.write('open')\n"
        "value = Closes('module-value.txt')\n"
    )
    cell = (
        "import helper, threading, time, zipfile\n"
        "file = open('cell.txt', 'w'); file.write('open')\n"
        "value = helper.Closes('cell-value.txt')\n"
        "archive = zipfile.ZipFile('archive.zip', 'w'); archive.writestr('name', 'text')\n"
        "def late():\n    time.sleep(0.2)\n    open('thread.txt', 'w').write('late')\n"
        "threading.Thread(target=late).start()\n"
        # As a library in C registers what it does at the end, which is after Python's own end.
        "import ctypes\n"
        "def at_exit(_):\n    open('library.txt', 'w').write('ended')\n"
        "ctypes.kept = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(at_exit)\n"
        "assert ctypes.CDLL(None).__cxa_atexit(ctypes.kept, None, None) == 0\n"
    )
    forked = execute(bench, source, cell)
    assert forked.code == 0, forked.events[-1]
    texts = {path.stem: path.read_text() for path in bench.workdir.glob("*.txt")}
    written = {"module": "open", "cell": "open", "thread": "late", "library": "ended"}
    assert texts == {**written, "module-value": "closed", "cell-value": "closed"}
    assert zipfile.ZipFile(bench.workdir / "archive.zip").read("name") == b"text"
    assert not forked.text(0)


def _plain(text: str) -> str:
    return re.sub(r"ipykernel_\d+", "ipykernel", text)


def test_a_forked_kernel_that_dies_is_explained(bench: Bench, source: TemplateSource) -> None:
    done = execute(bench, source, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert done.code == 1
    assert "SIGSEGV" in str(done.failure)
    again = execute(bench, source, "1 + 1")
    assert again.code == 0


def test_what_a_dying_kernel_wrote_last_is_captured(bench: Bench, source: TemplateSource) -> None:
    done = execute(
        bench,
        source,
        "import os; os.write(2, b'last words'); os.system('echo of a child'); os._exit(3)",
    )
    assert done.code == 1
    assert "3" in str(done.failure)


def test_a_timeout_interrupts_a_forked_kernel(bench: Bench, source: TemplateSource) -> None:
    done = execute(bench, source, "import time\nwhile True: time.sleep(0.01)", timeout=0.5)
    assert done.code == 5
    assert not Path(f"/proc/{source.forked[-1]}").exists() or _is_zombie(source.forked[-1])


def _is_zombie(pid: int) -> bool:
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_module_in_the_notebooks_folder_is_used_instead_of_the_template(
    bench: Bench, source: TemplateSource
) -> None:
    (bench.workdir / "tenacity.py").write_text("mine = True\n")
    path = bench.prepare(
        "step", "import tenacity; print(tenacity.mine)", imports=("import os", "import tenacity")
    )
    assert run(str(path), kernels=OwnKernels(capture=True, source=source)) == 0


def test_a_template_of_an_environment_without_kfnb(
    bench: Bench, source: TemplateSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = other_environment(bench, monkeypatch)
    options = {"kernel": "other", "imports": ("import json",)}
    first = execute(
        bench,
        source,
        "import sys; made = lambda: 41\nprint(sys.prefix)",
        outputs=("made",),
        **options,
    )
    assert first.code == 0, first.events[-1]
    assert first.text(0) == f"{other}\n"
    path = bench.prepare("second", "print(made())", inputs=bench.inputs(first, "made"), **options)
    assert run(str(path), kernels=OwnKernels(capture=True, source=source)) == 0
    assert (path.parent / "log.txt").read_text() == "41\n"


COMMAND = without_debugger([sys.executable, "-m", "ipykernel_launcher", "-f", "c.json"])


def test_startup_files_of_ipython_keep_imports_out_of_the_template(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "KFNB_STEP": "train", "PWD": "/", "A": "1"}
    spec = template_spec(COMMAND, environment, IMPORTS)
    assert spec is not None
    assert spec.imports == IMPORTS
    assert dict(spec.environment) == {"HOME": str(tmp_path), "A": "1"}
    startup = tmp_path / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "README").touch()
    assert template_spec(COMMAND, environment, IMPORTS) == spec
    (startup / "00-mine.py").touch()
    without = template_spec(COMMAND, environment, IMPORTS)
    assert without is not None
    assert without.imports == ()


def test_a_command_line_that_is_not_ipykernels_has_no_template() -> None:
    assert template_spec(["R", "-e", "IRkernel::main()"], {}, ()) is None
    assert template_spec([sys.executable, "-m", "xpython", "-f", "c.json"], {}, ()) is None
    assert template_spec(COMMAND, {"PYTHONPATH": "relative:/usr/lib"}, ()) is None
    frozen = [COMMAND[0], "-Xfrozen_modules=off", *COMMAND[1:]]
    spec = template_spec(frozen, {}, ())
    assert spec is not None
    assert spec.options == ("-Xfrozen_modules=off",)


def test_imports_end_before_the_first_module_of_the_notebooks_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "matplotlibrc").touch()
    (tmp_path / "data.csv").touch()
    names = local_names(str(tmp_path))
    assert names == ("matplotlibrc", "mine", "package")
    imports = ("import numpy", "from package.part import x", "import pandas")
    assert before_local(imports, names) == ("import numpy",)
