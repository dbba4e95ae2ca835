"""What kfnb doctor finds on a real cluster, and that its lines are the ones that help."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest
import yaml

from tests.cluster import binaries


def findings(desk, *arguments, code=0):
    """What was found, by check; of several the worst."""
    options = [*desk.options, *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "kfnb.cli.main", "doctor", *options, "--json"],
        cwd=desk.folder, env={**os.environ, **desk.environment},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(found, check, *statuses):
    return [one for one in found if one["check"] == check and one["status"] in statuses]


@pytest.fixture
def kubectl(cluster):
    """Execute lines that doctor printed, as an admin would."""
    program = next(
        path for folder in binaries.folders().values() for path in folder.glob("kubectl")
    )

    def execute(line):
        words = shlex.split(line)
        assert words[0] == "kubectl"
        command = [str(program), f"--kubeconfig={cluster.kubeconfig}", *words[1:]]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    return execute


@pytest.fixture
def stranger(desk, tmp_path):
    """A person who may do nothing yet: a service account's token in a kubeconfig."""
    core = desk.cluster.core()
    core.create_namespaced_service_account(desk.namespace, {"metadata": {"name": "ada"}})
    asked = core.create_namespaced_service_account_token("ada", desk.namespace, {"spec": {}})
    config = yaml.safe_load(desk.cluster.kubeconfig.read_text())
    config["users"] = [{"name": "ada", "user": {"token": asked.status.token}}]
    for context in config["contexts"]:
        context["context"]["user"] = "ada"
    path = tmp_path / "ada.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def pods(desk):
    return desk.cluster.core().list_namespaced_pod(desk.namespace).items


def test_a_complete_cluster_passes_every_check(desk):
    found = findings(desk)
    assert {one["status"] for one in found} == {"ok", "warning"}
    said = {one["check"]: one["sentence"] for one in found if one["status"] == "ok"}
    assert said.keys() == {"access", "namespace", "rights", "store secret", "store", "image"}
    assert '"restricted"' in said["namespace"]
    [driver] = of(found, "driver", "warning")
    assert "no service account kfnb-driver" in driver["sentence"]
    assert not [p for p in pods(desk) if p.metadata.deletion_timestamp is None]
    secret = desk.bucket.server.secret
    assert secret not in json.dumps(found)


def test_its_lines_and_fix_give_drivers_what_they_need(desk, kubectl):
    [driver] = of(findings(desk), "driver", "warning")
    for line in driver["commands"]:
        kubectl(line)
    found = findings(desk)
    assert of(found, "driver rights", "ok")
    assert not of(found, "driver", "warning")
    kubectl(f"kubectl delete sa,roles,rolebindings --all -n {desk.namespace}")
    [fixed] = of(findings(desk, "--fix"), "driver", "fixed")
    assert "RoleBinding" in fixed["sentence"]
    found = findings(desk, "--fix")
    assert of(found, "driver rights", "ok")
    assert not of(found, "driver", "fixed")


def test_each_missing_right_is_listed_with_the_lines_that_grant_it(desk, stranger, kubectl):
    admin = desk.environment["KUBECONFIG"]
    desk.environment["KUBECONFIG"] = str(stranger)
    found = findings(desk, code=4)
    lacking = of(found, "rights", "missing")
    assert len(lacking) >= 6
    assert any("may not create" in one["sentence"] for one in lacking)
    assert of(found, "namespace", "unknown")
    assert of(found, "image", "missing")
    # Without Leases runs go on; only other machines do not see that.
    warnings = of(found, "rights", "warning")
    [leases] = [one for one in warnings if "leases" in one["sentence"]]
    # Without Secrets only runs with masked parameters are refused.
    [secrets] = [one for one in warnings if "secrets" in one["sentence"]]
    for one in [*lacking, leases, secrets]:
        for line in one["commands"]:
            kubectl(line)
    found = findings(desk)
    assert of(found, "rights", "ok")
    assert of(found, "image", "ok")
    assert of(found, "store secret", "unknown")
    # With exactly these rights a notebook runs, also one with a masked parameter.
    notebook = desk.notebook(("parameters", "api_token = ''"), ("step:a", "print(len(api_token))"))
    desk.run(notebook, "-p", "api_token=hidden")
    assert desk.kfnb("logs", "latest", "a") == "6\n"
    desk.environment["KUBECONFIG"] = admin


def test_what_is_missing_of_store_secret_and_image_is_a_sentence(desk, kubectl):
    core = desk.cluster.core()
    core.create_namespaced_secret(
        desk.namespace, {"metadata": {"name": "half"}, "stringData": {"AWS_ACCESS_KEY_ID": "x"}}
    )
    found = findings(desk, "--store-secret", "half", "--image-pull-secret", "none", code=4)
    [pull] = of(found, "image pull secret", "missing")
    assert "docker-registry none" in pull["commands"][0]
    [half] = of(found, "store secret", "missing")
    assert "has no AWS_SECRET_ACCESS_KEY" in half["sentence"]
    assert any("Pods of" in one["sentence"] for one in of(found, "store", "missing"))
    found = findings(desk, "--store", f"s3://{desk.bucket.name}-none/x", code=4)
    assert any("no bucket" in one["sentence"] for one in of(found, "store", "missing"))
    found = findings(desk, "--namespace", "there-is-none", code=4)
    [space] = of(found, "namespace", "missing")
    assert space["commands"] == ["kubectl create namespace there-is-none"]


def test_an_image_that_is_not_there_or_has_no_python_is_explained(desk):
    found = findings(desk, "--image", "localhost/there-is-none:1", code=4)
    [image] = of(found, "image", "missing")
    assert "localhost/there-is-none:1" in image["sentence"]
    found = findings(desk, "--image", desk.cluster.busybox, code=4)
    [image] = of(found, "image", "missing")
    assert "Python was not found in the image" in image["sentence"]
    assert not [p for p in pods(desk) if p.metadata.deletion_timestamp is None]


def test_a_claim_is_looked_at_and_made(desk):
    store = ("--store", "pvc:values/x", "--store-secret", "s3")
    found = findings(desk, *store, "--storage-class", "there-is-none", code=4)
    assert "no storage class there-is-none" in of(found, "store", "missing")[0]["sentence"]
    found = findings(desk, *store, "--fix")
    assert "claim values was created" in of(found, "store", "fixed")[0]["sentence"]
    claims = desk.cluster.core().list_namespaced_persistent_volume_claim(desk.namespace).items
    assert [claim.metadata.name for claim in claims] == ["values"]
    found = findings(desk, *store)
    assert any("bound to a volume" in one["sentence"] for one in of(found, "store", "ok"))


def test_an_unreachable_cluster_is_one_sentence(desk, tmp_path):
    config = yaml.safe_load(desk.cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "away").write_text(yaml.safe_dump(config))
    desk.environment["KUBECONFIG"] = str(tmp_path / "away")
    [access] = findings(desk, code=4)
    assert (access["check"], access["status"]) == ("access", "missing")
    assert "127.0.0.1:9" in access["sentence"]
