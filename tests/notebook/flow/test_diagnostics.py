"""Findings: all at once, with cell, line and a remedy."""

from __future__ import annotations

import pytest

from tests.notebook.build import codes, edge, pipeline


def test_an_undefined_name_is_reported_with_its_line_and_a_suggestion() -> None:
    found = pipeline(("step:load", "models = []"), ("step:train", "x = 1\nprint(x)\nmodel.fit(x)"))
    (finding,) = found.diagnostics
    assert str(finding) == (
        'KFNB-E102: step "train" reads "model", which no earlier step defines '
        '(line 3: `model.fit(x)`). Did you mean "models"?'
    )
    assert (finding.severity, finding.step, finding.cell, finding.line) == ("error", "train", 1, 3)


def test_all_findings_come_at_once() -> None:
    found = pipeline(
        ("step:a", "print(one)\nprint(two)"), ("setup", "three"), ("step:c", "print(four)")
    )
    assert [(d.code, d.cell, d.line) for d in found.diagnostics] == [
        ("KFNB-E102", 0, 1),
        ("KFNB-E102", 0, 2),
        ("KFNB-E102", 1, 1),
        ("KFNB-E102", 2, 1),
    ]


def test_a_name_of_a_later_step_says_so() -> None:
    found = pipeline(("step:a", "print(x)"), ("step:b", "x = 1"))
    (finding,) = found.diagnostics
    assert 'the later step "b" does' in finding.message


def test_a_deleted_name_says_so() -> None:
    found = pipeline(("step:a", "x = 1\ndel x"), ("step:b", "print(x)"))
    (finding,) = found.diagnostics
    assert "the cell `x = 1` deletes" in finding.message


def test_a_function_of_setup_that_needs_a_later_name_stays_in_setup() -> None:
    found = pipeline(
        ("setup", "def f():\n    return OFFSET"), ("step:a", "y = f()"), ("step:b", "OFFSET = 1")
    )
    (finding,) = found.diagnostics
    assert finding.remedy == 'Assign "OFFSET" in a setup cell, or in an earlier step.'


def test_a_name_of_a_skipped_cell_says_so() -> None:
    found = pipeline(("skip", "x = 1"), ("step:a", "print(x)"))
    (finding,) = found.diagnostics
    assert "tagged skip" in finding.message


def test_a_function_that_is_called_reads_its_names_for_sure() -> None:
    found = pipeline(("step:a", "def f():\n    return nothing_like_it\nf()"))
    assert codes(found) == ["KFNB-E102"]
    assert (found.diagnostics[0].cell, found.diagnostics[0].line) == (0, 2)
    assert 'f(), which step "a" calls, reads "nothing_like_it"' in found.diagnostics[0].message


def test_a_name_that_a_setup_function_lacks_is_reported_once_at_the_functions_line() -> None:
    setup = "import math\n\ndef f(x):\n    y = x + 1\n    return nowhere + y"
    calls = [(f"step:{name}", f"{name} = f(1)") for name in "abc"]
    found = pipeline(("setup", setup), *calls)
    assert [(d.code, d.step, d.cell, d.line) for d in found.diagnostics] == [
        ("KFNB-E102", "a", 0, 5)
    ]


def test_a_name_that_an_inner_function_lacks_is_reported_at_that_function() -> None:
    found = pipeline(
        ("setup", "def outer():\n    return inner()\ndef inner():\n    return nowhere"),
        ("step:a", "outer()"),
    )
    assert [(d.code, d.cell, d.line) for d in found.diagnostics] == [("KFNB-E102", 0, 4)]


OVERRIDDEN = """
class Base:
    def run(self):
        return self.f()
    def f(self):
        raise NotImplementedError({base})
class Derived(Base):
    def f(self):
        return {own}
"""


def test_a_method_that_a_subclass_overrides_is_not_an_undefined_name() -> None:
    setup = OVERRIDDEN.format(base="name_of_nothing", own="1")
    found = pipeline(("setup", setup), ("step:a", "print(Derived().run())"))
    assert "KFNB-E102" not in codes(found)


