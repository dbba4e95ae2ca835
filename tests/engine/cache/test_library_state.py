"""A cached result holds for the states of libraries that it relied on."""

from kfnb.engine.cache.cache_lookup import _changed_states
from kfnb.engine.dispatch.step_orders import Upstream
from kfnb.state_names import state_name
from kfnb.store.manifest import Manifest


def manifest(**state):
    return Manifest("run", "step", 1, 0.0, 1.0, state=state)


def given(left):
    return {state_name("s"): Upstream("a", manifest(s=("", "", left)))}


def test_a_result_holds_if_the_step_would_begin_with_the_same_state():
    relied = manifest(s=("own", "x", ""))
    assert _changed_states(relied, given("x")) == []
    assert _changed_states(relied, given("y")) == ["s changed"]
    assert _changed_states(relied, {}) == ["s changed"]
    assert _changed_states(manifest(s=("x", "x", "")), {}) == []


def test_a_state_that_the_step_did_not_rely_on_does_not_matter():
    assert _changed_states(manifest(s=("", "-", "")), given("x")) == []
    assert _changed_states(manifest(), given("x")) == []


def test_a_state_that_was_brought_back_is_that_of_a_fresh_process():
    assert _changed_states(manifest(s=("", "", "")), given("fresh")) == []
