"""What can be said of a target, seen in what the cluster made of it; and objects of dry runs."""

from __future__ import annotations

import json
import uuid

import pytest
import yaml

from tests.kubernetes.runs import jobs, pods

GPU = "example.com/gpu"
TOLERATION = {"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}
SOURCE = """import os
print(x, os.environ['A'], len(os.environ['TOKEN']))
_ = [open(path, 'w').write('a') for path in ('/data/a', '/scratch/b')]"""
AFFINITY = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 1,
                "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]},
            }
        ]
    }
}


@pytest.fixture
def gpus(cluster, node):
    """Two GPUs of some vendor on the node."""
    core = cluster.core()
    [one] = core.list_node().items
    del node
    core.patch_node_status(one.metadata.name, {"status": {"capacity": {GPU: "2"}}})
    return GPU


@pytest.fixture
def priority(cluster):
    from kubernetes.client import SchedulingV1Api

    api, name = SchedulingV1Api(cluster.client()), f"test-{uuid.uuid4().hex[:8]}"
    api.create_priority_class({"metadata": {"name": name}, "value": 7})
    yield name
    api.delete_priority_class(name)


def test_pods_have_every_option_of_the_call(desk, gpus, priority, claim):
    core = desk.cluster.core()
    core.create_namespaced_secret(
        desk.namespace, {"metadata": {"name": "login"}, "stringData": {"token": "s3cr3t"}}
    )
    core.create_namespaced_service_account(desk.namespace, {"metadata": {"name": "worker"}})
    tags = f"step:train cpu:50m memory:256Mi limit:{gpus}:1 env:A:b secret:login:token:TOKEN"
    path = desk.notebook(
        ("step:load", "x = 1"),
        (
            f"{tags} timeout:5m label:team:tags annotation:note:of-the-step",
            SOURCE,
        ),
        kfnb={
            "volumes": [
                {"name": "data", "mount": "/data", "claim": claim},
                {"name": "scratch", "mount": "/scratch", "size": "10Mi"},
            ],
            "targets": {
                "kubernetes": {
                    "affinity": AFFINITY,
                    "steps": {"train": {"security_context": {"runAsUser": 1234}}},
                }
            },
        },
    )
    config = desk.folder / "config.toml"
    config.write_text(
        f'[kubernetes]\npriority_class = "{priority}"\nservice_account = "worker"\n'
        "[kubernetes.annotations]\n'example.com/by' = 'file'\n"
    )
    desk.environment["KFNB_CONFIG"] = str(config)
    desk.run(
        path,
        *("--node-selector", "kubernetes.io/os=linux", "--toleration", "spot=yes:NoSchedule"),
        *("--label", "team=flags", "--label", "example.com/cost=7", "--image-pull-secret", "pull"),
    )
    assert desk.kfnb("logs", "latest", "train") == "1 b 6\n"
    found = {pod.metadata.labels["kfnb.dev/step"]: pod for pod in pods(desk)}
    train, load = found["train"], found["load"]
    assert train.spec.node_selector == {"kubernetes.io/os": "linux"}
    plain = desk.cluster.client().sanitize_for_serialization(train.spec)
    assert TOLERATION in plain["tolerations"]
    assert plain["affinity"] == AFFINITY
    assert plain["priorityClassName"] == priority
    assert plain["imagePullSecrets"] == [{"name": "pull"}]
    assert plain["serviceAccountName"] == "worker"
    assert plain["securityContext"]["runAsUser"] == 1234
    assert load.spec.security_context.run_as_user == 1000
    assert plain["containers"][0]["resources"] == {
        "requests": {"cpu": "50m", "memory": "256Mi", gpus: "1"},
        "limits": {"memory": "256Mi", gpus: "1"},
    }
    assert {m["mountPath"] for m in plain["containers"][0]["volumeMounts"]} == {
        "/kfnb",
        "/tmp",
        "/data",
        "/scratch",
    }
    labels, run = train.metadata.labels, desk.status()["id"]
    assert (labels["team"], load.metadata.labels["team"]) == ("tags", "flags")
    assert (labels["kfnb.dev/run"], labels["kfnb.dev/attempt"]) == (run, "1")
    assert labels["example.com/cost"] == "7"
    assert train.metadata.annotations["example.com/by"] == "file"
    assert train.metadata.annotations["note"] == "of-the-step"
    assert {job.metadata.name for job in jobs(desk)} == {f"load-{run}-1", f"train-{run}-1"}
    times = {j.metadata.labels["kfnb.dev/step"]: j.spec.active_deadline_seconds for j in jobs(desk)}
    assert times["load"] is None
    assert times["train"] >= 300


def test_a_wrong_call_is_distinguished_from_a_failing_cluster(desk):
    path = desk.notebook(("step:a", "x = 1"))
    wrong = {
        "--store": "file:///tmp/x",
        "--namespace": "..",
        "--storage-size": "lots",
        "--store-client-endpoint": "service:x:y",
    }
    for flag, value in wrong.items():
        said = desk.run(path, flag, value, code=2)
        assert flag.removeprefix("--").replace("-", "_") in said
    assert 'no namespace "nobodys"' in desk.run(path, "--namespace", "nobodys", code=2)
    assert "no context" in desk.run(path, "--context", "nope", code=2)
    assert not jobs(desk)


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_a_dry_run_prints_objects_that_the_server_takes_and_creates_none(desk, output):
    from kubernetes.utils import create_from_dict

    path = desk.notebook(
        ("step:a b", "x = 1"),
        ("step:train limit:amd.com/gpu:1 timeout:1h", "print(x)"),
        kfnb={"name": "'; {{ evil }}: &a\n- b"},
    )
    options = [*desk.options, "--dry-run", "-o", output]
    options[options.index("--store") + 1] = "pvc:values/runs"
    text = desk.kfnb("run", path, *options)
    found = json.loads(text)["items"] if output == "json" else list(yaml.safe_load_all(text))
    kinds = ["ConfigMap", "PersistentVolumeClaim", "Job", "Job"]
    assert [one["kind"] for one in found] == kinds
    for one in found:
        create_from_dict(desk.cluster.client(), one, namespace=desk.namespace, dry_run="All")
    assert not jobs(desk)
    core = desk.cluster.core()
    assert not core.list_namespaced_persistent_volume_claim(desk.namespace).items
    assert [c.metadata.name for c in core.list_namespaced_config_map(desk.namespace).items] == [
        "kube-root-ca.crt"
    ]
    assert not list(desk.folder.parent.glob("home/runs/*"))
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(
        desk.namespace, {"metadata": {"name": "values"}, "spec": spec}
    )
    assert "PersistentVolumeClaim\n" not in desk.kfnb("run", path, *options)