def test_the_overriding_method_is_the_one_that_is_called() -> None:
    setup = OVERRIDDEN.format(base="", own="log.append(1)")
    found = pipeline(
        ("setup", setup),
        ("step:a", "log = []"),
        ("step:b", "Derived().run()"),
        ("step:c", "print(log)"),
    )
    assert found.steps["c"].inputs == {"log": "b"}


def test_the_method_of_a_base_is_called_by_super() -> None:
    setup = "class A:\n    def f(self):\n        log.append(1)\nclass B(A):\n    def f(self):\n        return super().f()"
    found = pipeline(
        ("setup", setup), ("step:a", "log = []"), ("step:b", "B().f()"), ("step:c", "print(log)")
    )
    assert found.steps["c"].inputs == {"log": "b"}


QUIET = {
    "a builtin": "print(len, __name__, __builtins__)",
    "IPython's names": "display(get_ipython, exit)",
    "a function that is never called": "def f(): return nowhere",
    "try … except NameError": "try:\n    nowhere\nexcept NameError:\n    pass",
    "try … except Exception": "try:\n    nowhere\nexcept Exception:\n    pass",
    "a question in globals()": "'nowhere' in globals()",
    "a shell variable": "!echo $HOME {HOME}",
    "awk": "!awk '{print $1}' file",
    "a type-checking import": "if False:\n    nowhere",
    "a lambda that is kept": "f = lambda: nowhere",
    "deleting a hidden builtin": "list = 1\ndel list\nprint(list)",
    "a name bound in one branch": "if len('a'):\n    x = 1\nprint(x)",
}


@pytest.mark.parametrize("source", QUIET.values(), ids=QUIET)
def test_these_names_are_not_reported(source: str) -> None:
    assert codes(pipeline(("step:a", source))) == []


DOUBTFUL = {
    "on a branch": "if len(''):\n    nowhere",
    "in a loop that may not turn": "for _ in []:\n    nowhere",
    "in a function that may be called": "def f(): return nowhere\nlist(map(f, []))",
    "after or": "1 or nowhere",
    "in a method": "class A:\n    def f(self): return nowhere\nA()",
}


@pytest.mark.parametrize("source", DOUBTFUL.values(), ids=DOUBTFUL)
def test_an_undefined_name_that_may_not_be_read_is_a_warning(source: str) -> None:
    assert codes(pipeline(("step:a", source))) == ["KFNB-W103"]


def test_a_syntax_error_has_its_line_and_the_rest_is_read() -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", "y = 2\nfor\n"), ("step:c", "print(x)"))
    assert codes(found) == ["KFNB-E101"]
    assert (found.diagnostics[0].cell, found.diagnostics[0].line) == (1, 2)
    assert dict(found.steps["c"].inputs) == {"x": "a"}


def test_a_syntax_error_makes_no_undefined_names_certain() -> None:
    found = pipeline(("step:a", "x = = 1"), ("step:b", "print(x)"))
    assert [d.code for d in found.errors] == ["KFNB-E101"]


def test_return_outside_of_a_function_is_a_syntax_error() -> None:
    assert codes(pipeline(("step:a", "x = 1\nreturn x"))) == ["KFNB-E101"]


def test_cells_that_interleave_so_that_a_binding_differs_are_an_error() -> None:
    found = pipeline(
        ("step:a", "x = 1"), ("step:b", "print(x)"), ("step:a", "x = 2"), ("step:c", "print(x)")
    )
    (finding,) = found.errors
    assert finding.code == "KFNB-E104"
    assert '"x"' in finding.message
    assert "the cell `x = 1`" in finding.message
    assert "the cell `x = 2`" in finding.message
    assert finding.cell == 1


def test_a_change_in_place_between_the_cells_of_a_step_is_an_error() -> None:
    found = pipeline(
        ("step:a", "x = []"), ("step:b", "x.append(1)"), ("step:a", "print(x)"), ("step:c", "x")
    )
    assert [d.code for d in found.errors] == ["KFNB-E104"]


