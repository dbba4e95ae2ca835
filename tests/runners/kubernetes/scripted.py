"""A cluster's client that says what a test has written down, and a clock that jumps."""

from __future__ import annotations

import json

from kfnb.errors import InfrastructureError


class Refused(InfrastructureError):
    def __init__(self, status=None, retry_after=None):
        super().__init__(f"the server says {status}")
        self.status, self.retry_after = status, retry_after


class Clock:
    """Waiting takes no time; ``waits`` says how long it would have been."""

    def __init__(self, *, at=1000.0, stop_after=None):
        self.at, self.waits, self.stop_after = at, [], stop_after
        self.stopped = False

    def now(self):
        return self.at

    def wait(self, seconds):
        self.waits.append(seconds)
        self.at += seconds
        return self.stopped

    def pass_(self, seconds):
        self.at += seconds


class ReadClient:
    """Each call takes the next of what was written down for it; at the end the clock stops.

    A watch or log is a list of lines; an exception in it is raised, a number passes as seconds,
    a callable is called.
    """

    def __init__(self, clock, *, lists=(), watches=(), logs=(), events=()):
        self.clock = clock
        self.lists, self.watches = list(lists), list(watches)
        self.logs, self.events = list(logs), list(events)
        self.calls, self.times = [], []

    def list(self, kind, *, selector="", fields=""):
        self._note("list", kind, fields)
        if kind == "Event":
            return self._next(self.events, {"items": []})
        return self._next(self.lists, listed(1))

    def list_watch(self, kind, *, selector, since, timeout):
        self._note("watch", kind, since)
        return self._play(self._next(self.watches, []))

    def pod_log(self, name, *, container, since_time, follow):
        self._note("log", since_time, follow)
        return self._play(self._next(self.logs, []))

    def _note(self, *call):
        self.calls.append(call)
        self.times.append(self.clock.now())

    def _next(self, script, otherwise):
        if not script:
            self.clock.stopped = True
            return otherwise
        found = script.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    def _play(self, lines):
        for line in lines:
            if isinstance(line, BaseException):
                raise line
            if callable(line):
                line()
            elif isinstance(line, (int, float)):
                self.clock.pass_(line)
            else:
                yield line


def thing(name, version, *, uid=None, created="2026-01-01T00:00:00Z", job=None, **more):
    metadata = {
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": created,
        "managedFields": [{"manager": "m", "time": created}],
    }
    if job:
        metadata["labels"] = {"batch.kubernetes.io/job-name": job}
        more.setdefault("spec", {"containers": [{"name": "step"}]})
    return {"metadata": metadata, **more}


def listed(version, *items):
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


def line(kind, item):
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version):
    return line("BOOKMARK", {"kind": "Job", "metadata": {"resourceVersion": str(version)}})


def expired():
    return line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
