"""By its Lease other machines tell whether a run's driver lives."""

from __future__ import annotations

import time

import pytest

from kfnb.runners.kubernetes.api import lease
from kfnb.runners.kubernetes.api.lease import (
    LASTS,
    held_by_another_machine,
    lease_name,
    renewed,
    this_machine,
)
from kfnb.runners.kubernetes.api.transport import ApiError
from tests.cluster.jobs import until

OWNER = {"metadata": {"name": "kfnb-r", "uid": "u"}}


class Objects:
    """The Leases of a namespace, with the server's rules of writing."""

    def __init__(self, refusal: int | None = None):
        self.kept, self.refusal, self.asked = {}, refusal, 0

    def _ask(self):
        self.asked += 1
        if self.refusal:
            raise ApiError("no.", status=self.refusal, passing=self.refusal != 403)

    def get(self, kind, name):
        self._ask()
        return self.kept.get(name)

    def create(self, kind, body):
        self._ask()
        name = body["metadata"]["name"]
        if name in self.kept:
            raise ApiError("there.", status=409)
        self.kept[name] = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        return self.kept[name]

    def replace(self, kind, body):
        self._ask()
        name = body["metadata"]["name"]
        version = self.kept[name]["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != version:
            raise ApiError("written.", status=409)
        metadata = {**body["metadata"], "resourceVersion": str(int(version) + 1)}
        self.kept[name] = {**body, "metadata": metadata}
        return self.kept[name]

    @property
    def spec(self):
        [one] = self.kept.values()
        return one["spec"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.02)


def elsewhere(monkeypatch, name="other_1"):
    monkeypatch.setattr(lease, "this_machine", lambda: name)


def test_another_machine_sees_the_driver_until_it_leaves(monkeypatch):
    there = Objects()
    with renewed(there, "r", OWNER):
        until(lambda: there.kept, "the Lease")
        assert held_by_another_machine(there, "r") is None  # it is held here
        with monkeypatch.context() as patch:
            elsewhere(patch)
            found = held_by_another_machine(there, "r")
            assert found is not None
            assert found.machine == this_machine()
    elsewhere(monkeypatch)
    assert held_by_another_machine(there, "r") is None


def test_it_goes_with_the_run_and_is_renewed():
    there = Objects()
    seconds = iter(range(1_700_000_000, 1_800_000_000))
    with renewed(there, "r", OWNER, now=lambda: next(seconds)):
        until(lambda: there.kept, "the Lease")
        first = there.spec["acquireTime"]
        until(lambda: there.spec["renewTime"] > first, "a renewal")
    [made] = there.kept.values()
    assert made["metadata"]["name"] == lease_name("r")
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert made["metadata"]["labels"]["kfnb.dev/run"] == "r"
    assert made["spec"]["acquireTime"] == first == "2023-11-14T22:13:20.000000Z"


def test_it_is_renewed_by_one_request_and_not_over_what_somebody_wrote_meanwhile(monkeypatch):
    there = Objects()
    held = lease._renew(there, "r", OWNER, 1_700_000_000.0)
    asked = there.asked
    held = lease._renew(there, "r", OWNER, 1_700_000_010.0, held=held)
    assert there.asked == asked + 1
    with monkeypatch.context() as patch:
        elsewhere(patch)
        lease._renew(there, "r", OWNER, 1_800_000_000.0)
    with pytest.raises(ApiError):
        lease._renew(there, "r", OWNER, 1_700_000_020.0, held=held)
    assert there.spec["holderIdentity"] == "other_1"


def test_a_driver_that_was_killed_counts_as_lost_after_a_while(monkeypatch):
    there = Objects()
    lease._renew(there, "r", OWNER, time.time() - LASTS - 1)
    elsewhere(monkeypatch)
    assert held_by_another_machine(there, "r") is None
    lease._renew(there, "r", OWNER, time.time())
    assert there.spec["holderIdentity"] == "other_1"


def test_a_driver_that_lives_is_not_replaced(monkeypatch):
    there = Objects()
    lease._renew(there, "r", OWNER, time.time())
    mine = there.spec
    elsewhere(monkeypatch)
    with renewed(there, "r", OWNER):
        until(lambda: there.asked > 5, "some tries")
    assert there.spec == mine


@pytest.mark.parametrize("status", [403, 503])
def test_a_cluster_that_refuses_keeps_no_driver_from_its_work(status):
    there = Objects(refusal=status)
    with renewed(there, "r", OWNER):
        until(lambda: there.asked, "a try")
        if status == 503:
            until(lambda: there.asked > 2, "more tries")
    assert held_by_another_machine(there, "r") is None
    if status == 403:
        assert there.asked <= 3
