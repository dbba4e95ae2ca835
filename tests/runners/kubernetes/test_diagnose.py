"""Each way in which Kubernetes fails is told apart, in a sentence that names what to change."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfnb.runners.kubernetes.explain.diagnose import (
    Category,
    Diagnosis,
    Level,
    Patience,
    diagnose,
    exit_code,
    has_ended,
)
from kfnb.store.manifest import FailureClass
from tests.runners.kubernetes.made import (
    IMAGE,
    START,
    ended,
    event,
    failed,
    holds,
    job,
    pod,
    running,
    unscheduled,
    waiting,
)

BACKOFF_LIMIT = holds("Failed", "BackoffLimitExceeded", "Job has reached the specified limit")


def say(pods=(), events=(), *, of=None, after=1.0, gone=(), said="", patience=None):
    return diagnose(
        job() if of is None else of,
        pods,
        events,
        now=START + after,
        gone=gone,
        printed=said,
        patience=patience,
    )


def pull(message, *, reason="ImagePullBackOff", after=1.0, failed_at=0, **spec):
    text = f'Failed to pull image "{IMAGE}": {message}'
    stuck = pod(waiting(reason, f'Back-off pulling image "{IMAGE}"'), spec=spec)
    return say([stuck], [event("Failed", text, at=failed_at)], after=after)


def refused(message, *, of=None, after=1.0):
    return say((), [event("FailedCreate", message, about="job")], of=of, after=after)


def is_(found, level, category, kind, *, permanent=False):
    assert found is not None
    assert (found.level, found.category, found.failure_class, found.permanent) == (
        level,
        Category(category),
        kind,
        permanent,
    )


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod(node=None)],
        [pod(waiting("ContainerCreating"))],
        [pod(waiting("PodInitializing"))],
        [pod(running(), phase="Running", conditions=[holds("ContainersReady"), holds("Ready")])],
        [pod(ended(0, "Completed"), phase="Succeeded")],
        # another pod took the place of one that was lost
        [failed(1), pod(running(), uid="2", at=9, phase="Running")],
    ],
)
def test_what_goes_well_needs_no_words(pods):
    assert say(pods) is None


def test_a_job_that_ended_well_needs_no_words():
    assert say([failed(1)], of=job("Complete")) is None


# --- images


def test_an_invalid_image_name_fails_at_once():
    found = say([pod(waiting("InvalidImageName", "couldn't parse image reference"))], after=0)
    is_(found, "failed", "invalid-image-name", "configuration", permanent=True)
    assert IMAGE in found.summary
    assert "couldn't parse" in found.detail


NOT_FOUND = "rpc error: code = NotFound desc = failed to resolve reference: not found"


def test_an_image_that_does_not_exist_fails_when_it_was_waited_for():
    found = pull(NOT_FOUND, after=299)
    is_(found, "failing", "image-not-found", "configuration", permanent=True)
    assert found.remedy.startswith("Kubernetes tries again for 5 minutes. Correct the step's image")
    found = pull(NOT_FOUND, after=300)
    assert found.remedy.startswith("Correct the step's image, or push it")
    is_(found, "failed", "image-not-found", "configuration", permanent=True)
    assert "not found" in found.detail
    assert pull(NOT_FOUND, failed_at=200, after=499).level == "failing"


def test_an_image_that_came_in_time_is_no_trouble():
    old = event("Failed", f'Failed to pull image "{IMAGE}": {NOT_FOUND}')
    assert say([pod(running(), phase="Running")], [old], after=300) is None


def test_the_patience_for_images_can_be_chosen():
    stuck = pod(waiting("ErrImagePull", "x: not found"))
    assert say([stuck], after=5, patience=Patience(image=5)).level == "failed"


@pytest.mark.parametrize(
    "words",
    [
        "failed to authorize: failed to fetch anonymous token: 401 Unauthorized",
        "pull access denied, repository does not exist or may require authorization",
        "unexpected status from HEAD request: 403 Forbidden",
        "no basic auth credentials",
    ],
)
def test_a_registry_that_asks_for_a_password(words):
    found = pull(words)
    is_(found, "failing", "image-denied", "configuration", permanent=True)
    assert "without a password" in found.summary
    assert "kubectl -n lab create secret docker-registry" in found.remedy


def test_a_pull_secret_that_does_not_exist():
    stuck = pod(
        waiting("ErrImagePull", "401 Unauthorized"), spec={"imagePullSecrets": [{"name": "key"}]}
    )
    words = "Unable to retrieve some image pull secrets (key); attempting to pull may not succeed"
    found = say([stuck], [event("FailedToRetrieveImagePullSecret", words)])
    is_(found, "failing", "image-denied", "configuration", permanent=True)
    assert "the pull secret key does not exist" in found.summary
    assert "with the pull secret key" in say([stuck]).summary


@pytest.mark.parametrize(
    "words",
    [
        "dial tcp: lookup registry.example.org: no such host",
        "dial tcp 192.0.2.1:443: i/o timeout",
        "x509: certificate signed by unknown authority",
        "http: server gave HTTP response to HTTPS client",
        "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit",
        "503 Service Unavailable",
    ],
)
def test_a_registry_that_does_not_answer_is_waited_for_longer(words):
    is_(pull(words, after=100), "failing", "image-registry-unreachable", "infrastructure")
    is_(pull(words, after=300), "failed", "image-registry-unreachable", "infrastructure")


def test_an_image_for_another_processor():
    found = pull("no match for platform in manifest: not found")
    is_(found, "failing", "image-platform", "configuration", permanent=True)


def test_numbers_in_the_images_name_are_no_answers():
    image = "registry.example.org/team/404:401"
    stuck = pod(waiting("ErrImagePull", f'failed to pull "{image}": something odd'))
    stuck["status"]["containerStatuses"][0]["image"] = image
    is_(say([stuck]), "failing", "image-pull", "infrastructure")


def test_an_image_that_is_never_pulled():
    found = say([pod(waiting("ErrImageNeverPull", "not present with pull policy of Never"))])
    is_(found, "failed", "image-not-found", "configuration", permanent=True)
    assert "--image-pull-policy" in found.remedy


def test_a_long_pull_is_reported():
    events = [event("Pulling", f'Pulling image "{IMAGE}"', at=1)]
    stuck = pod(waiting("ContainerCreating"))
    assert say([stuck], events, after=3) is None
    found = say([stuck], events, after=8)
    is_(found, "waiting", "image-pulling", "infrastructure")
    assert found.summary == f"the node is pulling the image {IMAGE}"
    assert say([stuck], events, after=80).summary == found.summary
    done = event("Pulled", "Successfully pulled image", at=9)
    assert say([stuck], [*events, done], after=10) is None


# --- configuration


def test_a_missing_secret():
    found = say([pod(waiting("CreateContainerConfigError", 'secret "token" not found'))])
    is_(found, "failed", "secret-missing", "configuration", permanent=True)
    assert found.summary == "the Secret token does not exist"
    assert "`kubectl -n lab create secret generic token --from-literal=KEY=VALUE`" in found.remedy


def test_a_missing_key():
    words = "couldn't find key password in Secret lab/token"
    found = say([pod(waiting("CreateContainerConfigError", words))])
    is_(found, "failed", "secret-key-missing", "configuration", permanent=True)
    assert found.summary == "the Secret token has no key password"


def test_a_missing_config_map():
    found = say([pod(waiting("CreateContainerConfigError", 'configmap "c" not found'))])
    is_(found, "failed", "config-map-missing", "configuration", permanent=True)
    words = "couldn't find key k in ConfigMap lab/c"
    found = say([pod(waiting("CreateContainerConfigError", words))])
    assert found.summary == "the ConfigMap c has no key k"


def test_a_secret_that_is_mounted_and_missing():
    words = 'MountVolume.SetUp failed for volume "v" : secret "token" not found'
    found = say([pod(waiting("ContainerCreating"))], [event("FailedMount", words)])
    is_(found, "failed", "secret-missing", "configuration", permanent=True)


def test_a_key_that_is_mounted_and_missing():
    words = 'MountVolume.SetUp failed for volume "v" : references non-existent secret key: k'
    volumes = [{"name": "v", "secret": {"secretName": "token"}}]
    stuck = pod(waiting("ContainerCreating"), spec={"volumes": volumes})
    found = say([stuck], [event("FailedMount", words)])
    is_(found, "failed", "secret-key-missing", "configuration", permanent=True)
    assert found.summary == "the Secret token has no key k"
    words = words.replace(
        "references non-existent secret", "configmap references non-existent config"
    )
    volumes[0] = {"name": "v", "configMap": {"name": "c"}}
    assert say([stuck], [event("FailedMount", words)]).summary == "the ConfigMap c has no key k"


def test_an_image_that_runs_as_root():
    words = "container has runAsNonRoot and image will run as root (pod: x, container: step)"
    found = say([pod(waiting("CreateContainerConfigError", words))])
    is_(found, "failed", "image-user", "configuration", permanent=True)


def start_error(words):
    prefix = "failed to create containerd task: OCI runtime create failed: runc create failed: "
    return say([failed(128, "StartError", prefix + words)])


def test_a_command_that_is_missing():
    found = start_error('exec: "python": executable file not found in $PATH: unknown')
    is_(found, "failed", "command-missing", "configuration", permanent=True)
    assert found.summary == f"python was not found in the image {IMAGE}"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"value": "/nowhere"}, "sets PATH to /nowhere, and python is in none"),
        ({"valueFrom": {"secretKeyRef": {"name": "s"}}}, "sets PATH, and python is in none"),
    ],
)
def test_a_path_of_the_step_that_leads_nowhere_is_not_the_image_s_fault(env, said):
    spec = {"containers": [{"name": "step", "image": IMAGE, "env": [{"name": "PATH", **env}]}]}
    words = 'exec: "python": executable file not found in $PATH: unknown'
    for found in (
        say([failed(128, "StartError", words, spec=spec)]),
        say([pod(waiting("CreateContainerError", words), spec=spec)]),
    ):
        is_(found, "failed", "command-missing", "configuration", permanent=True)
        assert said in found.summary
        assert "env:PATH" in found.remedy


def test_a_command_that_may_not_be_executed():
    found = start_error('exec: "/run.sh": permission denied: unknown')
    is_(found, "failed", "command-missing", "configuration", permanent=True)


def test_a_file_system_that_is_read_only():
    found = start_error("error mounting: mkdirat /data: read-only file system: unknown")
    is_(found, "failed", "read-only", "configuration", permanent=True)


def test_a_step_that_cannot_write():
    found = say([failed(1)], said="OSError: [Errno 30] Read-only file system: '/x'")
    is_(found, "failed", "read-only", "configuration", permanent=True)


def test_a_mount_that_the_runtime_refuses():
    found = start_error("error during container init: error mounting x: inside /proc")
    is_(found, "failed", "cannot-start", "configuration", permanent=True)


def test_a_binary_for_another_processor():
    found = start_error("exec /bin/python: exec format error")
    is_(found, "failed", "image-platform", "configuration", permanent=True)


def test_a_runtime_that_hangs():
    words = "context deadline exceeded"
    found = say([pod(waiting("CreateContainerError", words))])
    is_(found, "failing", "cannot-start", "infrastructure")


def test_an_image_without_kfnb():
    said = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'kfnb'"
    found = say([failed(1)], said=said)
    is_(found, "failed", "image-without-kfnb", "configuration", permanent=True)
    assert "pip install kfnb" in found.remedy
    found = say([failed(1, message="/usr/bin/python: No module named kfnb")])
    is_(found, "failed", "image-without-kfnb", "configuration", permanent=True)


# --- Jobs that get no pod


def test_a_missing_service_account():
    words = (
        'Error creating: pods "load-1-" is forbidden: error looking up service account lab/robot: '
        'serviceaccount "robot" not found'
    )
    found = refused(words, after=0)
    is_(found, "failed", "service-account-missing", "configuration", permanent=True)
    assert "kubectl -n lab create serviceaccount robot" in found.remedy


def test_the_default_account_of_a_new_namespace_comes_a_moment_later():
    words = 'error looking up service account lab/default: serviceaccount "default" not found'
    assert refused(words, after=1).level == "failing"
    assert refused(words, after=9).level == "failed"


QUOTA = (
    'Error creating: pods "load-1-x" is forbidden: exceeded quota: cap, requested: '
    "limits.cpu={},pods=1, used: limits.cpu=2,pods=1, limited: limits.cpu=4,pods=9"
)


def test_a_quota_that_is_used_up_is_waited_for():
    found = refused(QUOTA.format("3"), after=900)
    is_(found, "waiting", "quota", "infrastructure")
    assert "limits.cpu=3, but 2 of 4 is in use" in found.summary


def test_a_quota_that_never_suffices_fails():
    found = refused(QUOTA.format("4500m"))
    is_(found, "failed", "quota", "configuration", permanent=True)
    assert "limits.cpu=4500m, but the limit is 4" in found.summary
    assert "pods" not in found.summary


def test_a_quota_that_requires_requests():
    words = "is forbidden: failed quota: cap: must specify limits.cpu for: step; limits.memory for: step"
    found = refused(words)
    is_(found, "failed", "quota", "configuration", permanent=True)
    assert found.summary == "the quota cap requires every step to set limits.cpu, limits.memory"


def test_pod_security():
    words = (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation '
        '!= false (container "step" must set securityContext.allowPrivilegeEscalation=false)'
    )
    found = refused(words)
    is_(found, "failed", "pod-security", "configuration", permanent=True)
    assert "restricted:latest" in found.summary


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("pods is forbidden: no PriorityClass with name high was found", "priority class high"),
        (
            'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi',
            "maximum of 1Gi memory",
        ),
        (
            'admission webhook "policy.example.org" denied the request: no latest tags',
            "policy.example.org rejected the pod: no latest tags",
        ),
        ('Pod "x" is invalid: spec.containers[0].image: Required value', "rejected the step's pod"),
    ],
)
def test_other_refusals(words, part):
    found = refused("Error creating: " + words)
    is_(found, "failed", "admission", "configuration", permanent=True)
    assert part in found.summary


def test_a_webhook_that_is_down_is_waited_for():
    words = 'Internal error occurred: failed calling webhook "x": connection refused'
    is_(refused("Error creating: " + words), "waiting", "no-pod", "infrastructure")


def test_a_refusal_in_the_past_is_over_when_there_is_a_pod():
    old = event("FailedCreate", QUOTA.format("4500m"), about="job")
    assert say([pod(running(), phase="Running")], [old]) is None


def test_a_job_without_a_pod():
    assert say(after=2) is None
    is_(say(after=6), "waiting", "no-pod", "infrastructure")


def test_a_suspended_job():
    is_(say(of=job(suspend=True), after=60), "waiting", "suspended", "infrastructure")


# --- scheduling


@pytest.mark.parametrize(
    ("words", "limits", "spec", "category", "part"),
    [
        ("1 Insufficient cpu", {"cpu": "64"}, {}, "unschedulable-cpu", "the step requests cpu:64"),
        (
            "1 Insufficient memory",
            {"memory": "640Gi"},
            {},
            "unschedulable-memory",
            "the step requests memory:640Gi",
        ),
        (
            "1 Insufficient amd.com/gpu",
            {"amd.com/gpu": "2"},
            {},
            "unschedulable-resource",
            "no node has 2 of amd.com/gpu free",
        ),
        (
            "1 node(s) didn't match Pod's node affinity/selector",
            {},
            {"nodeSelector": {"disk": "ssd"}},
            "unschedulable-selector",
            "no node has the labels disk=ssd",
        ),
        (
            "1 node(s) had untolerated taint {gpu: true}",
            {},
            {},
            "unschedulable-taint",
            "reserved for other pods (taint gpu: true)",
        ),
        (
            "1 node(s) had untolerated taint(s)",
            {},
            {},
            "unschedulable-taint",
            "reserved for other pods",
        ),
        (
            "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }",
            {},
            {},
            "unschedulable-taint",
            "not available now (not-ready)",
        ),
        (
            "1 node(s) didn't match pod anti-affinity rules",
            {},
            {},
            "unschedulable-affinity",
            "affinity",
        ),
        (
            "1 node(s) had volume node affinity conflict",
            {},
            {},
            "unschedulable-volume",
            "a volume of the step",
        ),
        (
            "pod has unbound immediate PersistentVolumeClaims",
            {},
            {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
            "claim-unbound",
            "the PersistentVolumeClaim data",
        ),
        ("1 Too many pods", {}, {}, "unschedulable-pods", "as many pods"),
        ("1 node(s) were unschedulable", {}, {}, "unschedulable-taint", "cordoned"),
        ("1 Insufficient ephemeral-storage", {}, {}, "unschedulable-storage", "local disk"),
        ("1 node(s) did something new", {}, {}, "unschedulable", "did something new"),
    ],
)
def test_no_node_takes_the_pod(words, limits, spec, category, part):
    message = (
        f"0/1 nodes are available: {words}. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )
    found = say([unscheduled(message, limits=limits, spec=spec)], after=9_000)
    is_(found, "waiting", category, "infrastructure")
    assert part in found.summary
    assert found.detail == message
    assert "preemption" not in found.summary.lower()


@pytest.mark.parametrize(
    ("resource", "amount", "part"),
    [
        ("cpu", "64", "no node has that much CPU (the step requests cpu:64)"),
        ("memory", "9Ti", "no node has that much memory (the step requests memory:9Ti)"),
        ("nvidia.com/gpu", "1", "no node has 1 of nvidia.com/gpu"),
    ],
)
def test_what_no_node_has_is_distinguished_from_what_is_in_use(resource, amount, part):
    message = (
        f"0/2 nodes are available: 2 Insufficient {resource}. preemption: 0/2 nodes are "
        "available: 2 Preemption is not helpful for scheduling."
    )
    found = say([unscheduled(message, limits={resource: amount})])
    assert found.summary == f"no node can execute the step: {part}"
    assert found.level == "waiting"  # the cluster may grow


def test_the_reason_of_most_nodes_comes_first_and_all_are_listed():
    message = (
        "0/9 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint {gpu: }, "
        "6 Insufficient cpu. preemption: no."
    )
    found = say([unscheduled(message, limits={"cpu": "8", "memory": "9Gi"})])
    is_(found, "waiting", "unschedulable-cpu", "infrastructure")
    assert found.summary.index("cpu:8") < found.summary.index("taint gpu")
    assert "memory:9Gi" in found.summary


def test_what_the_scheduler_tried_afterwards_is_no_reason():
    message = (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    found = say([unscheduled(message, limits={"cpu": "2"})])
    assert (
        found.summary
        == "no node can execute the step: no node has enough free CPU (the step requests cpu:2)"
    )


def test_waiting_for_a_node_can_have_an_end():
    stuck = unscheduled("0/1 nodes are available: 1 Insufficient cpu.")
    assert say([stuck], after=99, patience=Patience(schedule=60)).level == "failed"


def test_a_missing_claim():
    message = '0/1 nodes are available: persistentvolumeclaim "data" not found. preemption: no'
    found = say([unscheduled(message)], after=9)
    is_(found, "failed", "claim-missing", "configuration", permanent=True)
    # one that is made with the Job is seen a moment later
    assert say([unscheduled(message)], after=1).level == "failing"


def test_a_scheduling_gate():
    gated = pod(conditions=[holds("PodScheduled", "SchedulingGated", "gated", "False")], node=None)
    is_(say([gated]), "waiting", "suspended", "infrastructure")


# --- starting


def test_a_volume_that_cannot_be_mounted():
    words = 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32'
    stuck = [pod(waiting("ContainerCreating"))]
    found = say(stuck, [event("FailedMount", words)])
    is_(found, "failing", "volume-mount", "infrastructure")
    assert "the volume data cannot be mounted" in found.summary
    assert say(stuck, [event("FailedMount", words)], after=300).level == "failed"


def test_a_volume_in_use_on_another_node():
    words = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other'
    found = say([pod(waiting("ContainerCreating"))], [event("FailedAttachVolume", words)])
    assert "in use on another node" in found.summary
    assert "ReadWriteOnce" in found.remedy


def test_a_network_that_cannot_be_set_up():
    words = "Failed to create pod sandbox: plugin type=bridge failed"
    found = say([pod(waiting("ContainerCreating"))], [event("FailedCreatePodSandBox", words)])
    is_(found, "waiting", "sandbox", "infrastructure")


def test_a_container_that_never_becomes_ready():
    words = "containers with unready status: [proxy]"
    stuck = pod(
        running(),
        phase="Running",
        conditions=[holds("ContainersReady", "ContainersNotReady", words, "False")],
    )
    assert say([stuck], after=5) is None
    found = say([stuck], [event("Unhealthy", "Readiness probe failed: refused")], after=20)
    is_(found, "waiting", "not-ready", "infrastructure")
    assert "container proxy in its pod does not become ready" in found.summary
    assert "Readiness probe failed" in found.detail


def test_a_sidecar_that_holds_the_step_back():
    stuck = pod(
        waiting("PodInitializing"),
        spec={"initContainers": [{"name": "mesh", "restartPolicy": "Always"}]},
        initContainerStatuses=[{"name": "mesh", "started": False, "state": running()}],
    )
    found = say([stuck], after=20)
    is_(found, "waiting", "not-ready", "infrastructure")
    assert "waits for the container mesh" in found.summary


def test_a_sidecar_that_crashes():
    mesh = {
        "name": "mesh",
        "state": waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
        "lastState": ended(3),
    }
    stuck = pod(waiting("PodInitializing"), initContainerStatuses=[mesh])
    found = say([stuck])
    is_(found, "waiting", "sidecar", "infrastructure")
    assert "mesh" in found.summary
    assert "exit code 3" in found.summary


@pytest.mark.parametrize("how", [ended(3), ended(137, "OOMKilled")])
def test_a_sidecar_that_will_be_started_again_ends_nothing(how):
    """Seen on a cluster: between its end and the back-off a sidecar is terminated."""
    mesh = {"name": "mesh", "state": how}
    sidecar = {"initContainers": [{"name": "mesh", "restartPolicy": "Always"}]}
    waits = pod(waiting("PodInitializing"), spec=sidecar, initContainerStatuses=[mesh])
    assert say([waits]) is None
    works = pod(running(), phase="Running", others=[{"name": "proxy", "state": how}])
    assert say([works]) is None


def test_an_init_container_that_fails():
    prepare = {"name": "prepare", "state": ended(3)}
    spec = {"initContainers": [{"name": "prepare"}]}
    found = say([pod(spec=spec, initContainerStatuses=[prepare])])
    is_(found, "failed", "sidecar", "infrastructure")
    assert "failed with exit code 3" in found.summary
    prepare["state"] = ended(137, "OOMKilled")
    found = say([pod(spec=spec, initContainerStatuses=[prepare])])
    assert "ran out of memory" in found.summary


def test_a_node_that_takes_its_time():
    stuck = pod(waiting("ContainerCreating"))
    assert say([stuck], after=10) is None
    is_(say([stuck], after=20), "waiting", "starting", "infrastructure")
    is_(say([pod()], after=20), "waiting", "starting", "infrastructure")


# --- ends


def test_out_of_memory_names_the_limit():
    found = say([failed(137, "OOMKilled", limits={"memory": "256Mi"})])
    is_(found, "failed", "out-of-memory", "memory")
    assert "its memory limit of 256Mi" in found.summary
    assert "memory:512Mi" in found.remedy


def test_out_of_memory_without_a_limit():
    found = say([failed(137, "OOMKilled")])
    is_(found, "failed", "out-of-memory", "memory")
    assert "no memory limit" in found.summary


def test_the_deadline_of_the_job():
    over = holds("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    found = say([failed(137, deleting=True)], of=job(over, activeDeadlineSeconds=90))
    is_(found, "failed", "deadline", "timeout")
    assert "its timeout of 90 s" in found.summary


def test_the_deadline_is_known_before_the_job_has_failed():
    over = holds("FailureTarget", "DeadlineExceeded")
    found = say([pod(running())], of=job(over, activeDeadlineSeconds=90))
    is_(found, "failed", "deadline", "timeout")


def test_the_deadline_is_known_while_the_job_still_deletes_its_pods():
    def overdue(after, **pod_):
        late = job(activeDeadlineSeconds=90)
        late["status"]["startTime"] = late["metadata"]["creationTimestamp"]
        unknown = failed(137, "ContainerStatusUnknown", "not found", deleting=True)
        pods = [pod_.get("pod", unknown)]
        return say(pods, of=late, after=after)

    is_(overdue(90), "failed", "deadline", "timeout")
    is_(overdue(90, pod=pod(deleting=True)), "failed", "deadline", "timeout")
    assert overdue(30, pod=pod(deleting=True)).category is Category("pod-deleted")
    assert overdue(30).failure_class == "infrastructure"
    # What the step failed by itself of counts.
    assert overdue(90, pod=failed(1, deleting=True)).failure_class == "user"


def test_the_deadline_of_the_pod():
    over = pod(phase="Failed", reason="DeadlineExceeded", spec={"activeDeadlineSeconds": 90})
    is_(say([over]), "failed", "deadline", "timeout")


@pytest.mark.parametrize(
    ("words", "category", "kind"),
    [
        ("The node was low on resource: ephemeral-storage. Threshold quantity: 1", "evicted-disk", "infrastructure"),
        ("The node was low on resource: memory. Container step was using 2Gi", "evicted-memory", "infrastructure"),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "disk-limit", "disk"),
        ('Usage of EmptyDir volume "kfnb" exceeds the limit "1Gi". ', "disk-limit", "disk"),
        ('Container step exceeded its local ephemeral storage limit "1Gi". ', "disk-limit", "disk"),
        ("The node had condition: [PIDPressure]. ", "evicted", "infrastructure"),
    ],
)  # fmt: skip
def test_evictions(words, category, kind):
    found = say([pod(phase="Failed", reason="Evicted", message=words)])
    is_(found, "failed", category, kind)
    if category == "disk-limit":
        assert "1Gi" in found.summary


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("PreemptionByScheduler", "preempted"),
        ("DeletionByTaintManager", "node-lost"),
        ("DeletionByPodGC", "node-lost"),
        ("EvictionByEvictionAPI", "evicted"),
        ("TerminationByKubelet", "evicted"),
    ],
)
def test_disruptions(reason, category):
    lost = failed(137, conditions=[holds("DisruptionTarget", reason, "words")], deleting=True)
    found = say([lost], of=job(BACKOFF_LIMIT))
    is_(found, "failed", category, "infrastructure")
    assert found.detail == "words"


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("NodeShutdown", "evicted"),
        ("NodeLost", "node-lost"),
        ("Preempting", "preempted"),
        ("OutOfcpu", "node-refused"),
        ("UnexpectedAdmissionError", "node-refused"),
    ],
)
def test_nodes_that_do_not_want_a_pod(reason, category):
    is_(say([pod(phase="Failed", reason=reason)]), "failed", category, "infrastructure")


def silent_node(**more):
    return pod(
        running(1),
        phase="Running",
        conditions=[
            holds("Ready", value="False", at=50),
            holds("ContainersReady", at=1),
        ],
        **more,
    )


def test_a_node_that_does_not_answer():
    found = say([silent_node()], [event("NodeNotReady", "Node is not ready", at=50)], after=60)
    is_(found, "waiting", "node-lost", "infrastructure")
    assert "node-1" in found.summary
    is_(say([silent_node()], after=60), "waiting", "node-lost", "infrastructure")


def test_a_readiness_gate_is_no_lost_node():
    gated = silent_node()
    gated["status"]["conditions"][0]["reason"] = "ReadinessGatesNotReady"
    assert say([gated], after=60) is None


def test_a_pod_that_was_deleted_by_hand():
    dying = pod(running(), phase="Running", deleting=True)
    is_(say([dying]), "failing", "pod-deleted", "infrastructure")
    dead = failed(137, deleting=True)
    is_(say([dead]), "failing", "pod-deleted", "infrastructure")
    is_(say([dead], of=job(BACKOFF_LIMIT)), "failed", "pod-deleted", "infrastructure")
    is_(
        say([dying], gone=["pod"], of=job(BACKOFF_LIMIT)), "failed", "pod-deleted", "infrastructure"
    )


def test_a_pod_that_was_deleted_and_replaced_is_no_trouble():
    dying = pod(running(), phase="Running", deleting=True)
    assert say([dying, pod(running(), uid="2", at=3, phase="Running")]) is None


def test_a_waiting_pod_next_to_an_executing_one_is_no_problem():
    waits = unscheduled("0/1 nodes are available: 1 Insufficient cpu.", uid="2", at=3)
    assert say([pod(running(), phase="Running"), waits]) is None


def test_a_pod_that_failed_and_was_deleted_then_failed_for_its_own_reason():
    found = say([failed(137, "OOMKilled", limits={"memory": "1Gi"}, deleting=True)])
    is_(found, "failed", "out-of-memory", "memory")
    is_(say([failed(1, deleting=True)], gone=["pod"]), "failed", "exit-code", "user")


def test_a_job_that_was_deleted():
    is_(say(gone=["job"]), "failed", "job-gone", "infrastructure")
    dying = pod(running(), phase="Running", deleting=True)
    is_(say([dying], of=job(deleting=True)), "failed", "job-gone", "infrastructure")
    assert diagnose(None, [], [], now=START) is None  # it was not seen yet


def test_a_job_that_its_ttl_removed():
    done = job(BACKOFF_LIMIT, ttlSecondsAfterFinished=30)
    found = say(of=done, gone=["job"])
    is_(found, "failed", "job-gone", "infrastructure")
    assert "30 s after its end" in found.summary
    # what is known of its pod explains more
    found = say([failed(137, "OOMKilled")], of=done, gone=["job", "pod"])
    is_(found, "failed", "out-of-memory", "memory")


def test_a_failed_job_whose_pod_was_never_seen():
    found = say(of=job(BACKOFF_LIMIT))
    is_(found, "failed", "job-failed", "infrastructure")
    assert "BackoffLimitExceeded" in found.detail


@pytest.mark.parametrize(
    ("code", "kind", "permanent"), [(2, "configuration", True), (4, "infrastructure", False)]
)
def test_a_pod_that_could_not_begin_says_why_itself(code, kind, permanent):
    found = say([failed(code, message="a warning\nkfnb: The store s3://b refuses access.\n")])
    is_(found, "failed", "store", kind, permanent=permanent)
    assert found.summary == "The store s3://b refuses access."
    is_(say([failed(code, message="whatever")]), "failed", "exit-code", "user")


def test_an_exit_code():
    found = say([failed(3, message='\x1e{"n":1}\nlast words')])
    is_(found, "failed", "exit-code", "user")
    assert "exit code 3" in found.summary
    assert found.detail == "last words"
    assert say([failed(3)], said=" raw ").detail == "raw"


@pytest.mark.parametrize(
    ("code", "name", "kind"),
    [
        (139, "SIGSEGV", "user"),
        (143, "SIGTERM", "infrastructure"),
        (137, "SIGKILL", "infrastructure"),
    ],
)
def test_a_signal(code, name, kind):
    found = say([failed(code)])
    is_(found, "failed", "signal", kind)
    assert name in found.summary


def test_a_container_that_the_node_lost_sight_of():
    found = say([failed(137, "ContainerStatusUnknown", "The container could not be located")])
    is_(found, "failed", "node-lost", "infrastructure")


def test_a_sidecar_that_outlives_the_step():
    proxy = {"name": "proxy", "state": running()}
    done = pod(ended(0, "Completed"), phase="Running", others=[proxy])
    assert has_ended(done)
    assert exit_code(done) == 0
    found = say([done])
    is_(found, "waiting", "sidecar", "infrastructure")
    assert "proxy" in found.summary
    is_(say([pod(ended(1), phase="Running", others=[proxy])]), "failed", "exit-code", "user")


def test_exit_codes():
    assert exit_code(failed(6)) == 6
    assert exit_code(failed(137)) == -9
    assert exit_code(failed(255)) == 255
    assert exit_code(pod(running())) is None
    assert exit_code(failed(137, "ContainerStatusUnknown")) is None


# --- anything at all


def test_values_are_stable_and_known():
    assert len({c.value for c in Category}) == len(Category)
    assert set(get_args(Level)) == {"waiting", "failing", "failed"}


EXAMPLES = [
    (job(BACKOFF_LIMIT), [failed(137, "OOMKilled", limits={"memory": "1Gi"})], []),
    (job(), [unscheduled("0/1 nodes are available: 1 Insufficient cpu.")], []),
    (job(), [pod(waiting("ErrImagePull", "not found"))], [event("Failed", "Failed to pull image")]),
    (job(), [], [event("FailedCreate", QUOTA, about="job")]),
    (job(), [silent_node()], [event("NodeNotReady", "no", at=3)]),
]


def places(tree, path=()):
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, (list, tuple)):
        for index, value in enumerate(tree):
            yield from places(value, (*path, index))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_objects_with_holes_are_no_reason_to_crash(data):
    tree = copy.deepcopy(
        [list(x) if isinstance(x, tuple) else x for x in data.draw(st.sampled_from(EXAMPLES))]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(places(tree))))
        if len(path) < 3:
            continue
        at = tree
        for key in path[:-1]:
            at = at[key]
        if isinstance(at, dict):
            del at[path[-1]]
        else:
            at.pop(path[-1])
    found = diagnose(tree[0], tree[1], tree[2], now=START)
    assert found is None or isinstance(found, Diagnosis)


RECORDED = sorted((Path(__file__).parent / "objects").glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
def test_events_recorded_from_a_real_cluster(path):
    record = json.loads(path.read_text())
    found = diagnose(
        record["job"],
        record["pods"],
        record["events"],
        now=record["now"],
        gone=record.get("gone", ()),
    )
    assert found is not None
    told = {
        "level": found.level,
        "category": found.category.value,
        "class": found.failure_class,
        "permanent": found.permanent,
        "summary": found.summary,
    }
    assert told == record["expected"]
    assert found.failure_class in get_args(FailureClass)


WAITS = "kfnb: waiting for the store: The store s3://b does not answer: refused.\n"


def test_a_step_that_waits_for_the_store_is_explained():
    executes = pod(running(), phase="Running")
    found = say([executes], said=f"a word of the image\n{WAITS}")
    is_(found, "waiting", "store", "infrastructure")
    assert (
        found.summary == "the step waits for the store: The store s3://b does not answer: refused."
    )
    assert "--store-endpoint" in found.remedy
    assert "kfnb doctor --on kubernetes" in found.remedy


@pytest.mark.parametrize("after", ["\x1e\n", "kfnb: another word\n"])
def test_a_step_that_continues_after_waiting_for_the_store_does_not_wait(after):
    assert say([pod(running(), phase="Running")], said=WAITS + after) is None


def test_a_step_that_waited_in_vain_fails_with_its_last_reason():
    found = say([failed(4, message=f"{WAITS}kfnb: The store s3://b is gone.\n")])
    is_(found, "failed", "store", "infrastructure")
    assert found.summary == "The store s3://b is gone."
