"""Reads fields of Jobs, pods and Events, any of which may be missing."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from kfnb.runners.kubernetes.explain.model import Patience

Object = Mapping[str, Any]

STEP_CONTAINER = "step"
"""The name of the step's container; in other pods, the first container counts."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known about one attempt.

    Parameters
    ----------
    gone
        UIDs of deleted objects, of which the last state is known.
    printed
        What the container printed besides signals, such as the error of a Python that did not
        start. A line with a separator stands for signals.
    now
        Seconds since the epoch, by the cluster's clock.
    """

    job: Object | None
    pods: Sequence[Object]
    events: Sequence[Object]
    now: float
    patience: Patience
    gone: frozenset[str] = frozenset()
    printed: str = ""

    @property
    def namespace(self) -> str:
        """The workspace's namespace, for commands that you can copy."""
        owner = self.job or (self.pods[0] if self.pods else {})
        return str(metadata(owner).get("namespace") or "default")

    def kubectl(self, command: str) -> str:
        """Return a ``kubectl`` command for the attempt's namespace."""
        return f"`kubectl -n {shlex.quote(self.namespace)} {command}`"

    def about(self, thing: Object, *reasons: str) -> list[Object]:
        """List the Events of an object, the newest last."""
        uid = metadata(thing).get("uid")
        events = [
            e
            for e in self.events
            if (e.get("involvedObject") or {}).get("uid") == uid
            and (not reasons or e.get("reason") in reasons)
        ]
        # The API server lists Events by name, not by time.
        return sorted(events, key=lambda e: last_time(e) or 0.0)

    def is_gone(self, thing: Object) -> bool:
        """Return whether the object was deleted."""
        return metadata(thing).get("uid") in self.gone

    def over(self, since: float | None, patience: float) -> bool:
        """Return whether the patience for what began at ``since`` is over."""
        return since is not None and self.now - since >= patience


def metadata(thing: Object) -> Object:
    """Return an object's metadata."""
    value = thing.get("metadata")
    return value if isinstance(value, Mapping) else {}


def status(thing: Object) -> Object:
    """Return an object's status."""
    value = thing.get("status")
    return value if isinstance(value, Mapping) else {}


def name(thing: Object) -> str:
    """Return an object's name."""
    return str(metadata(thing).get("name") or "")


def uid(thing: Object) -> str:
    """Return an object's UID."""
    return str(metadata(thing).get("uid") or "")


def created(thing: Object) -> float | None:
    """Return when an object was created, in seconds since the epoch."""
    return moment(metadata(thing).get("creationTimestamp"))


def conditions(thing: Object) -> Iterator[Object]:
    """Yield the conditions that hold."""
    for condition in status(thing).get("conditions") or ():
        if condition.get("status") == "True":
            yield condition


def condition(thing: Object, kind: str) -> Object:
    """Return the condition of a kind, whether it holds or not; empty if there is none."""
    for one in status(thing).get("conditions") or ():
        if one.get("type") == kind:
            return dict(one)
    return {}


def pod_spec(thing: Object) -> Object:
    """Return the pod's specification, of a pod or of a Job's template."""
    spec = thing.get("spec") or {}
    template = spec.get("template")
    return (template.get("spec") or {}) if isinstance(template, Mapping) else spec


def step_container(thing: Object) -> Object:
    """Return the specification of the container that executes the step."""
    containers: list[Object] = list(pod_spec(thing).get("containers") or ())
    named = [c for c in containers if c.get("name") == STEP_CONTAINER]
    return next(iter(named or containers), {})


def container_statuses(pod: Object) -> list[Object]:
    """List the states of the pod's containers, in the order in which they start."""
    state = status(pod)
    return [*(state.get("initContainerStatuses") or ()), *(state.get("containerStatuses") or ())]


def step_status(pod: Object) -> Object:
    """Return the state of the container that executes the step; empty before there is one."""
    wanted = step_container(pod).get("name")
    for one in status(pod).get("containerStatuses") or ():
        if one.get("name") == wanted:
            return dict(one)
    return {}


def terminated(container: Object) -> Object | None:
    """Return how a container ended, if it did."""
    return (container.get("state") or {}).get("terminated")


def waiting(container: Object) -> Object | None:
    """Return the state of a container that waits; empty if it does not."""
    return (container.get("state") or {}).get("waiting")


def is_sidecar(pod: Object, container: Object) -> bool:
    """Return whether a container runs beside the step rather than before it."""
    for spec in pod_spec(pod).get("initContainers") or ():
        if spec.get("name") == container.get("name"):
            # Since Kubernetes 1.28, an init container that is always restarted is a sidecar.
            return bool(spec.get("restartPolicy") == "Always")
    return container.get("name") != step_container(pod).get("name")


def asked(thing: Object, resource: str) -> str:
    """Return how much of a resource the step's container requests; empty if nothing."""
    resources = step_container(thing).get("resources") or {}
    # Kubernetes uses the limit where there is no request.
    for side in ("requests", "limits"):
        if resource in (resources.get(side) or {}):
            return str(resources[side][resource])
    return ""


def limit(thing: Object, resource: str) -> str:
    """Return the step's limit of a resource; empty if it has none."""
    resources = step_container(thing).get("resources") or {}
    return str((resources.get("limits") or {}).get(resource) or "")


def is_live(pod: Object, gone: Collection[str]) -> bool:
    """Return whether a pod exists, is not being deleted and has not ended."""
    return (
        uid(pod) not in gone
        and not metadata(pod).get("deletionTimestamp")
        and status(pod).get("phase") not in ("Succeeded", "Failed")
    )


def message(thing: Object) -> str:
    """Return the message of an Event, condition or state."""
    # Not strip(): it would remove the separator of signals.
    return str(thing.get("message") or "").strip(" \r\n")


def first_time(event: Object) -> float | None:
    """Return when an event was first seen, in seconds since the epoch."""
    return (
        # Older components set the first of these, newer ones the second.
        moment(event.get("firstTimestamp"))
        or moment(event.get("eventTime"))
        or moment(metadata(event).get("creationTimestamp"))
    )


def last_time(event: Object) -> float | None:
    """Return when an event was last seen, in seconds since the epoch."""
    series = event.get("series") or {}
    return (
        # Newer components count a repeated Event in its series.
        moment(series.get("lastObservedTime"))
        or moment(event.get("lastTimestamp"))
        or first_time(event)
    )


def moment(text: object) -> float | None:
    """Return a timestamp of Kubernetes in seconds since the epoch; None if it is not valid."""
    if not isinstance(text, str):
        return None
    try:
        # Python 3.10 reads neither "Z" nor nanoseconds; whole seconds are enough.
        stamp = datetime.fromisoformat(text[:19])
    except ValueError:
        return None
    return stamp.replace(tzinfo=timezone.utc).timestamp()
