"""Every trap gives, as a pipeline, what the notebook gives from top to bottom, or says why not.

``KFNB_FIDELITY=all`` executes the whole corpus; otherwise those that stand below by
name are executed, and all of them are read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import kfnb
from tests.fidelity.corpus import Trap, traps
from tests.fidelity.running import both

TRAPS = traps()
EXECUTED = [trap for trap in TRAPS if not trap.expect]
ALWAYS = {
    "conditional-binding", "conditional-absent", "delete", "star-import-in-step", "function-redefined",
    "class-body-reads", "late-binding", "nested-scopes", "global-counter", "walrus", "except-as",
    "function-mutates-indirectly", "mutable-default", "registry-decorator", "closure-over-value",
    "memo", "generator", "group-connection", "iterator", "bound-method", "recursion", "async", "isinstance", "enum",
    "dataclass", "namedtuple", "property", "class-attribute-change", "instance-of-local-class",
    "class-edited", "two-names", "two-names-in-two-steps", "hidden-alias", "change-and-read",
    "hidden-change-through-closure", "callable-instance", "random-object", "shell", "bash-cell",
    "time-cell", "capture-cell", "rich-display", "setup-prints", "step-magic", "parameters",
    "metrics-plain", "metrics-computed", "file-csv", "file-append", "file-overwritten",
    "file-fstring", "file-dynamic", "rng-in-setup-once", "rng-across-steps", "rng-in-setup", "numpy-legacy-state", "state-of-a-local-module",
    "state-seed-everything", "state-registry", "setup-object", "setup-queue", "setup-changed-by-library", "environ-in-setup", "decimal-context",
    "hash-seed", "numpy-view", "numpy-large-view", "numpy-generator", "pandas-inplace",
    "sklearn-fit", "training", "interleaved", "exec-binds", "untagged", "implicit-first",
    "effect-future", "effect-import", "effect-accessor", "effect-options", "effect-decorator",
    "effect-option-in-step",
    "collecting-dict", "collecting-list", "collecting-set", "collecting-sum", "collecting-text",
    "collecting-grow", "collecting-defaultdict", "collecting-function", "collecting-same-key",
    "collecting-shared", "collecting-own-object", "collecting-alias", "collecting-inside",
    "collecting-hidden-alias", "collecting-late-alias", "collecting-hidden-read", "collecting-read", "collecting-by-text",
    "collecting-reading-function", "collecting-subclass", "collecting-removed",
    "collecting-rebound", "collecting-eval", "collecting-changed-item", "collecting-metric",
    "collecting-nobody-reads",
    "method-of-an-argument", "method-of-a-kept-object", "object-of-a-factory",
    "own-state-and-shared-data", "sklearn-meta-estimators",
    "pandas-option", "import-inside", "logging-config", "printoptions", "state-option-in-function",
    "state-logging", "star-import", "import-in-step", "import-rebound",
    "repair-changed-too-late", "repair-file-read-too-early", "repair-file-read-old",
}  # fmt: skip


def cases(chosen: list[Trap]) -> list[object]:
    return [
        pytest.param(
            t,
            id=t.name,
            marks=pytest.mark.xfail(
                reason=t.options["open"], strict="chance" not in t.options["open"]
            )
            if "open" in t.options
            else (),
        )
        for t in chosen
    ]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda t: t.name)
def test_reading_finds_what_cannot_work_and_nothing_else(trap: Trap, tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(trap.notebook()))
    diagnostics = kfnb.read(path).diagnostics
    errors = [d.code for d in diagnostics if d.severity == "error"]
    if trap.expect:
        assert any(code.startswith(trap.expect) for code in errors), diagnostics
        assert all(d.remedy and d.cell is not None for d in diagnostics if d.code in errors)
    else:
        assert errors == [], [str(d) for d in diagnostics]


@pytest.mark.slow
@pytest.mark.parametrize(
    "trap",
    cases([t for t in EXECUTED if t.name in ALWAYS or os.environ.get("KFNB_FIDELITY") == "all"]),
)
def test_the_pipeline_gives_what_the_notebook_gives(trap: Trap, tmp_path: Path) -> None:
    outcome = both(tmp_path, trap.notebook())
    as_wanted = outcome.status == "succeeded" and not outcome.differences
    if trap.run:
        assert outcome.status == "failed"
        assert trap.run in outcome.error, outcome
    elif trap.may and outcome.status == "failed":
        assert trap.may in outcome.error, outcome
    elif trap.allow and not as_wanted:
        assert any(code.startswith(trap.allow) for code in outcome.warnings), outcome
    else:
        assert outcome.status == "succeeded", outcome
        assert outcome.differences == (), outcome


def test_the_names_that_always_run_are_in_the_corpus() -> None:
    assert {t.name for t in EXECUTED} >= ALWAYS
