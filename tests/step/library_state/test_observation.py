"""What a step relies on and leaves of the state of libraries.

Each case is a process of its own, because what is watched stays watched.
"""

import json
import subprocess
import sys

import pytest

HELPERS = """
import os
rate = 1.0
cache = {}
seen = []
class Model:
    count = 0
    def __init__(self):
        self.n = 0
model = Model()
def set_rate(r):
    global rate
    rate = r
def remember():
    cache["a"] = 1
def see(x):
    seen.append(x)
    Model.count += 1
    model.n += 1
def login(value="abc"):
    os.environ["KFNB_STATE_TEST"[5:]] = value
import random
rng = random.Random(7)
def roll():
    return rng.random()
def seed_everything():
    import numpy.random
    random.seed(3)
    numpy.random.seed(3)
"""
PROGRAM = """
import json, os, pickle, sys
from kfnb.step.library_state.observation import StateObserver
observer = StateObserver(os.getcwd())
observer.start()
sys.path.insert(0, os.getcwd())
observer._fold({{"the module path": {{"path": sys.path[1:]}}}})
{setup}
folder = os.getcwd()
given = folder + "/given"
given = pickle.load(open(given, "rb")) if os.path.exists(given) else {{}}
observer.begin(given)
{step}
states = observer.states()
pickle.dump(observer.left, open(folder + "/left", "wb"))
print(json.dumps(states))
"""


def execute(folder, step, setup="", *, given=False):
    """Execute a step after setup, and return its states; ``given``: with what the last one left."""
    folder.mkdir(exist_ok=True)
    (folder / "helpers.py").write_text(HELPERS)
    if given:
        (folder / "left").rename(folder / "given")
    program = PROGRAM.format(step=step, setup=setup)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed, _, report = done.stdout.rstrip("\n").rpartition("\n")
    (folder / "printed").write_text(printed)
    return json.loads(report)


def left(states):
    return {name for name, (_, _, ended) in states.items() if ended}


SELECT = (
    "import sqlite3, decimal as m; c = sqlite3.connect(':memory:');"
    " print(c.execute('select ?', (m.Decimal(3),)).fetchone())"
)
PYTHON, NUMPY = "Python's random generator", "NumPy's random generator"


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (
            "import random; random.seed(1); x = random.random()",
            "import random; print(random.random())",
            PYTHON,
        ),
        (
            "import numpy as np; np.random.seed(1)",
            "import numpy; print(numpy.random.rand())",
            NUMPY,
        ),
        ("os.environ['A_B'] = '1'", "print(os.environ['A_B'])", "environment variables"),
        ("del os.environ['HOME']", "print('HOME' in os.environ)", "environment variables"),
        ("os.mkdir('sub'); os.chdir('sub')", "print(os.getcwd())", "the working directory"),
        ("sys.path.append('lib')", "print(sys.path)", "the module path"),
        (
            "import warnings; warnings.simplefilter('error', ImportWarning)",
            "import warnings; print(warnings.filters)",
            "filters of warnings",
        ),
        (
            "import logging; logging.basicConfig(level=10, format='%(message)s', stream=sys.stdout)",
            "import logging; logging.debug('hello')",
            "settings of logging",
        ),
        (
            "import decimal; decimal.getcontext().prec = 5",
            "import decimal; print(decimal.Decimal(1) / 3)",
            "the context of decimal",
        ),
        (
            "sys.setrecursionlimit(5432)",
            "print(sys.getrecursionlimit())",
            "settings of the interpreter",
        ),
        (
            "import pandas as pd; pd.options.display.max_rows = 7",
            "import pandas; print(pandas.options.display.max_rows)",
            "options of pandas",
        ),
        (
            "import numpy as np; np.set_printoptions(precision=2)",
            "import numpy; print(numpy.array([1.23456]))",
            "printing options of NumPy",
        ),
        (
            "import numpy as np; np.seterr(divide='raise')",
            "import numpy; print(numpy.geterr())",
            "error handling of NumPy",
        ),
        (
            "import matplotlib as m; m.rcParams['lines.linewidth'] = 9",
            "import matplotlib; print(matplotlib.rcParams['lines.linewidth'])",
            "settings of matplotlib",
        ),
        (
            "import sklearn; sklearn.set_config(display='text')",
            "import sklearn; print(sklearn.get_config()['display'])",
            "settings of scikit-learn",
        ),
        (
            "import polars as pl; pl.Config.set_tbl_rows(3)",
            "import polars as pl; print(pl.DataFrame({'a': list(range(9))}))",
            "options of polars",
        ),
        (
            "import csv; csv.register_dialect('semi', delimiter=';')",
            "import csv; print(next(csv.reader(['a;b'], 'semi')))",
            "dialects of csv",
        ),
        (
            "import decimal, sqlite3; sqlite3.register_adapter(decimal.Decimal, str)",
            SELECT,
            "adapters of sqlite3",
        ),
        (
            "import helpers; helpers.set_rate(2)",
            "import helpers; print(helpers.rate)",
            "helpers.py",
        ),
        (
            "import helpers; helpers.see(4)",
            "import helpers; print(helpers.seen, helpers.Model.count, helpers.model.n)",
            "helpers.py",
        ),
        (
            "import helpers; helpers.seed_everything()",
            "import random; print(random.random())",
            PYTHON,
        ),
    ],
)
def test_a_later_step_finds_what_the_earlier_one_left(tmp_path, first, second, state):
    states = execute(tmp_path / "pipeline", first)
    (name,) = (n for n in states if n.endswith(state))
    assert name in left(states)
    (tmp_path / "pipeline" / "left").rename(tmp_path / "pipeline" / "given")
    report = execute(tmp_path / "pipeline", second)
    assert report[name][1] == states[name][2], "it relied on what was left"
    execute(tmp_path / "linear", f"{first}\n{second}")
    texts = [(tmp_path / n / "printed").read_text() for n in ("pipeline", "linear")]
    assert texts[0].replace("pipeline", "linear") == texts[1] != ""


