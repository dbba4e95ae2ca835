"""Runs that go on while a test does something to them, and what is told of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.cluster.jobs import until

WAIT = """import os, time, s3fs
print('begun', flush=True)
_files = s3fs.S3FileSystem(endpoint_url=os.environ['KFNB_STORE_ENDPOINT'], use_listings_cache=False)
while not _files.exists(os.environ['KFNB_STORE'].split('/')[2] + '/go'):
    time.sleep(0.1)
"""
"""Source of a step on S3 that goes on after `let_go`, however slow the machine is."""
UNTIL_ATTEMPT = """import os, time
print('begun', flush=True)
while int(os.environ['KFNB_ORDER'].split('/')[-2]) < {}:
    time.sleep(1)
x = 1"""
"""Source of a step of which the test ends every attempt before this one."""


def start(desk, path, *arguments):
    """Run a notebook; its driver is another process."""
    command = [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *desk.options]
    environment = {**os.environ, **desk.environment}
    subprocess.run([*command, "--detach", *arguments], cwd=desk.folder, env=environment, check=True)


def let_go(desk):
    """Let the steps go on that wait."""
    desk.bucket.server.files().pipe(f"{desk.bucket.name}/go", b"")


def told(desk, *kinds, run="*"):
    """The journal's events of some kinds."""
    found = list(desk.folder.parent.glob(f"home/runs/{run}/journal.jsonl"))
    lines = [line for path in found for line in path.read_text().split("\n")[:-1]]
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["type"] in kinds]


def until_said(desk, *words, seconds=180):
    def look():
        texts = [json.dumps(e["data"]) for e in told(desk, "Warning", "AttemptFailed")]
        return [text for text in texts if all(word in text for word in words)]

    return until(look, f"a sentence with {words}", seconds)[0]


def until_ended(desk, status, seconds=360):
    until(lambda: told(desk, "RunFinished", "RunCancelled"), "the end of the run", seconds)
    found = desk.status()
    assert found["status"] == status, told(desk, "AttemptFailed")
    return found


def until_begun(desk, step="only", attempt=1, run="*"):
    def look():
        logs = list(desk.folder.parent.glob(f"home/runs/{run}/steps/{step}/{attempt}/log.txt"))
        return logs and "begun" in logs[0].read_text()

    until(look, "the step to print", 180)


def pods(desk):
    return desk.cluster.core().list_namespaced_pod(desk.namespace).items


def jobs(desk):
    return desk.cluster.batch().list_namespaced_job(desk.namespace).items
