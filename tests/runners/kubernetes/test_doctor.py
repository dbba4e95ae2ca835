"""What doctor says where no cluster is needed to see it; tests/kubernetes asks a real one."""

from __future__ import annotations

import shlex

import pytest

from kfnb.runners.kubernetes.doctor import checks, image
from kfnb.runners.kubernetes.doctor.probe import Probed
from kfnb.runners.kubernetes.options import KubernetesOptions
from tests.runners.kubernetes.made import job

HOSTILE = "breaker-a;rm -rf /"


class Nothing:
    """A cluster in which nothing is that one asks for."""

    namespace = HOSTILE

    def about(self, *_):
        return None

    def get(self, *_):
        return None

    def list(self, *_):
        return {}


class Restricted(Nothing):
    namespace = "lab"

    def get(self, kind, name):
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        return {"metadata": {"name": name, "labels": labels}}


def test_the_standard_of_a_namespace_is_named():
    said = checks._namespace(Restricted()).sentence
    assert 'Standard "restricted"; steps satisfy "restricted".' in said


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("Kubernetes tries again. Look at the registry's name.", "Look at the registry's name."),
        ("Kubernetes tries again.", "The image i"),
        ("Kubernetes tries again for 0 minutes. Push it.", "cannot be pulled. Push it."),
        ("Correct image: of the step.", "Correct image: of the step."),
    ],
)
def test_an_image_is_looked_at_once(remedy, said):
    found = Probed(trouble="The image i cannot be pulled", remedy=remedy)
    [finding] = image._of_image("i", found, KubernetesOptions(image="i"))
    assert said in finding.sentence
    assert "tries again" not in finding.sentence


def test_no_name_gets_out_of_a_line_that_one_may_copy():
    target = KubernetesOptions(
        driver_service_account="a; ls",
        service_account="b; ls",
        store_secret="c; ls",
        image_pull_secrets=("d; ls",),
        store="pvc:e",
    )
    cluster = Nothing()
    found = [
        checks._namespace(cluster),
        *checks._driver(cluster, target, fix=False),
        *checks._references(cluster, target),
    ]
    lines = [line for finding in found for line in finding.commands]
    lines.append("kubectl auth can-i --list" + checks._as(HOSTILE, "a; ls"))
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "kubectl"
        assert not {"rm", "-rf", "/", "ls", ";"} & set(words)


def test_nor_out_of_one_that_explains_an_attempt():
    from kfnb.runners.kubernetes.explain.model import Patience
    from kfnb.runners.kubernetes.explain.reading import Case

    made = job()
    made["metadata"]["namespace"] = HOSTILE
    line = Case(made, [], [], 0.0, Patience()).kubectl("get pods").strip("`")
    assert shlex.split(line) == ["kubectl", "-n", HOSTILE, "get", "pods"]