def test_setup_between_the_cells_of_a_step_that_changes_what_they_see_is_an_error() -> None:
    found = pipeline(
        ("setup", "n = 1"), ("step:a", "n = 2"), ("setup", "n = 3"), ("step:a", "print(n)")
    )
    assert [d.code for d in found.errors] == ["KFNB-E104"]


def test_cells_that_interleave_without_a_difference_are_fine() -> None:
    found = pipeline(
        ("step:a", "x = 1"),
        ("step:b", "y = 2"),
        ("step:a", "x = x + 1"),
        ("step:b", "print(y)"),
        ("step:c", "x, y"),
    )
    assert not found.diagnostics
    assert dict(found.steps["c"].inputs) == {"x": "a", "y": "b"}


def test_after_that_turns_a_flow_round_is_an_error() -> None:
    found = pipeline((["step:a", "after:b"], "x = 2"), ("step:b", "print(x)"))
    assert [d.code for d in found.errors] == ["KFNB-E104"]


def test_after_orders_steps_and_is_kept_as_an_edge() -> None:
    found = pipeline((["step:a", "after:b"], "1"), ("step:b", "2"), ("step:c", "3"))
    assert [s.name for s in sorted(found.steps.values(), key=lambda s: s.order)] == ["b", "a", "c"]
    between = edge(found, "b", "a")
    assert between is not None
    assert (between.explicit, between.names) == (True, ())


def test_after_hides_no_producer() -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", "x = 2"), (["step:c", "after:a"], "print(x)"))
    assert dict(found.steps["c"].inputs) == {"x": "b"}
    assert edge(found, "a", "c") is not None


def test_a_circle_of_after_still_gives_steps() -> None:
    found = pipeline((["step:a", "after:b"], "1"), (["step:b", "after:a"], "2"))
    assert set(found.steps) == {"a", "b"}
    assert found.errors


OPAQUE = {
    "exec of a name": "exec(code)",
    "eval of a name": "eval(code)",
    "globals()": "g = globals()\ng.update(y=1)",
    "%run": "%run other.py",
    "an unknown magic": "%nobody_knows x",
    "an unknown cell magic": "%%nobody_knows\nx",
}


@pytest.mark.parametrize("source", OPAQUE.values(), ids=OPAQUE)
def test_code_that_cannot_be_read_makes_later_errors_warnings(source: str) -> None:
    found = pipeline(("step:a", "code = '1'"), ("step:b", source), ("step:c", "print(nowhere)"))
    assert sorted(codes(found)) == ["KFNB-W103", "KFNB-W108"]
    assert found.steps["b"].opaque
    assert not found.steps["c"].opaque


def test_a_name_that_only_unreadable_code_can_have_made_comes_from_there() -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", "%run other.py"), ("step:c", "print(answer)"))
    assert found.steps["c"].inputs == {"answer": "b"}
    assert "answer" in found.steps["b"].outputs


def test_evaluating_a_literal_is_readable() -> None:
    found = pipeline(("step:a", "x = 1"), ("step:b", "print(eval('x + 1'))"))
    assert not found.diagnostics
    assert dict(found.steps["b"].inputs) == {"x": "a"}


def test_kales_rule_is_named_where_it_differs() -> None:
    found = pipeline(
        ("block:load", "x = 1"),
        (["block:clean", "prev:load"], "x = x + 1"),
        (["block:train", "prev:load"], "print(x)"),
    )
    (finding,) = found.diagnostics
    assert finding.code == "KFNB-W107"
    assert 'from "clean"' in finding.message
    assert 'from "load"' in finding.message


def test_kales_rule_is_not_mentioned_where_it_agrees() -> None:
    found = pipeline(
        ("step:load", "x = 1"),
        (["step:train", "prev:load"], "y = x"),
        (["step:end", "prev:train"], "x, y"),
    )
    assert not found.diagnostics


def test_a_deep_expression_is_no_crash() -> None:
    deep = "x = " + " + ".join(["y"] * 2000)
    found = pipeline(("step:a", "y = 1"), ("step:b", deep), ("step:c", "print(x)"))
    assert not found.diagnostics
    assert found.steps["b"].inputs == {"y": "a"}
    assert found.steps["c"].inputs == {"x": "b"}


