"""What IPython adds to Python: shell lines, magics, and their names."""

from __future__ import annotations

import pytest

from tests.notebook.build import codes, edge, pipeline

READS = {
    "!cmd {name}": "!echo {x}",
    "!cmd $name": "!echo $x",
    "!cmd {expression}": "!echo {x.upper() + 'a'}",
    "an assigned shell line": "out = !ls {x}",
    "a shell line in a loop": "for i in range(2):\n    !echo $x",
    "a line magic's argument": "%cd {x}",
    "%time": "%time print(x)",
    "%timeit": "%timeit -n 1 print(x)",
    "%%time": "%%time\nprint(x)",
    "%%timeit": "%%timeit -n 1\nprint(x)",
    "%%timeit's setup": "%%timeit -n 1 x\npass",
    "%%capture": "%%capture\nprint(x)",
    "%%prun": "%%prun\nprint(x)",
    "a cell magic's line": "%%bash -s {x}\necho $1",
    "x?": "x?",
    "top-level await": "import asyncio\nawait asyncio.sleep(x)",
}


@pytest.mark.parametrize("source", READS.values(), ids=READS)
def test_a_name_is_read_by(source: str) -> None:
    found = pipeline(("step:a", "x = 'v'"), ("step:b", source))
    assert not found.errors, found.errors
    assert dict(found.steps["b"].inputs) == {"x": "a"}


BINDS = {
    "an assigned shell line": "x = !ls",
    "an assigned magic": "x = %pwd",
    "%time": "%time x = 1",
    "%%time": "%%time\nx = 1",
    "%%capture": "%%capture x\nprint(1)",
    "%%capture's body": "%%capture\nx = 1",
    "%%bash --out": "%%bash --out x\necho 1",
    "%store -r": "%store -r x",
}


@pytest.mark.parametrize("source", BINDS.values(), ids=BINDS)
def test_a_name_is_bound_by(source: str) -> None:
    found = pipeline(("step:a", source), ("step:b", "print(x)"))
    assert not found.errors, found.errors
    assert dict(found.steps["b"].inputs) == {"x": "a"}


SILENT = {
    "a bash cell's own variables": "%%bash\nx=2\necho $x {x}",
    "%%timeit binds nothing": "%%timeit -n 1\nx = 1",
    "doubled signs": "!echo {{x}} $$x",
    "an HTML cell": "%%html\n<b>{x}</b>",
    "%%writefile": "%%writefile out.py\nprint(x)",
    "%who": "%who",
}


@pytest.mark.parametrize("source", SILENT.values(), ids=SILENT)
def test_nothing_flows_through(source: str) -> None:
    found = pipeline(("step:a", "x = 'v'"), ("step:b", source), ("step:c", "print(x)"))
    assert codes(found) == []
    assert dict(found.steps["b"].inputs) == {}
    assert dict(found.steps["c"].inputs) == {"x": "a"}


def test_xdel_deletes() -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", "%xdel x"), ("step:c", "print(x)"))
    assert [d.code for d in found.errors] == ["KFNB-E102"]


def test_a_definition_under_time_is_a_definition() -> None:
    found = pipeline(("step:a", "%%time\ndef f(): return 1\nx = 1"), ("step:b", "f()"))
    assert dict(found.steps["b"].inputs) == {}
    assert "f" in found.steps["b"].definitions


def test_pylab_may_bind_anything() -> None:
    found = pipeline(("setup", "%pylab inline"), ("step:a", "plot(arange(3))"))
    assert codes(found) == []


def test_a_file_that_flows_is_an_edge_that_says_so() -> None:
    found = pipeline(
        ("setup", "import pandas as pd\nOUT = 'out.csv'"),
        ("step:a", "pd.DataFrame().to_csv(OUT)"),
        ("step:b", "1"),
        ("step:c", "pd.read_csv('out.csv')"),
    )
    between = edge(found, "a", "c")
    assert between is not None
    assert (between.files, between.names, between.explicit) == (("out.csv",), (), False)
    assert [u.path for u in found.steps["a"].writes] == ["out.csv"]
    assert [u.path for u in found.steps["c"].reads] == ["out.csv"]


def test_a_file_named_by_a_parameter_keeps_its_template() -> None:
    found = pipeline(
        ("parameters", "name = 'run'"),
        ("step:a", "open(f'{name}.txt', 'w').write('x')"),
        ("step:b", "open(f'{name}.txt').read()"),
    )
    (use,) = found.steps["a"].writes
    assert (use.path, use.template) == ("run.txt", "{name}.txt")
    assert edge(found, "a", "b") is not None


def test_a_path_that_another_step_made_is_known() -> None:
    found = pipeline(
        ("step:a", "where = 'data.txt'"),
        ("step:b", "open(where, 'w').write('x')"),
        ("step:c", "open(where).read()"),
    )
    between = edge(found, "b", "c")
    assert between is not None
    assert between.files == ("data.txt",)


def test_a_file_comes_from_who_wrote_it_last() -> None:
    found = pipeline(
        ("step:a", "open('f', 'w').write('1')"),
        ("step:b", "open('f', 'w').write('2')"),
        ("step:c", "open('f').read()"),
    )
    assert edge(found, "b", "c") is not None
    assert edge(found, "a", "c") is None
