"""States of libraries: who is given which, and who began with the wrong one."""

from kfnb.engine.consistency.findings import NewEdge, StaleStep
from kfnb.engine.consistency.library_state import LibraryState, state_left
from kfnb.engine.core.event_types import StepSucceeded
from kfnb.engine.core.identity import Source
from kfnb.state_names import state_name

NAMES = "abcd"


def done(own="", began="", left=""):
    return StepSucceeded(outputs={}, state={"s": (own, began, left)})


def state(waits=()):
    return LibraryState(NAMES.__getitem__, lambda n, m: (m, n) in waits)


def stale(findings):
    return [finding.step for finding in findings if isinstance(finding, StaleStep)]


def edges(findings):
    return [(f.source, f.target) for f in findings if isinstance(f, NewEdge)]


def test_a_step_is_given_what_the_latest_step_before_it_left():
    states = state()
    assert states.given(3) == {}
    assert not list(states.finish(0, done(left="x")))
    assert states.given(0) == {}
    assert states.given(1) == states.given(3) == {state_name("s"): 0}
    assert not list(states.finish(2, done(began="x", left="y")))[1:]
    assert states.given(2) == {state_name("s"): 0}
    assert states.given(3) == {state_name("s"): 2}


def test_a_step_that_began_before_the_state_was_left_is_executed_again():
    for order in ((0, 1), (1, 0)):
        states, found = state(), []
        results = {0: done(left="x"), 1: done()}
        for n in order:
            found = list(states.finish(n, results[n]))
        assert stale(found) == [1]
        assert edges(found) == [(0, 1)]


def test_a_step_that_does_not_rely_on_the_state_is_not():
    states = state()
    list(states.finish(1, done(began="-")))
    assert not list(states.finish(0, done(left="x")))


def test_a_step_whose_setup_makes_the_same_state_needs_no_edge():
    states = state()
    list(states.finish(0, done(left="x")))
    assert not list(states.finish(1, done(own="x", began="x")))


def test_an_edge_that_is_known_is_not_found_again():
    states = state(waits={(0, 1)})
    list(states.finish(0, done(left="x")))
    assert not list(states.finish(1, done(began="x")))


def test_a_failed_step_is_executed_again_with_a_state_that_was_left_since():
    states = state()
    list(states.finish(0, done(left="x")))
    now = {state_name("s"): Source("a"), "v": Source("a")}
    assert edges(states.missed(1, {"v": Source("a")}, now)) == [(0, 1)]
    assert states.missed(1, now, now) == []
    later = {**now, state_name("s"): Source("a", round=1)}
    assert edges(states.missed(1, now, later)) == [(0, 1)]


def test_what_an_earlier_round_left_does_not_count():
    states = state()
    list(states.finish(0, done(left="x")))
    list(states.finish(1, done(began="x")))
    states.retract(0)
    assert states.given(1) == {}
    assert stale(states.finish(0, done())) == [1]
    states.retract(1)
    assert not list(states.finish(1, done()))


def test_a_state_that_was_brought_back_to_that_of_a_fresh_process():
    states = state()
    list(states.finish(0, done(own="x", began="x", left="fresh")))
    assert state_left({"s": ("x", "x", "fresh")}, "s") == ""
    assert stale(states.finish(1, done(own="x", began="x"))) == [1]
    states.retract(1)
    assert not stale(states.finish(1, done(own="x", began="")))