def test_names_in_the_text_of_a_query_are_read() -> None:
    found = pipeline(
        ("step:a", "limit = 2\nother = 3"),
        ("step:b", "import pandas as pd\ndf = pd.DataFrame({'x': [1, 2, 3]})"),
        ("step:c", "df.query('x > @limit and y == \"a@b\"')"),
        ("step:d", "df.eval(f'{x} + @other' if (x := 'x') else '')"),
    )
    assert not found.errors
    assert found.steps["c"].inputs == {"df": "b", "limit": "a"}
    assert found.steps["d"].inputs["other"] == "a"


def test_what_no_kernel_would_even_answer_is_an_error() -> None:
    deep = "z = 1\nx = " + " + ".join(["y"] * 20_000)
    found = pipeline(("step:a", "y = 1"), ("step:b", deep), ("step:c", "print(y)"))
    (error,) = [d for d in found.errors if d.code == "KFNB-E101"]
    assert "nested too deeply" in error.message
    assert error.cell == 1


@pytest.mark.parametrize("tags", ["setup", "step:a"])
def test_an_error_that_is_raised_again_leaves_no_name(tags: str) -> None:
    again = "try:\n    x = 1\nexcept ValueError as e:\n    raise"
    other = "for i in range(3):\n    try:\n        y = i\n    except OSError as f:\n        raise KeyError from f"
    found = pipeline((tags, again), ("step:b", other), ("step:c", "print(x, y)"))
    assert not found.diagnostics
    assert found.steps["c"].inputs["y"] == "b"
    assert "e" not in found.steps["c"].inputs


def test_a_cell_that_may_raise_may_leave_everything() -> None:
    found = pipeline(
        ("step:a", "x = 1"),
        (["step:b", "raises-exception"], "1 / 0\nx = 2"),
        ("step:c", "print(x)"),
    )
    assert found.steps["b"].maybe == ("x",)


def test_the_exit_step_comes_last_and_has_what_was_made() -> None:
    found = pipeline((["step:mail", "on-exit"], "print(x)"), ("step:a", "x = 2"))
    assert not found.errors
    assert dict(found.steps["mail"].inputs) == {"x": "a"}
    assert [s.name for s in sorted(found.steps.values(), key=lambda s: s.order)] == ["a", "mail"]


@pytest.mark.parametrize(
    "line",
    [
        "%pipeline load fit.model --as before",
        "%pipeline load fit.model --as=before --run 20261123-0512",
        "%pipeline load fit.before",
    ],
)
@pytest.mark.parametrize("below", [(("", "{line}"), ("", "before")), (("", "{line}\nbefore"),)])
def test_a_name_that_only_pipeline_load_brings(
    line: str, below: tuple[tuple[str, str], ...]
) -> None:
    cells = [(tag, source.replace("{line}", line)) for tag, source in below]
    found = pipeline(("step:fit", "model = 1"), ("step:tell", "print(model)"), *cells)
    (finding,) = found.diagnostics
    assert finding.code == "KFNB-E102"
    assert "only %pipeline load defines" in finding.message
    assert "tag it skip" in finding.remedy


@pytest.mark.parametrize(
    "line", ["%pipeline load fit", "%pipeline debug tell --run latest", "%pipeline debug"]
)
def test_a_name_that_is_loaded_above_the_step_that_makes_it(line: str) -> None:
    found = pipeline(
        ("step:start", "x = 1"),
        ("skip", line),
        ("", "model"),
        ("step:fit", "model = x"),
        ("step:tell", "print(model)"),
    )
    (finding,) = found.diagnostics
    assert "tag it skip" in finding.remedy


@pytest.mark.parametrize("line", ["%pipeline load fit.model --run before", "%pipeline show"])
def test_a_name_that_no_pipeline_line_brings(line: str) -> None:
    found = pipeline(("step:fit", "model = 1"), ("", line), ("", "before"))
    assert "skip" not in found.diagnostics[0].remedy


