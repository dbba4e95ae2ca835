"""``%pipeline`` in plain IPython: what each command says, does and refuses."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

import kfnb
from kfnb.magics.session import Session
from tests.notebook.suggest.notebooks import content

CELLS = (
    ("skip", "%load_ext kfnb"),
    ("parameters", "divisor = 2\nlabel = 'a'\npair = (1, 2)"),
    ("step:load", "numbers = [2, 4]\nprint('loading')"),
    ("step:share", "print('sharing', label, pair)\n\nshares = [n / divisor for n in numbers]"),
    ("step:tell it all", "%load_ext kfnb\n%pipeline run\nprint(shares)"),
)


@pytest.fixture
def book(desk):
    return desk.notebook(*CELLS, name="book.ipynb")


@pytest.fixture
def said(ipython, book):
    """IPython that was told once which notebook is meant."""
    assert ipython("%pipeline check --notebook book.ipynb").ok
    return ipython


def test_help(ipython):
    said = ipython("%pipeline --help").text
    for command in ("show", "check", "run", "status", "logs", "stop", "resume", "runs", "compare"):
        assert f"\n  {command}" in said
    assert ipython("%pipeline").text == said
    assert "--no-wait" in ipython("%pipeline run --help").text
    assert "load train.model" in ipython("%pipeline load -h").text


def test_suggest_prints_what_the_command_line_prints(ipython, tmp_path):
    from click.testing import CliRunner

    from kfnb.cli.main import cli

    path = tmp_path / "untagged.ipynb"
    path.write_text(json.dumps(content("statistics")))
    line = CliRunner().invoke(cli, ["suggest", str(path)]).output
    printed = ipython(f"%pipeline suggest --notebook {path}").text
    assert "step:bootstrap" in printed
    assert printed.strip() == line.strip()


def test_run_has_the_options_of_the_command_line():
    from kfnb.cli import run as line
    from kfnb.magics import run_commands as magics

    for name, left_out in (("run", {"notebook"}), ("resume", {"run"})):
        theirs = {p.name for p in getattr(line, name).params} - left_out
        theirs -= {"detach", "as_json", "dry_run", "output"}
        ours = {p.name for p in getattr(magics, name).params}
        assert theirs <= ours


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("lgos", '%pipeline has no command "lgos". Did you mean "logs"?'),
        ("frobnicate", "Its commands: show, check"),
        ("run --waitt", "--waitt"),
        ("run --from", "--from"),
        ("run --on mars", "mars"),
        ("run --parallel none", "none"),
        ("run -p lr", "-p expects NAME=VALUE, not 'lr'"),
        ("run -p divisr=3", 'no parameter "divisr". Did you mean "divisor"?'),
        ("run -p divisor=many", "divisor"),
        ("run -p divisor={nothing}", 'This kernel has no variable "nothing"'),
        ("run -p divisor={divisor", 'A brace in "{divisor" is not closed: write {divisor}.'),
        ("run -p label=at/{a.b", 'A brace in "at/{a.b" is not closed: write {a.b}.'),
        ("run -p label={a.b", 'A brace in "{a.b" is not closed: write {a.b}.'),
        ("run -p divisor={numbers.size}", 'This kernel has no variable "numbers"'),
        ("run --from shar", 'no step "shar". Did you mean "share"?'),
        ("run --only shar", 'no step "shar". Did you mean "share"?'),
        ("run --only share", "No run of this notebook has all"),
        ("run --only share --from load", "exclude each other"),
        ("run --timeout soon", "soon"),
        ("run 'unclosed", "unclosed"),
        ("run -f nothing.yaml", "nothing.yaml"),
        ("status", "This notebook has no runs yet. Start one: %pipeline run"),
        ("status 2026", 'There is no run "2026"'),
        ("logs share", "This notebook has no runs yet"),
        ("stop", "This notebook has no runs yet"),
        ("resume", "This notebook has no runs yet"),
        ("debug share", "This notebook has no runs yet"),
        ("load share.shares", "This notebook has no runs yet"),
        ("load", "STEP.NAME"),
        ("compare", "fewer than two runs"),
        ("compare latest", "two or more runs"),
        ("show --notebook nothing.ipynb", "nothing.ipynb does not exist"),
        ("show --run nothing", 'There is no run "nothing"'),
        ("show --dot --json", "exclude each other"),
    ],
)
def test_wrong_input_gets_a_sentence(said, desk, line, sentence):
    assert sentence in said.refused(f"%pipeline {line}")
    assert desk.runs() == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("PipelineView('nope')", 'There is no run "nope"'),
        ("PipelineView(3)", "not int"),
        ("LogView(3, 'train')", "a run or its id, not int"),
    ],
)
def test_a_wrong_call_of_a_widget_gets_a_sentence_too(ipython, call, sentence):
    assert sentence in ipython.refused(f"from kfnb.widgets import LogView, PipelineView\n{call}")


def test_no_source_names_the_notebook(ipython, book):
    for line in ("show", "check", "run", "status", "runs", "logs load", "debug"):
        assert "This kernel does not belong to a notebook" in ipython.refused(f"%pipeline {line}")


def test_what_is_named_wins_and_is_remembered(ipython, book, desk):
    desk.notebook(("step:other", "x = 1"), name="other.ipynb")
    assert "load" in ipython("%pipeline show --notebook book.ipynb").text
    assert "tell it all" in ipython("%pipeline show").text
    assert "other" in ipython("%pipeline show --notebook other.ipynb").text
    assert "other" in ipython("%pipeline show").text


def test_a_file_that_is_no_notebook(ipython, desk):
    (desk.folder / "torn.ipynb").write_text('{"cells": [')
    assert "the file ends too early" in ipython.refused("%pipeline show --notebook torn.ipynb")


def test_show_draws_the_steps_and_why(said):
    typed = said("%pipeline show")
    assert typed.ok
    assert "load ──numbers──▶ share" in typed.text
    assert '"share"' not in typed.text
    assert json.loads(said("%pipeline show --json").text)["name"] == "book"
    assert said("%pipeline show --dot").text.startswith("digraph")


def test_check_says_what_is_wrong_where_and_what_to_do(ipython, desk):
    desk.notebook(("step:load", "rows = 1"), ("step:use", "\nprint(rowz)"), name="wrong.ipynb")
    typed = ipython("%pipeline check --notebook wrong.ipynb")
    assert typed.ok
    assert "error: KFNB-E102" in typed.text
    assert "(line 2: `print(rowz)`)" in typed.text
    assert 'Did you mean "rows"?' in typed.text
    assert "wrong.ipynb: 1 error, no warnings" in typed.text
    refused = ipython("%pipeline run")
    assert not refused.ok
    title, _, errors = refused.text.partition("Nothing was started, because of 1 error:")
    assert "KFNB-E102" not in title
    assert errors.count("KFNB-E102") == 1
    assert desk.runs() == []


def test_a_view_in_a_step_is_reported_once_and_by_check(ipython, desk):
    looking = "from kfnb.widgets import PipelineView\nPipelineView('latest')"
    desk.notebook(("step:load", "rows = 1"), ("step:load", looking), name="view.ipynb")
    assert "KFNB-W215" in ipython("%pipeline show --notebook view.ipynb").text
    assert "KFNB-W215" not in ipython("%pipeline show").text
    assert "KFNB-W215" in ipython("%pipeline check").text
    # Another view is news.
    desk.notebook(("step:load", "rows = 1"), ("", "rows"), ("", looking), name="view.ipynb")
    assert "KFNB-W215" in ipython("%pipeline show").text


@pytest.mark.parametrize(("kernel", "place"), [(object(), "out"), (None, "err")])
def test_a_note_is_no_failure_in_a_notebook(capsys, kernel, place):
    Session(SimpleNamespace(kernel=kernel)).note("Replaced your variable x.")
    said = capsys.readouterr()
    assert {"out": said.out, "err": said.err} == {
        "out": "",
        "err": "",
        place: "Replaced your variable x.\n",
    }


def test_inside_a_step_it_does_nothing(ipython, book, monkeypatch, desk):
    monkeypatch.setenv("KFNB_STEP", "share")
    typed = ipython("%pipeline run --notebook book.ipynb")
    assert typed.ok
    assert typed.text == "%pipeline does nothing inside a step of a run.\n"
    assert desk.runs() == []


def test_a_name_in_braces_is_a_variable_and_never_code(said):
    said("run_id = '2026'\nclass Settings: at = 'there'")
    assert 'There is no run "2026"' in said.refused("%pipeline status {run_id}")
    assert 'There is no run "there"' in said.refused("%pipeline status {Settings.at}")
    said("called = []")
    for hostile in ("{called.append(1)}", "$called", "{called.append.__call__(1)}"):
        said.refused(f"%pipeline status {hostile}")
        said.refused(f"%pipeline logs --run latest {hostile}")
    assert said.names["called"] == []


@pytest.mark.slow
def test_run_and_what_comes_of_it(said, desk):
    typed = said("%pipeline run")
    assert typed.ok, typed.text
    assert "share: succeeded" in typed.text
    (run,) = kfnb.runs(desk.folder / "book.ipynb")
    # The magic in the notebook itself did not execute: there is no second run.
    assert run.logs("tell it all") == "[1.0, 2.0]\n"

    assert "sharing a (1, 2)" in said("%pipeline logs share").text
    assert said("%pipeline logs tell it all").text == "[1.0, 2.0]\n"
    assert "==> load <==" in said("%pipeline logs").text
    assert said("%pipeline logs load -f").text == "loading\n"
    assert 'no step "shar"' in said.refused("%pipeline logs shar")
    assert f"run {run.id} succeeded" in said("%pipeline status").text
    assert run.id in said("%pipeline runs").text
    assert "has already ended" in said("%pipeline stop").text
    assert "there is nothing to resume" in said("%pipeline resume").text
    assert 'style="rounded' in said(f"%pipeline show --dot --run {run.id}").text
    assert "No step of run" in said.refused("%pipeline debug")

    # Variables come in as they are, lists and all.
    said("class Options: divisor = 4\nlabel = 'x y'")
    typed = said("%pipeline run -p divisor={Options.divisor} -p label=<{label}>")
    assert typed.ok, typed.text
    second = kfnb.open_run("latest")
    assert second.parameters == {"divisor": 4, "label": "<x y>", "pair": [1, 2]}
    compared = said("%pipeline compare").text
    assert "* parameter divisor" in compared
    assert "  step load" in compared
    (cached,) = re.findall("step load .*", compared)
    assert re.fullmatch(r"step load +cached +succeeded \d+\.\d+ s", cached), cached
    assert "the same run" in said.refused(f"%pipeline compare {run.id} {run.id}")

    # Values come into the kernel.
    typed = said("%pipeline load share.shares")
    assert typed.ok
    assert "shares: list (2)" in typed.text
    assert said.names["shares"] == [0.5, 1.0]
    assert said(f"%pipeline load share.shares --as before --run {run.id}").ok
    assert said.names["before"] == [1.0, 2.0]
    assert said("%pipeline load load").ok
    assert said.names["numbers"] == [2, 4]
    assert 'no output "share"' in said.refused("%pipeline load share.share")
    assert 'Did you mean "share"?' in said.refused("%pipeline load shar.shares")
    assert "no later step uses" in said.refused("%pipeline load tell it all")
    assert '"1x" is not a valid variable name' in said.refused(
        "%pipeline load share.shares --as 1x"
    )

    # One step alone.
    assert said("%pipeline run --only share -p divisor=1").ok
    assert list(kfnb.open_run("latest").steps) == ["load", "share"]


@pytest.mark.slow
def test_a_failed_step_is_debugged_where_the_person_is(said, desk):
    typed = said("%pipeline run -p divisor=0")
    assert not typed.ok
    assert "Traceback (most recent call last)" not in typed.text.split("kfnb: Run")[1]
    last = typed.text[typed.text.index("kfnb: Run") :]
    assert (
        'step "share": line 3: `shares = [n / divisor for n in numbers]` raised ZeroDivisionError'
        in last
    )
    assert "%pipeline debug share" in last
    # The events name the failure in one line; what to know about it is in the error of the cell.
    assert typed.text.count("raised ZeroDivisionError") == 2

    said("divisor = 'mine'")
    typed = said("%pipeline debug")
    assert typed.ok
    assert "line 3: `shares = " in typed.text
    assert "> 3 | shares = [n / divisor for n in numbers]" in typed.text
    assert 'numbers: list  (from step "load")' in typed.text
    assert "Replaced your variable divisor" in typed.text
    assert said.names["numbers"] == [2, 4]
    assert said.names["divisor"] == 0
    assert said.names["label"] == "a"
    assert said.names["pair"] == (1, 2)
    assert "ZeroDivisionError" in said("shares = [n / divisor for n in numbers]").text

    assert "did not fail: it succeeded" in said("%pipeline debug load").text
    refused = said.refused("%pipeline debug tell it all")
    assert 'did not start: it was skipped. The failed step is "share".' in refused
    assert "it failed" in said.refused("%pipeline load share.shares")


@pytest.mark.slow
def test_a_value_that_needs_a_class_of_the_notebook(ipython, desk):
    desk.notebook(
        ("setup", "class Model:\n    def __init__(self, n):\n        self.n = n"),
        ("step:fit", "model = Model(3)"),
        ("step:use", "print(model.n)\n1 / 0"),
        name="classes.ipynb",
    )
    assert not ipython("%pipeline run --notebook classes.ipynb").ok
    assert '"Model" (`class Model:`)' in ipython.refused("%pipeline load fit.model")
    assert '"Model" (`class Model:`)' in ipython("%pipeline debug").text
    ipython("class Model:\n    pass")
    assert ipython("%pipeline debug").ok
    assert ipython.names["model"].n == 3
    assert type(ipython.names["model"]) is ipython.names["Model"]


@pytest.mark.slow
def test_stop_and_resume(ipython, desk):
    gate = desk.folder / "gate"
    desk.notebook(
        ("step:load", "numbers = [1]"),
        (
            "step:wait",
            f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)",
        ),
        name="gate.ipynb",
    )
    typed = ipython("%pipeline run --no-wait --notebook gate.ipynb")
    assert typed.ok
    assert "%pipeline stop ends it" in typed.text
    desk.wait_for("CellStarted", "wait")
    assert "running" in ipython("%pipeline status").text
    assert "is still executing" in ipython.refused("%pipeline resume")
    assert "cancelled" in ipython("%pipeline stop").text
    gate.touch()
    typed = ipython("%pipeline resume --retries 1")
    assert typed.ok, typed.text
    assert kfnb.open_run("latest").status == "succeeded"


@pytest.mark.slow
def test_verify_compares_notebook_and_pipeline(said):
    typed = said("%pipeline check --verify")
    assert typed.ok
    assert "values are equal" in typed.text


@pytest.mark.slow
def test_a_renamed_notebook_keeps_the_runs_that_this_kernel_began(said, book):
    assert said("%pipeline run").ok
    [run] = kfnb.runs()
    book.rename(book.with_name("renamed.ipynb"))
    told = said("%pipeline status --notebook renamed.ipynb")
    assert told.ok
    assert run.id in told.text


ODD = """class Odd:
    def __reduce__(self):
        return eval, ("1/0",)
odd, good = Odd(), [1]"""


@pytest.mark.slow
def test_a_value_that_cannot_be_made_anew_does_not_hide_the_others(ipython, desk):
    desk.notebook(("step:make", ODD), ("step:use", "print(good)"), ("step:last", "str(odd)"))
    ipython("%pipeline run --notebook nb.ipynb")
    [run] = kfnb.runs()
    if "odd" not in run.steps["make"].outputs:
        pytest.skip("the value was refused when it was saved")
    refused = ipython.refused("%pipeline load make.odd --notebook nb.ipynb")
    assert "its own code raised ZeroDivisionError: division by zero" in refused
    told = ipython("%pipeline load make --notebook nb.ipynb")
    assert ipython.names["good"] == [1]
    assert "ZeroDivisionError" in told.text
