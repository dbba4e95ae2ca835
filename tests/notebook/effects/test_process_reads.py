"""Which variables of the environment, and whether the working directory, a code reads."""

from __future__ import annotations

import pytest

from kfnb.notebook.effects.process_reads import process_reads


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('os.environ["A"]', {"A"}),
        ('environ.get("A", "x") + os.environ.pop("B")', {"A", "B"}),
        ('os.getenv("A") or getenv("B")', {"A", "B"}),
        ('if "A" not in os.environ: pass', {"A"}),
        ('def f():\n    return e.environ["A"]', {"A"}),
        ("get_ipython().run_line_magic('env', 'A')", {"A"}),
        ("get_ipython().system('echo $A ${B}')", {"A", "B"}),
        ("get_ipython().run_cell_magic('bash', '', 'echo $A\\n')", {"A"}),
        ('os.environ["A"] = "1"\ndel os.environ["B"]\nos.environ.update(C="1")', set()),
        ('print("environ")', set()),
        ("os.environ[", set()),
    ],
)
def test_variables_are_found_by_name(code: str, names: set[str]) -> None:
    reads = process_reads(code)
    assert reads.variables == names
    assert not reads.everything


@pytest.mark.parametrize(
    "code",
    [
        "x = 1\ndict(os.environ)",
        "x = 1\nfor name in os.environ: print(name)",
        'x = 1\nsubprocess.run("a", env={**os.environ, "A": "1"})',
        "x = 1\nprint(os.environ[name])",
        "x = 1\nprint(os.getenv(prefix + 'A'))",
    ],
)
def test_a_read_of_everything_has_its_line(code: str) -> None:
    assert process_reads(code).everything == 2


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("os.getcwd()", True),
        ("Path.cwd() / 'data'", True),
        ("Path('data').resolve()", True),
        ("Path(__file__).parent", True),
        ("get_ipython().run_line_magic('pwd', '')", True),
        ("get_ipython().system('pwd')", True),
        ("Path('data') / 'x'", False),
    ],
)
def test_the_working_directory_counts_where_it_is_read(code: str, reads: bool) -> None:
    assert process_reads(code).folder is reads
