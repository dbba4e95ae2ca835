from kfnb.engine.consistency.findings import Surprise
from kfnb.engine.consistency.process_state import Leftovers

NAMES = "abc"


def said(found):
    assert all(isinstance(one, Surprise) for one in found)
    return [(one.step, one.said.code) for one in found]


def test_a_variable_is_told_once_and_not_of_the_last_step():
    leftovers = Leftovers(NAMES.__getitem__, last=2)
    result = {"left": {"environment": ["TOKEN", "USER"]}}
    (found,) = leftovers.finish(0, result)
    assert (found.step, found.said.code) == (0, "KFNB-W614")
    assert "variables TOKEN, USER" in found.said.message
    assert leftovers.finish(1, {}) == []
    assert leftovers.finish(2, result) == []


def test_a_module_is_told_to_later_steps_that_import_it_whoever_ends_first():
    changed = {"left": {"module:helpers.py": ["rate"]}, "files_read": {"helpers.py": "h"}}
    reads = {"files_read": {"helpers.py": "h"}}
    leftovers = Leftovers(NAMES.__getitem__, last=2)
    assert said(leftovers.finish(0, reads)) == []
    assert said(leftovers.finish(2, reads)) == []
    assert said(leftovers.finish(1, changed)) == [(2, "KFNB-W615")]
    later = Leftovers(NAMES.__getitem__, last=2)
    later.finish(1, changed)
    assert said(later.finish(0, reads)) == []
    assert said(later.finish(2, reads)) == [(2, "KFNB-W615")]


def test_what_executes_again_counts_anew():
    leftovers = Leftovers(NAMES.__getitem__, last=2)
    leftovers.finish(0, {"left": {"module:helpers.py": ["rate"]}})
    leftovers.retract(0)
    leftovers.finish(0, {})
    assert leftovers.finish(1, {"files_read": {"helpers.py": "h"}}) == []
