"""Names, labels and objects: valid and unique whatever people type; nothing escapes into YAML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.engine.runner import Work
from kfnb.errors import UsageError
from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.options import KubernetesOptions, collect_options
from tests.notebook.build import pipeline

DNS = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
ANY = st.text(min_size=1, max_size=300)
OWNER = {"metadata": {"name": "kfnb-run", "uid": "1-2-3"}}


@given(ANY, ANY, st.integers(1, 99))
def test_names_are_valid(run, step, attempt):
    assert DNS.fullmatch(names.job_name(run, step, attempt))
    for value in names.labels(run, step, attempt).values():
        assert LABEL.fullmatch(value)


@given(st.tuples(ANY, ANY, st.integers(1, 9)), st.tuples(ANY, ANY, st.integers(1, 9)))
@settings(max_examples=300)
def test_what_is_not_the_same_has_another_name(one, other):
    if one != other:
        assert names.job_name(*one) != names.job_name(*other)
    if one[0] != other[0]:
        assert names.label_value(one[0]) != names.label_value(other[0])


def test_names_are_recognised():
    assert names.job_name("20261123-051233-train-4f2a", "load-data", 2) == (
        "load-data-20261123-051233-train-4f2a-2"
    )
    long = names.job_name("20261123-051233-train-4f2a", "x" * 100, 1)
    assert long.startswith("xxxx")
    assert "20261123-051233-train-4f2a-1" in long


def test_instances_and_rounds_have_names_of_their_own():
    steps = [("train", "", 0), ("train-3", "", 0), ("train-r1", "", 0), ("train-3-r1", "", 0)]
    instances = [("train", "3", 0), ("train", "", 1), ("train", "3", 1), ("train", "3.1", 0)]
    made = [
        names.job_name("run", step, 1, index=index, round=number)
        for step, index, number in (*steps, *instances)
    ]
    assert len(set(made)) == len(made)
    assert all(DNS.fullmatch(name) for name in made)
    assert all(name.startswith("train-") for name in made)
    labels = names.labels("run", "train", 2, index="3.1", round=1)
    assert (labels[names.INDEX], labels[names.ROUND], labels[names.ATTEMPT]) == ("3.1", "1", "2")


def job(step="only", tags=(), target=None, **metadata):
    made = pipeline(([f"step:{step}", *tags], "x = 1"), metadata=metadata)
    (found,) = made.steps.values()
    work = Work(found.name, found.id, 1, AttemptFolder(Path("/r/runs/id/steps/s/1")))
    return manifests.job(
        target or KubernetesOptions(image="image:1", store="s3://bucket/prefix"),
        made, work, run="id", order="o", code="", owner=OWNER, timeout=60,
    )  # fmt: skip


@given(ANY.filter(str.strip))
@settings(max_examples=50, deadline=None)
def test_a_hostile_name_stays_text(name):
    made = job(step=name.replace(",", " ").strip())
    text = yaml.safe_dump(json.loads(json.dumps(made)))
    assert yaml.safe_load(text) == made


def test_a_pod_satisfies_the_restricted_standard():
    spec = job()["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_job_runs_once_and_belongs_to_its_run():
    made = job()
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert made["spec"]["ttlSecondsAfterFinished"] > 0
    assert made["spec"]["activeDeadlineSeconds"] > 60
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("ConfigMap", "1-2-3")


def test_options_of_a_step_are_the_container_s():
    tags = [
        "cpu:500m", "memory:2Gi", "gpu:1", "limit:amd.com/gpu:2", "env:A:b", "label:team:x",
        "annotation:note:y", "secret:cred:key:TOKEN", "image:other:2",
    ]  # fmt: skip
    made = job(tags=tags)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "other:2"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"memory": "2Gi", "nvidia.com/gpu": "1", "amd.com/gpu": "2"},
    }
    variables = {one["name"]: one for one in container["env"]}
    assert variables["A"]["value"] == "b"
    assert variables["TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "cred", "key": "key"}}
    assert made["metadata"]["labels"]["team"] == "x"
    assert made["metadata"]["annotations"]["note"] == "y"


def test_no_secret_s_value_is_in_an_object(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    target = KubernetesOptions(
        image="i", store="s3://b", store_secret="s3", store_endpoint="http://x"
    )
    made = job(target=target)
    assert "very-secret" not in json.dumps(made)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]


def test_a_claim_is_mounted_as_the_store():
    made = job(target=KubernetesOptions(image="i", store="pvc:work/here"))
    spec = made["spec"]["template"]["spec"]
    claims = [v["persistentVolumeClaim"] for v in spec["volumes"] if "persistentVolumeClaim" in v]
    assert claims == [{"claimName": "work"}]
    variables = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert variables["KFNB_STORE"] == "file:///kfnb-store/here"


@pytest.mark.parametrize("store", ["pvc:", "pvc:x/../y", None])
def test_a_store_that_is_none_is_refused(store):
    with pytest.raises(UsageError):
        job(target=KubernetesOptions(image="i", store=store))


def test_flags_win_over_the_notebook_and_that_over_the_file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[kubernetes]\nimage = "file"\nnamespace = "file"\nstore = "s3://file"\n')
    made = pipeline(
        ("step:a", "x = 1"),
        metadata={
            "kfnb": {"targets": {"kubernetes": {"image": "notebook", "namespace": "notebook"}}}
        },
    )
    found = collect_options(made, {"image": "flag", "namespace": None}, config=file)
    assert (found.image, found.namespace, found.store) == ("flag", "notebook", "s3://file")
    assert KubernetesOptions.from_plain(json.loads(json.dumps(found.plain()))) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kubernetes]\nimge = 'x'", "imge"),
        ("[kubernetes]\nimage = 3", "image must be a text"),
        ("[kubernetes]\ntolerations = 'x'", "tolerations must be a list"),
        ("[kubernetes", "not a TOML"),
    ],
)
def test_a_wrong_file_is_reported(tmp_path, text, said):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        collect_options(None, {}, config=file)


def test_options_that_do_not_exist_or_have_no_meaning_are_refused():
    from kfnb.api.launch import create

    made = pipeline(("step:a", "x = 1"))
    with pytest.raises(UsageError, match="no option paralel"):
        create(made, {}, target_options={"paralel": 3})
    with pytest.raises(UsageError, match="only with Kubernetes"):
        create(made, {}, target_options={"image": "x"})
    with pytest.raises(UsageError, match="No store is configured"):
        create(made, {}, target="kubernetes", target_options={"image": "x"})
    with pytest.raises(UsageError, match="No image is configured"):
        create(made, {}, target="kubernetes", target_options={"store": "s3://b"})


KEY = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z]/[A-Za-z0-9]{1,20}", fullmatch=True).filter(
    lambda key: ".." not in key and ".-" not in key and "-." not in key
)


def strings(value):
    """Every text in an object, keys too."""
    if isinstance(value, dict):
        return {t for k, v in value.items() for t in strings(k) | strings(v)}
    if isinstance(value, list):
        return {t for v in value for t in strings(v)}
    return {value} if isinstance(value, str) else set()


def structure(value):
    """What is left of an object without its texts: a text that got out of its place shows."""
    if isinstance(value, dict):
        return [structure(v) for v in value.values()]
    if isinstance(value, list):
        return [structure(v) for v in value]
    return type(value).__name__


@given(ANY, ANY, KEY, ANY)
@settings(max_examples=200, deadline=None)
def test_nothing_that_people_type_gets_out_of_its_place(store, image, key, text):
    target = KubernetesOptions(
        image=image, store=f"s3://{store}", store_endpoint=text, annotations={key: text},
        service_account=text, image_pull_secrets=(text,), node_selector={key: text},
        tolerations=({"key": text},),
    )  # fmt: skip
    plain = KubernetesOptions(
        image="i", store="s3://b", store_endpoint="e", annotations={"k/n": "v"},
        service_account="s", image_pull_secrets=("p",), node_selector={"k/n": "v"},
        tolerations=({"key": "t"},),
    )  # fmt: skip
    made = job(target=target)
    assert structure(made) == structure(job(target=plain))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    # No shell reads any of it, and no path is made of it.
    assert container["command"] == ["python", "-m", "kfnb.step.pod.pod_main"]
    paths = {m["mountPath"] for m in container["volumeMounts"]} | {container["workingDir"]}
    assert paths == {"/kfnb", "/tmp"}
    try:
        text = json.dumps(made).encode("utf-8").decode()
    except UnicodeEncodeError:
        return
    assert yaml.safe_load(yaml.safe_dump(json.loads(text))) == json.loads(text)
    assert image in strings(made)


def test_settings_of_one_step_are_added_to_those_of_all_steps():
    kubernetes = {
        "image": "i:1", "store": "s3://b", "node-selector": {"disk": "ssd"}, "labels": {"team": "x"},
        "tolerations": [{"key": "a"}], "priority_class": "low",
        "steps": {
            "train": {
                "node_selector": {"zone": "b"}, "labels": {"team": "y"}, "priority-class": "high",
                "tolerations": [{"key": "gpu"}], "image_pull_secrets": ["s"],
                "affinity": {"nodeAffinity": {}}, "security_context": {"runAsUser": 7},
            },
        },
    }  # fmt: skip
    made = pipeline(
        ("step:load", "x = 1"), ("step:train", "x"),
        metadata={"kfnb": {"targets": {"kubernetes": kubernetes}}},
    )  # fmt: skip
    target = KubernetesOptions.from_plain(json.loads(json.dumps(collect_options(made, {}).plain())))
    pods = {}
    for step in made.steps.values():
        work = Work(step.name, step.id, 1, AttemptFolder(Path("/r/runs/id/steps/s/1")))
        whole = manifests.job(target, made, work, run="id", order="o", code="", owner=None)
        pods[step.name] = whole["spec"]["template"]
    load, train = pods["load"]["spec"], pods["train"]["spec"]
    assert load["nodeSelector"] == {"disk": "ssd"}
    assert train["nodeSelector"] == {"disk": "ssd", "zone": "b"}
    assert (load["tolerations"], train["tolerations"]) == ([{"key": "a"}], [{"key": "gpu"}])
    assert (load["priorityClassName"], train["priorityClassName"]) == ("low", "high")
    assert pods["load"]["metadata"]["labels"]["team"] == "x"
    assert pods["train"]["metadata"]["labels"]["team"] == "y"
    assert train["imagePullSecrets"] == [{"name": "s"}]
    assert train["affinity"] == {"nodeAffinity": {}}
    assert train["securityContext"]["runAsUser"] == 7
    assert train["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("kubernetes", "said"),
    [
        (
            {"steps": {"trian": {"priority_class": "x"}}},
            'a step "trian", which does not exist. There are: "a"',
        ),
        ({"steps": {"a": {"image": "x"}}}, 'step "a" has an option "image"'),
        ({"steps": {"a": 3}}, 'step "a": this must be a table'),
        ({"labels": {"a b": "x"}}, "'a b' cannot be a key"),
        ({"labels": {"a": "x: {evil}"}}, "the value of a must be a text of up to 63"),
        ({"node_selector": {"gpu": True}}, "the value of gpu must be a text"),
        ({"annotations": {"n": 3}}, "the value of n must be a text"),
        ({"tolerations": ["gpu"]}, "tolerations must be a list of tables"),
        ({"image_pull_policy": "never"}, "is Always, IfNotPresent, Never; not 'never'"),
    ],
)
def test_what_the_cluster_would_refuse_is_reported_before(kubernetes, said):
    made = pipeline(("step:a", "x = 1"), metadata={"kfnb": {"targets": {"kubernetes": kubernetes}}})
    with pytest.raises(UsageError, match=re.escape(said)):
        collect_options(made, {})


def test_labels_of_steps_are_checked_before_the_start():
    made = pipeline((["step:a", "label:team:x y"], "x = 1"))
    with pytest.raises(UsageError, match=r'Step "a": the value of team'):
        manifests.check(KubernetesOptions(image="i", store="s3://b"), made)


def test_variables_of_people_do_not_replace_ours():
    made = job(tags=["env:KFNB_ORDER:mine", "env:A:b", "secret:s:k:A"])
    (container,) = made["spec"]["template"]["spec"]["containers"]
    names_ = [one["name"] for one in container["env"]]
    assert len(names_) == len(set(names_))
    assert {"name": "KFNB_ORDER", "value": "o"} in container["env"]


def test_masked_parameters_are_referred_to_and_not_in_the_job():
    secret = manifests.masked_parameters("id", {"token": "hunter2"}, OWNER)
    assert json.loads(secret["stringData"]["parameters"]) == {"token": "hunter2"}
    assert secret["metadata"]["ownerReferences"][0]["uid"] == OWNER["metadata"]["uid"]
    made = pipeline(("step:a", "x = 1"))
    work = Work("a", "a", 1, AttemptFolder(Path("/r/runs/id/steps/a/1")))
    options = KubernetesOptions(image="i", store="s3://b/p")
    found = []
    for masked in (False, True):
        body = manifests.job(
            options, made, work, run="id", order="o", code="", owner=OWNER, masked=masked
        )
        (container,) = body["spec"]["template"]["spec"]["containers"]
        found.append([e for e in container["env"] if e["name"] == "KFNB_MASKED_PARAMETERS"])
    reference = {"name": secret["metadata"]["name"], "key": "parameters"}
    variable = {"name": "KFNB_MASKED_PARAMETERS", "valueFrom": {"secretKeyRef": reference}}
    assert found == [[], [variable]]
