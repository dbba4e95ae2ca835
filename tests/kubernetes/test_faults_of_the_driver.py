"""The driver is killed with -9 before and after every call of the API server, one by one.

Nothing is sampled: each test takes every fourth request of a run, so that the four of a side have
them all, however many there are. "Before": the request never reaches the server. "After": the
server has carried it out, and nobody is told.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.cluster.jobs import until
from tests.kubernetes.proxy import Proxy
from tests.kubernetes.runs import jobs, pods, told, until_begun

QUARTERS = (1, 2, 3, 4)


class Killer:
    """Kills whoever drives, at one request; counts what was created."""

    def __init__(self, desk, proxy, side):
        self.desk, self.proxy, self.side = desk, proxy, side
        self.lock = threading.Lock()
        self.at = None
        self.seen = 0
        self.created = []
        self.killed = None
        self.command = None
        proxy.before, proxy.after = self.before, self.after

    def arm(self, at):
        with self.lock:
            self.at, self.seen, self.created, self.killed = at, 0, [], None
            self.numbers = {}

    def before(self, number, request):
        with self.lock:
            self.seen += 1
            mine = self.at is not None and self.seen == self.at
            self.numbers[number] = mine
            if mine and self.side == "before":
                self.kill(request)
                return False
        return True

    def after(self, number, request, status):
        with self.lock:
            if (request.method, request.plural, status) == ("POST", "jobs", 201):
                self.created.append(request)
            if self.numbers.get(number) and self.side == "after":
                self.kill(request)
                return False
        return True

    def kill(self, request):
        self.killed = f"{request.kind} {request.plural}"
        locks = sorted(self.desk.folder.parent.glob("home/runs/*/driver.lock"))
        pids = [int(text) for path in locks[-1:] if (text := path.read_text().strip())]
        for pid in [*pids, self.command.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def run(self, path, *arguments):
        """Run a notebook until somebody is killed, or to its end."""
        options = [*self.desk.options, "--driver", "here", "--no-cache"]
        self.command = subprocess.Popen(
            [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *options, *arguments],
            cwd=self.desk.folder,
            env={**os.environ, **self.desk.environment},
            stdout=subprocess.DEVNULL,
        )
        self.command.wait(300)
        with self.lock:
            self.at = None
            return self.killed


@pytest.fixture
def proxy(desk, tmp_path):
    with Proxy(desk.cluster.kubeconfig) as made:
        desk.environment["KUBECONFIG"] = str(made.kubeconfig(tmp_path))
        yield made


def runs(desk):
    return sorted(path.name for path in desk.folder.parent.glob("home/runs/*"))


def of_run(items, run):
    return [one for one in items if one.metadata.labels.get("kfnb.dev/run") == run]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("quarter", QUARTERS)
def test_at_every_call_of_a_run(desk, proxy, side, quarter):
    path = desk.notebook(
        ("step:first", "print('begun', flush=True)\nx = 1"), ("step:second", "print('x is', x)")
    )
    killer = Killer(desk, proxy, side)
    met = []
    for at in itertools.count(quarter, len(QUARTERS)):
        killer.arm(at)
        known = runs(desk)
        killed = killer.run(path)
        if killed is None:
            break
        met.append(killed)
        new = [run for run in runs(desk) if run not in known and not run.startswith(".")]
        if not new:  # whoever types it again begins anew
            continue
        [run] = new
        if not told(desk, "RunFinished", run=run):
            desk.kfnb("resume", run)
        # The journal is read, because a command costs as much as a step.
        done = [event["step"] for event in told(desk, "StepSucceeded", run=run)]
        assert sorted(done) == ["first", "second"], (at, killed)
        attempts = [event["step"] for event in told(desk, "AttemptStarted", run=run)]
        # One Job for each step and no other. Whether a Job that was asked for and is not there
        # was ever made nobody can know: such an attempt is given up, its name is not used again.
        assert len(killer.created) == 2, (at, killed, killer.created)
        given_up = (side, killed) == ("before", "POST jobs")
        assert len(attempts) == 2 + given_up, (at, killed, attempts)
        assert len(of_run(jobs(desk), run)) == 2, (at, killed)
        assert len(of_run(pods(desk), run)) == 2, (at, killed)
        logs = "==> first <==\nbegun\n\n==> second <==\nx is 1\n"
        assert desk.kfnb("logs", run) == logs, (at, killed)
    assert len(met) >= 2, met
    assert desk.status()["status"] == "succeeded"
    print(side, quarter, met)


@pytest.mark.parametrize("side", ["before", "after"])
def test_at_every_call_of_a_stop(desk, proxy, side):
    path = desk.notebook(("step:only", "import time\nprint('begun', flush=True)\ntime.sleep(300)"))
    killer = Killer(desk, proxy, side)
    met = []
    for at in itertools.count(1):
        killer.arm(None)
        known = runs(desk)
        killer.run(path, "--detach")
        [run] = [run for run in runs(desk) if run not in known]
        until_begun(desk, run=run)
        killer.arm(at)
        with contextlib.suppress(AssertionError):  # who asked may hear that the driver is gone
            desk.kfnb("stop", run)
        with killer.lock:
            killer.at = None
        if killer.killed is not None:
            met.append(killer.killed)
            if desk.status(run)["status"] != "cancelled":
                desk.kfnb("stop", run)
        assert desk.status(run)["status"] == "cancelled", (at, killer.killed)
        until(
            lambda: not of_run(jobs(desk), run) and not of_run(pods(desk), run),  # noqa: B023
            f"nothing to be left after {killer.killed}",
        )
        maps = desk.cluster.core().list_namespaced_config_map(desk.namespace).items
        assert [m.metadata.name for m in maps] == ["kube-root-ca.crt"]
        if killer.killed is None:
            break
    assert any(call.startswith("DELETE") for call in met), met
    print(side, met)
