"""What a step leaves in its process; each case in a process of its own, for hooks stay."""

import json
import subprocess
import sys

import pytest

HELPERS = """
import os
rate = 1.0
cache = {}
def set_rate(r):
    global rate
    rate = r
def remember():
    cache["a"] = 1
def login(value="abc"):
    os.environ["KFNB_TEST_TOKEN"] = value
def move(to):
    os.chdir(to)
"""
PROGRAM = """
import json, os, sys
from kfnb.step.in_kernel.process_leaks import ProcessLeaks
leaks = ProcessLeaks(os.getcwd())
leaks.start()
sys.path.insert(0, os.getcwd())
{setup}
leaks.take_baseline()
{step}
print(json.dumps(leaks.find()))
"""


def left(tmp_path, step, setup=""):
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "sub").mkdir(exist_ok=True)
    program = PROGRAM.format(step=step, setup=setup)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("import helpers; helpers.login()", {"environment": ["KFNB_TEST_TOKEN"]}),
        ("import helpers; helpers.set_rate(2)", {"module:helpers.py": ["rate"]}),
        # What only saves time, and what is as it was.
        ("import helpers; helpers.remember()", {}),
        ("import helpers; helpers.set_rate(1.0)", {}),
        ("import helpers; helpers.login(); del os.environ['KFNB_TEST_TOKEN']", {}),
        # What a cell does itself is known from its source.
        ("os.environ['KFNB_TEST_TOKEN'] = '1'; os.chdir('sub')", {}),
        ("import helpers; print(helpers.rate, file=sys.stderr)", {}),
    ],
)
def test_what_calls_leave(tmp_path, step, expected):
    assert left(tmp_path, step) == expected


def test_the_working_directory(tmp_path):
    found = left(tmp_path, "import helpers; helpers.move('sub')")
    assert found == {"folder": [str((tmp_path / "sub").resolve())]}


def test_what_setup_did_every_step_finds(tmp_path):
    setup = "import helpers; helpers.login(); helpers.set_rate(3)"
    assert left(tmp_path, "helpers.rate", setup) == {}
    assert left(tmp_path, "helpers.set_rate(4)", setup) == {"module:helpers.py": ["rate"]}


def test_a_library_that_sets_a_variable_when_it_is_imported(tmp_path):
    # Whoever imports it in a later step has the variable, too.
    library = tmp_path / "site"
    library.mkdir()
    (library / "lib.py").write_text("import os\nos.environ['KFNB_TEST_LIB'] = '1'\n")
    (tmp_path / "work").mkdir()
    step = f"sys.path.insert(0, {str(library)!r}); import lib"
    assert left(tmp_path / "work", step) == {}


def test_an_own_module_is_imported_as_ever(tmp_path):
    step = (
        "import importlib, helpers, inspect; importlib.reload(helpers);"
        "assert inspect.getsource(helpers).strip().startswith('import os');"
        "assert helpers.__spec__.origin.endswith('helpers.py')"
    )
    assert left(tmp_path, step) == {}


def test_an_environment_in_the_notebooks_folder_is_not_the_users_code(tmp_path):
    """The packages of a virtual environment beside the notebook change themselves as they like."""
    site = tmp_path / "env" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    (site / "library.py").write_text(HELPERS)
    step = (
        "sys.path.insert(0, 'env/lib/python3/site-packages'); import library; library.set_rate(2)"
    )
    assert left(tmp_path, step) == {}