@pytest.mark.parametrize(
    "step",
    [
        "import helpers; print(helpers.rate, file=sys.stderr)",
        "import helpers; helpers.remember()",
        "import helpers; helpers.set_rate(1.0)",
        "import helpers; helpers.login(); del os.environ['STATE_TEST']",
        "old = os.getcwd(); os.chdir('/'); os.chdir(old)",
        "import random; random.random()",
        "import numpy; numpy.random.rand(3)",
        "import random; random.seed()",
        "import random; rng = random.Random(3); rng.random()",
        "import numpy; rng = numpy.random.default_rng(3); rng.random()",
        "import pandas as pd; pd.DataFrame({'a': [1]}).describe(); pd.Series([1]).to_csv()",
        "import sklearn.linear_model as s; s.LinearRegression().fit([[1], [2]], [1, 2])",
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as p; p.plot([1]); p.close()",
        "import polars; polars.DataFrame({'a': [1]}).describe()",
        "import decimal; decimal.Decimal(1) / 3",
        "import json, csv, sqlite3, tempfile, subprocess, logging; logging.getLogger('a').info('b')",
    ],
)
def test_ordinary_work_leaves_nothing(tmp_path, step):
    assert left(execute(tmp_path, step)) == set()


def test_what_setup_does_every_step_has(tmp_path):
    setup = "import helpers, os; helpers.login(); helpers.set_rate(3); os.environ['A_B'] = '1'"
    assert left(execute(tmp_path, "helpers.rate", setup)) == set()
    assert left(execute(tmp_path, "helpers.set_rate(4)", setup)) == {"globals of helpers.py"}


def test_a_step_relies_on_a_generator_only_if_it_draws_before_it_seeds(tmp_path):
    def began(step):
        return execute(tmp_path, step, "import random")[PYTHON][1]

    assert began("x = 1") == "-"
    assert began("random.seed(2); random.random()") == "-"
    assert began("random.random()") == ""
    assert began("random.random(); random.seed(2)") == ""


def test_what_an_earlier_step_left_replaces_what_setup_made(tmp_path):
    setup = "import random; random.seed(1)"
    first = execute(tmp_path, "random.random()", setup)[PYTHON]
    second = execute(tmp_path, "random.random()", setup, given=True)[PYTHON]
    assert first[0] == second[0] == first[1]
    assert second[1] == first[2]
    assert second[2] not in ("", first[2])


def test_a_value_that_looks_another_way_after_it_was_loaded_is_the_one_that_was_left(tmp_path):
    execute(tmp_path, "import helpers; helpers.roll()")
    first = execute(tmp_path, "import helpers; helpers.roll()")["globals of helpers.py"]
    second = execute(tmp_path, "import helpers; helpers.rate", given=True)["globals of helpers.py"]
    assert second[1] == first[2] != ""
    assert second[2] == "", "it has changed nothing"


def test_what_an_earlier_step_took_back_is_taken_back(tmp_path):
    setup = "import os; os.environ['A_B'] = '1'"
    states = execute(tmp_path, "del os.environ['A_B']", setup)
    assert left(states) == {"environment variables"}
    execute(tmp_path, "assert 'A_B' not in os.environ", setup, given=True)


def test_a_library_that_sets_a_variable_when_it_is_imported(tmp_path):
    # Whoever imports it in a later step has the variable, too.
    library = tmp_path / "site"
    library.mkdir()
    (library / "lib.py").write_text("import os\nos.environ['KLIB_TEST'] = '1'\n")
    step = f"sys.path.insert(0, {str(library)!r}); import lib; sys.path.pop(0)"
    assert left(execute(tmp_path / "work", step)) == set()


def test_an_own_module_is_imported_as_ever(tmp_path):
    step = (
        "import importlib, helpers, inspect; importlib.reload(helpers);"
        "assert inspect.getsource(helpers).strip().startswith('import os');"
        "assert type(helpers.__loader__).__name__ == 'SourceFileLoader';"
        "assert type(helpers.__spec__.loader).__name__ == 'SourceFileLoader';"
        "assert helpers.__spec__.origin.endswith('helpers.py')"
    )
    assert left(execute(tmp_path, step)) == set()


def test_an_environment_in_the_notebooks_folder_is_not_the_users_code(tmp_path):
    """The packages of a virtual environment beside the notebook change themselves as they like."""
    site = tmp_path / "env" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    (site / "library.py").write_text(HELPERS)
    step = (
        "sys.path.insert(0, 'env/lib/python3/site-packages'); import library; library.set_rate(2)"
    )
    assert left(execute(tmp_path, step)) == {"the module path"}


def test_seeding_looks_as_before(tmp_path):
    step = (
        "import pickle, random; assert random.seed.__name__ == 'seed';"
        "assert pickle.loads(pickle.dumps(random.seed)) is random.seed"
    )
    assert left(execute(tmp_path, step)) == set()


def test_tqdms_methods_are_not_added_a_second_time(tmp_path):
    pytest.importorskip("tqdm")
    setup = "import pandas as pd; from tqdm import tqdm"
    execute(tmp_path, "tqdm.pandas(disable=True)", setup)
    step = "pd.Series([1]).progress_apply(str); assert '%|' not in sys.stderr.getvalue()"
    again = f"{setup}; tqdm.pandas(disable=True); import io; sys.stderr = io.StringIO()"
    execute(tmp_path, step, again, given=True)
