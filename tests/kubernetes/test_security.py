"""What a step may do in its pod, and where no secret ever gets."""

from __future__ import annotations

import json
import uuid

import pytest
from kubernetes.client import ApiException

LOOKS = """import json, os, socket
def fails(act):
    try:
        act()
    except OSError as error:
        return error.strerror
print(json.dumps({
    'uid': os.getuid(),
    'token': os.path.exists('/var/run/secrets/kubernetes.io/serviceaccount'),
    'root': [fails(lambda p=p: open(p, 'w')) for p in ('/x', '/usr/x', '/var/tmp/x', '/etc/x')],
    'home': os.path.expanduser('~'),
    'cwd': os.getcwd(),
    'made': [open(p, 'w').write('here') for p in ('made.txt', '/tmp/made.txt')],
    'capabilities': [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')],
    'new privileges': [l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNew')],
    'services': [k for k in os.environ if k.endswith('_SERVICE_HOST') and 'KUBERNETES' not in k],
}))"""


def test_the_namespaces_of_these_tests_take_restricted_pods_only(desk):
    container = {"name": "x", "image": desk.cluster.busybox}
    body = {"metadata": {"name": "x"}, "spec": {"containers": [container]}}
    with pytest.raises(ApiException, match="restricted"):
        desk.cluster.core().create_namespaced_pod(desk.namespace, body)


def test_a_step_has_no_token_no_rights_and_one_folder_whoever_it_is(desk):
    about = {"kfnb": {"targets": {"kubernetes": {"security_context": {"runAsUser": 123_456}}}}}
    desk.run(desk.notebook(("step:only", LOOKS), **about))
    seen = json.loads(desk.kfnb("logs", "latest", "only"))
    assert seen == {
        "uid": 123_456,
        "token": False,
        "root": ["Read-only file system"] * 4,
        "home": "/kfnb/user",
        "cwd": "/kfnb/work",
        "made": [4, 4],
        "capabilities": ["0000000000000000"],
        "new privileges": ["1"],
        "services": [],
    }
    [job] = desk.cluster.batch().list_namespaced_job(desk.namespace).items
    assert job.spec.template.spec.automount_service_account_token is False


def test_a_secret_s_value_is_nowhere_but_in_the_step(desk):
    value = f"hidden-{uuid.uuid4().hex}"
    body = {"metadata": {"name": "api"}, "stringData": {"token": value}}
    desk.cluster.core().create_namespaced_secret(desk.namespace, body)
    path = desk.notebook(
        ("setup", "import hashlib, os"),
        ("parameters", "password = 'none'"),
        (
            "step:only secret:api:token:TOKEN",
            """mark = hashlib.sha256(os.environ['TOKEN'].encode()).hexdigest()
print(mark)
print(hashlib.sha256(password.encode()).hexdigest())""",
        ),
        ("step:bad secret:api:token:TOKEN", "print(mark)\nmark / len(os.environ['TOKEN'])"),
    )
    masked = f"hidden-{uuid.uuid4().hex}"
    desk.run(path, "-p", f"password={masked}", code=1)
    import hashlib

    log = desk.kfnb("logs", "latest", "only")
    assert [hashlib.sha256(one.encode()).hexdigest() for one in (value, masked)] == log.split()
    hidden = [value, masked, desk.bucket.server.secret]
    assert all(hidden)
    files = desk.bucket.server.files()
    stored = {key: files.cat(key) for key in files.find(desk.bucket.name)}
    assert len(stored) > 10
    here = desk.folder.parent / "home"
    kept = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert any(str(path).endswith("journal.jsonl") for path in kept)
    batch = desk.cluster.batch().list_namespaced_job(desk.namespace)
    core = desk.cluster.core()
    told = {
        "jobs": str(batch).encode(),
        "pods": str(core.list_namespaced_pod(desk.namespace)).encode(),
        "maps": str(core.list_namespaced_config_map(desk.namespace)).encode(),
        "events": str(core.list_namespaced_event(desk.namespace)).encode(),
    }
    for where, data in (*stored.items(), *kept.items(), *told.items()):
        assert not [one for one in hidden if one.encode() in data], where
