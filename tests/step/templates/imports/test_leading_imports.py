"""What a template imports, and what it leaves to its children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.step.kernels.without_debugger import without_debugger
from kfnb.step.templates.template import Ready
from tests.step.templates.conftest import Parent, code, kernel_arguments, run

pytestmark = pytest.mark.slow

EFFECTS = {
    "starts_thread": "import threading, time; threading.Thread(target=time.sleep, args=[60], daemon=True).start()",
    "opens_file": "file = open(__file__)",
    "writes_file": "import os; open(os.path.dirname(__file__) + '/written', 'w').close()",
    "handles_signal": "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)",
    "starts_process": "import subprocess; subprocess.run(['true'])",
    "prints": "print('hello')",
    "uses_shell": "get_ipython().events",
    "uses_shell_by_import": "from IPython import get_ipython; get_ipython().register_magic_function(print)",
    "changes_folder": "import os; os.chdir('/usr')",
    "extends_path": "import sys; sys.path.append('/nowhere')",
    "raises": "1 / 0",
    "warns": "import warnings; warnings.warn('look')",
}
HARMLESS = {
    "calm": "import os; open(os.environ['COUNT'], 'r').close(); pid = os.getpid()",
    "looks_for_kernel": (
        "kernel = hasattr(get_ipython(), 'kernel'); import IPython;"
        " found = type(IPython.get_ipython()).__name__"
    ),
    "keeps_stream": "import sys, logging; handler = logging.StreamHandler(); stream = sys.stdout",
    "sets_variable": "import os; os.environ['SET_BY_IMPORT'] = '1'",
    "filters_warnings": (
        "import warnings; warnings.filterwarnings('ignore', message='of this module'); "
        "warnings.simplefilter('always', BytesWarning, append=True)"
    ),
}


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (tmp_path / "edited.py").touch()
    for name, source in {**EFFECTS, **HARMLESS}.items():
        (folder / f"{name}.py").write_text(source + "\n")
    (tmp_path / "count").touch()
    return folder


def test_imports_that_take_effect_are_left_to_the_children(parent: Parent, modules: Path) -> None:
    path = os.pathsep.join([str(modules), str(parent.folder)])
    surroundings = {"PYTHONPATH": path, "COUNT": str(parent.folder / "count")}
    statements = [f"import {name}" for name in ("calm", *EFFECTS, "edited", "looks_for_kernel")]
    template = parent.begin("kernel", *statements, **surroundings)
    left_out = parent.wait(template, Ready).left_out
    assert sorted(left_out) == sorted(f"import {name}" for name in (*EFFECTS, "edited"))
    assert "thread" in left_out["import starts_thread"]
    assert "hello" in left_out["import prints"]
    source = (
        "import json, sys, calm; from pathlib import Path; "
        "Path(REPORT).write_text(json.dumps([calm.pid, 'opens_file' in sys.modules]))"
    )
    seen = run(parent, template, source, environment={**os.environ, **surroundings})
    assert seen == [template.pid, False]


_SEEN = """
from kfnb.step.templates.forked_kernel import before_first_cell
before_first_cell()
import logging, os, sys, warnings, json
warnings.filterwarnings("error", message="a filter before the imports")
IMPORTS
import looks_for_kernel, keeps_stream, sets_variable, filters_warnings
import pandas, matplotlib, numpy
from threadpoolctl import threadpool_info
keeps_stream.handler.emit(logging.makeLogRecord({"msg": "logged"}))
print("printed", file=keeps_stream.stream)
seen = {
    "columns": pandas.get_option("display.max_columns"), "backend": matplotlib.get_backend(),
    "filters": [str(entry) for entry in warnings.filters],
    "environment": dict(os.environ), "kernel": looks_for_kernel.kernel,
    "found": looks_for_kernel.found, "path": sys.path,
    "interactive": matplotlib.is_interactive(), "handlers": [str(type(h)) for h in logging.root.handlers],
    "hash": [hash("text"), list({"a", "b", "c"})], "pools": sorted((pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()),
    "print": numpy.get_printoptions()["precision"], "options": pandas.get_option("display.width"),
}
from pathlib import Path
Path(REPORT).write_text(json.dumps(seen))
"""


def test_libraries_are_as_if_the_kernel_had_imported_them(parent: Parent, modules: Path) -> None:
    statements = [
        "import numpy as np",
        "import pandas as pd",
        "import matplotlib.pyplot as plt",
        "from sklearn.ensemble import RandomForestClassifier",
        "import looks_for_kernel",
        "import keeps_stream",
        "import sets_variable",
        "import filters_warnings",
    ]
    surroundings = {"PYTHONPATH": str(modules), "PYTHONHASHSEED": "0"}
    template = parent.begin("kernel", *statements, **surroundings)
    assert not parent.wait(template, Ready).left_out
    source = _SEEN.replace("IMPORTS", "\n".join(statements))
    environment = {**os.environ, **surroundings}
    forked = run(parent, template, source, environment=environment)
    report = parent.folder / "fresh"
    command = without_debugger([sys.executable, "-m", "ipykernel_launcher"])
    subprocess.run(
        [*command, *kernel_arguments(parent.folder, code(report, source))],
        cwd=parent.folder, env=environment, check=True, start_new_session=True, timeout=300,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert forked == json.loads(report.read_text())


def test_a_module_of_the_notebooks_folder_is_never_replaced_by_one_of_the_template(
    parent: Parent,
) -> None:
    template = parent.start("kernel", "import tabnanny")
    request = parent.ask(template, local_names=("tabnanny", "other"))
    assert "tabnanny" in parent.refused(template, request).reason


@pytest.mark.parametrize(
    ("imports", "work"),
    [
        ("import numpy", "numpy.linalg.svd(numpy.random.rand(300, 300))[1].sum() > 0"),
        ("import scipy.linalg", "scipy.linalg.eigh(__import__('numpy').eye(200))[0].sum() == 200"),
        (
            "import pandas",
            (
                "len(pandas.DataFrame({'a': range(9999), 'b': 1.5}).assign(k=lambda d: d.a % 7)"
                ".groupby('k').sum()) == 7"
            ),
        ),
        (
            "import sklearn.ensemble",
            (
                "sklearn.ensemble.RandomForestClassifier(8, n_jobs=2).fit([[0], [1]] * 50, [0, 1] * 50)"
                ".score([[0], [1]], [0, 1]) == 1.0"
            ),
        ),
        (
            "import pyarrow.parquet",
            (
                "pyarrow.parquet.write_table(pyarrow.table({'a': range(9999)}), REPORT + '.parquet') "
                "or pyarrow.parquet.read_table(REPORT + '.parquet').num_rows == 9999"
            ),
        ),
        (
            "import matplotlib.pyplot",
            "matplotlib.pyplot.plot([1, 2]) and not matplotlib.pyplot.savefig(REPORT + '.png')",
        ),
    ],
    ids=["numpy", "scipy", "pandas", "sklearn", "pyarrow", "matplotlib"],
)
def test_fifty_children_work_with_the_threads_of_a_library(
    parent: Parent, imports: str, work: str
) -> None:
    template = parent.begin("kernel", imports)
    assert not parent.wait(template, Ready).left_out
    source = f"{imports}; from pathlib import Path; Path(REPORT).write_text(str(int({work})))"
    reports = [parent.folder / f"report-{number}" for number in range(50)]
    for some in (reports[:25], reports[25:]):
        children = [
            parent.fork(template, *kernel_arguments(parent.folder, code(report, source)))
            for report in some
        ]
        for child in children:
            assert parent.ended(template, child.pid).status == 0, parent.log.read_text()
    assert [report.read_text() for report in reports] == ["1"] * 50
