"""Names in SQL, formulas and queries are inputs of the step that has the string."""

from __future__ import annotations

import pytest

from tests.notebook.build import codes, pipeline

DATA = (
    "import duckdb, polars as pl, pandas as pd\nimport statsmodels.formula.api as smf\nimport patsy"
)
MAKE = "df = load()\nother = load()\nlimit = 3\nx = 1\ndef sq(v): return v ** limit"

READS = {
    "duckdb": ("duckdb.sql('SELECT * FROM df WHERE a > 1')", {"df"}),
    "a join": ("duckdb.query('select * from df d join other as o on d.a = o.a')", {"df", "other"}),
    "several tables": ("duckdb.sql('select * from df, other where 1')", {"df", "other"}),
    "a table expression": ("duckdb.sql('with x as (select 1) select * from x')", set()),
    "a string in the text": ("duckdb.sql(\"select * from df where a = 'from other'\")", {"df"}),
    "a connection": ("con = duckdb.connect()\ncon.sql('from df')", {"df"}),
    "polars": ("pl.sql('SELECT SUM(a) FROM df', eager=True)", {"df"}),
    "a constant": ("QUERY = 'SELECT * FROM df'\nduckdb.sql(QUERY)", {"df"}),
    "a hole elsewhere": ("n = 1\nduckdb.sql(f'SELECT * FROM df WHERE a > {n}')", {"df"}),
    "in a function": ("def ask(): return duckdb.sql('FROM df')\nask()", {"df"}),
    "a formula": ("smf.ols('a ~ sq(b) + x', data=[])", {"limit", "x"}),
    "patsy": ("patsy.dmatrices('a ~ sq(b)', data=[])", {"limit"}),
    "query": ("t = pd.DataFrame()\nt.query('a > @limit')", {"limit"}),
    "query with a hole": ("c = 'a'\nt = pd.DataFrame()\nt.query(f'{c} > @limit')", {"limit"}),
    "eval": ("t = pd.DataFrame()\nt.eval('a + @x')", {"x"}),
    "pandas' eval": ("pd.eval('df + other')", {"df", "other"}),
    "a magic": ("%%sql\nselect * from df where a > :limit", {"df", "limit"}),
    "a line magic": ("%sql res << select * from df", {"df"}),
}


@pytest.mark.parametrize(("source", "inputs"), READS.values(), ids=READS)
def test_a_name_in_a_string_is_an_input(source: str, inputs: set[str]) -> None:
    make = "def load(): return {}\n" + MAKE
    read = pipeline(("setup", DATA), ("step:make", make), ("step:ask", source))
    assert set(read.steps["ask"].inputs) == inputs
    assert not read.steps["ask"].opaque
    assert codes(read) == []


OPAQUE = {
    "a query that nobody knows": "q = input()\nduckdb.sql(q)",
    "a table that nobody knows": "t = input()\nduckdb.sql(f'SELECT * FROM {t}')",
    "a formula made of parts": "smf.ols('y ~ ' + ' + '.join(df), data=df)",
    "a query made of parts": "df.query(' and '.join(df))",
}


@pytest.mark.parametrize("source", OPAQUE.values(), ids=OPAQUE)
def test_a_string_that_is_not_known_may_read_any_name(source: str) -> None:
    read = pipeline(("setup", DATA), ("step:make", "df = dict()"), ("step:ask", source))
    assert read.steps["ask"].opaque
    assert codes(read) == ["KFNB-W108"]


def test_a_query_of_another_library_reads_nothing() -> None:
    source = "session = object()\nsession.query(User).all()\nsession.execute(User)"
    read = pipeline(("step:make", "User = 1\nlimit = 2"), ("step:ask", source))
    assert set(read.steps["ask"].inputs) == {"User"}
    assert not read.steps["ask"].opaque
