from kfnb.engine.consistency.findings import UnplannedEffect
from kfnb.engine.consistency.process_state import ProcessState
from kfnb.engine.core.event_types import StepSucceeded

NAMES = "abc"


def published(**data):
    return StepSucceeded(outputs={}, **data)


def explanation(findings):
    assert all(isinstance(one, UnplannedEffect) for one in findings)
    return [(one.step, one.explanation.code) for one in findings]


def test_a_variable_is_reported_once_and_not_for_the_last_step():
    leftovers = ProcessState(NAMES.__getitem__, last=2)
    result = published(left={"environment": ("TOKEN", "USER")})
    (findings,) = leftovers.finish(0, result)
    assert (findings.step, findings.explanation.code) == (0, "KFNB-W614")
    assert "variables TOKEN, USER" in findings.explanation.message
    assert leftovers.finish(1, published()) == []
    assert leftovers.finish(2, result) == []


def test_a_changed_module_is_reported_to_later_importers_whichever_step_ends_first():
    changed = published(left={"module:helpers.py": ("rate",)}, files_read={"helpers.py": "h"})
    reads = published(files_read={"helpers.py": "h"})
    leftovers = ProcessState(NAMES.__getitem__, last=2)
    assert explanation(leftovers.finish(0, reads)) == []
    assert explanation(leftovers.finish(2, reads)) == []
    assert explanation(leftovers.finish(1, changed)) == [(2, "KFNB-W615")]
    later = ProcessState(NAMES.__getitem__, last=2)
    later.finish(1, changed)
    assert explanation(later.finish(0, reads)) == []
    assert explanation(later.finish(2, reads)) == [(2, "KFNB-W615")]


def test_what_executes_again_counts_anew():
    leftovers = ProcessState(NAMES.__getitem__, last=2)
    leftovers.finish(0, published(left={"module:helpers.py": ("rate",)}))
    leftovers.retract(0)
    leftovers.finish(0, published())
    assert leftovers.finish(1, published(files_read={"helpers.py": "h"})) == []