def test_changes_of_a_name_that_unreadable_code_may_bind_is_as_advised() -> None:
    opaque = ("step:a", "exec(open('more.py').read())")
    (warning,) = pipeline(opaque).diagnostics
    assert warning.code == "KFNB-W108"
    assert "changes:NAME" in warning.remedy
    advised = pipeline((["step:a", "changes:made"], opaque[1]), ("step:b", "print(made)"))
    assert codes(advised) == ["KFNB-W108"]
    assert advised.steps["b"].inputs == {"made": "a"}


FITS = (
    ("setup", "from sklearn.preprocessing import StandardScaler\nX = [[1], [2]]"),
    ("step:prepare", "prep = StandardScaler()"),
    ("step:logreg", "a = prep.fit_transform(X)"),
)


def test_a_step_that_waits_because_both_fit_one_object_has_a_hint() -> None:
    found = pipeline(*FITS, ("step:forest", "b = 1\nc = prep.fit(X)"))
    assert [(d.code, d.severity, d.step, d.cell, d.line) for d in found.diagnostics] == [
        ("KFNB-H113", "hint", "forest", 3, 2)
    ]
    text = str(found.diagnostics[0])
    assert 'step "forest" waits for step "logreg" only because both change prep' in text
    assert "copy.deepcopy(prep)" in text


TRAIN = "def train(model):\n    return model.fit(prep.fit_transform(X))"


@pytest.mark.parametrize(
    "source",
    [
        "from sklearn.pipeline import make_pipeline\npipe = make_pipeline(prep, b)\npipe.fit(X)",
        "from sklearn.pipeline import Pipeline\nc = Pipeline([('prep', prep)]).fit(X)",
        TRAIN + "\nc = train(1)",
        "def fit(t):\n    return t.fit(X)\nc = [fit(t) for t in (prep,)]",
        "for _ in range(2):\n    c = prep.fit_transform(X)",
    ],
)
def test_an_object_fitted_through_another_or_in_a_function_has_the_hint(source: str) -> None:
    found = pipeline(*FITS, ("step:forest", f"b = 1\n{source}"))
    hint = next(d for d in found.diagnostics if d.code == "KFNB-H113")
    assert (hint.step, hint.cell) == ("forest", 3)
    assert hint.line is not None
    assert "deepcopy(prep)" in str(hint)


def test_steps_that_draw_from_one_generator_have_a_hint_with_another_way_out() -> None:
    found = pipeline(
        ("setup", "import numpy as np\nimport io"),
        ("step:s", "rng = np.random.default_rng(0)\nbuffer = io.StringIO()"),
        ("step:a", "a = rng.normal()"),
        ("step:b", "b = rng.normal()"),
        ("step:c", "buffer.write('c')"),
        ("step:d", "buffer.write('d')"),
    )
    assert [(d.code, d.step, d.cell, d.line) for d in found.diagnostics] == [
        ("KFNB-H113", "b", 3, 1)
    ]
    assert "because both use rng" in str(found.diagnostics[0])
    assert "its own generator" in found.diagnostics[0].remedy


@pytest.mark.parametrize(
    "source", ["c = prep.transform(X)", "c = prep.fit(a)", "prep = StandardScaler().fit(X)"]
)
def test_a_step_that_needs_what_the_other_fitted_has_no_such_hint(source: str) -> None:
    assert "KFNB-H113" not in codes(pipeline(*FITS, ("step:forest", source)))


def test_calls_over_the_work_budget_depend_on_what_functions_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = (
        ("setup", "def f():\n    return g()\ndef g():\n    return x"),
        ("step:a", "x = 1"),
        ("step:b", "y = f()"),
    )
    exact = pipeline(*cells)
    assert exact.diagnostics == ()
    monkeypatch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", 1)
    found = pipeline(*cells)
    assert found.steps["b"].inputs == {"x": "a"}
    assert [(d.code, d.step, d.cell) for d in found.diagnostics] == [("KFNB-H112", "b", 2)]
