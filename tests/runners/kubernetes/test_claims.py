"""The claim of a store: whether it is made, who may use it, and what its reader's pod is told."""

from __future__ import annotations

import json

import pytest

from kfnb.errors import UsageError
from kfnb.runners.kubernetes.api.client import ApiError
from kfnb.runners.kubernetes.objects.claims import on_one_node, with_claim
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.store.reader_pod import reader_job
from kfnb.store.remote.serve import digest_of

TARGET = KubernetesOptions(
    image="image", store="pvc:work/path", storage_size="3Gi", storage_class="fast"
)
TERM = {
    "labelSelector": {"matchLabels": {"kfnb.dev/claim": "work"}},
    "topologyKey": "kubernetes.io/hostname",
}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def claim(*modes):
    return {"metadata": {"name": "work"}, "spec": {"accessModes": list(modes)}}


class Claims:
    """The claims of a namespace; ``refusal`` is how a creation ends."""

    def __init__(self, *modes, refusal=None):
        self.made = []
        self.refusal = refusal
        self.there = claim(*modes) if modes else None

    def get(self, kind, name):
        assert (kind, name) == ("PersistentVolumeClaim", "work")
        return self.there

    def create(self, kind, body):
        if self.refusal:
            raise self.refusal
        self.made.append(body)
        return body


def test_a_missing_claim_is_created_as_described():
    claims = Claims()
    assert with_claim(claims, TARGET) == TARGET
    (made,) = claims.made
    assert made["metadata"]["name"] == "work"
    assert made["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "3Gi"}},
        "storageClassName": "fast",
    }


def test_a_claim_that_is_there_is_left_as_it_is():
    claims = Claims("ReadWriteMany")
    assert with_claim(claims, TARGET) == TARGET
    assert claims.made == []


def test_pods_that_share_a_claim_of_one_node_share_the_node():
    assert with_claim(Claims("ReadWriteOnce"), TARGET) == on_one_node(TARGET, "work")
    made = Claims()
    own = KubernetesOptions(image="image", store="pvc:work", storage_access="ReadWriteOnce")
    assert with_claim(made, own).affinity["podAffinity"][REQUIRED] == [TERM]


def test_affinity_settings_apply_too():
    mine = {"podAffinity": {REQUIRED: ["mine"]}, "nodeAffinity": "near"}
    steps = {"a": {"affinity": {"nodeAffinity": "far"}}, "b": {"labels": {"x": "y"}}}
    found = on_one_node(KubernetesOptions(affinity=mine, labels={"team": "t"}, steps=steps), "work")
    assert found.affinity == {"podAffinity": {REQUIRED: ["mine", TERM]}, "nodeAffinity": "near"}
    assert found.labels == {"team": "t", "kfnb.dev/claim": "work"}
    a = found.for_step("a")
    assert a.affinity == {"podAffinity": {REQUIRED: [TERM]}, "nodeAffinity": "far"}
    assert a.labels["kfnb.dev/claim"] == "work"
    assert found.for_step("b").affinity == found.affinity


@pytest.mark.parametrize("mode", ["ReadWriteOncePod", "ReadOnlyMany"])
def test_a_claim_that_steps_cannot_share_is_refused_with_the_reason(mode):
    with pytest.raises(UsageError, match=rf"work is {mode}.*ReadWriteMany"):
        with_claim(Claims(mode), TARGET)


def test_a_missing_right_to_create_claims_is_reported():
    claims = Claims(refusal=ApiError("you cannot create it.", status=403))
    with pytest.raises(
        UsageError, match="claim work cannot be read or created: you cannot create it"
    ):
        with_claim(claims, TARGET)


def test_a_claim_that_somebody_else_makes_meanwhile_is_used():
    claims = Claims(refusal=ApiError("it is there", status=409))
    found = iter([None, claim("ReadWriteOnce")])
    claims.get = lambda *_: next(found)
    assert with_claim(claims, TARGET) == on_one_node(TARGET, "work")


def test_a_reader_has_no_token_of_any_kind_and_goes_by_itself():
    job = reader_job(TARGET, digest_of("the-token"))
    assert "the-token" not in json.dumps(job)
    assert job["spec"]["ttlSecondsAfterFinished"] == 0
    spec = job["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    (container,) = spec["containers"]
    assert container["command"][:4] == [
        "python",
        "-m",
        "kfnb.store.remote.serve",
        "/kfnb-store/path",
    ]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # It is no object of a run: neither watched nor counted as one.
    assert "kfnb.dev/run" not in job["metadata"]["labels"]


def test_a_reader_without_an_image_is_asked_for_one():
    with pytest.raises(UsageError, match="--image"):
        reader_job(KubernetesOptions(store="pvc:work"), digest_of("t"))
