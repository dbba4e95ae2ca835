"""A short-lived pod that reports what an image has, and whether it reaches the store."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.explain.diagnose import Patience, diagnose, has_ended
from kfnb.runners.kubernetes.objects import manifests
from kfnb.runners.kubernetes.options import KubernetesOptions

PATIENCE = 180.0
"""Seconds in which an image has to be pulled and inspected."""

NEEDED = ("kfnb", "ipykernel", "papermill")
_EVERY = 0.5
_WAITS = Patience(image=5.0, registry=15.0)
"""A run waits longer for an image that may still be pushed; here you wait for an answer."""
_MARK = "kfnb-probe "

# Runs with whichever Python the image has; prints names of variables, never their values.
SCRIPT = (
    (
        """
import importlib.util, json, os, sys
current = {"python": "%d.%d.%d" % sys.version_info[:3]}
current["missing"] = [n for n in NEEDED if importlib.util.find_spec(n) is None]
current["credentials"] = sorted(n for n in os.environ if n.startswith("AWS_"))
if "kfnb" not in current["missing"]:
    import kfnb
    current["kfnb"] = kfnb.__version__
    try:
        from kfnb.store.remote import StoreAddress, open_remote
        where = StoreAddress.from_environment()
        if where is not None:
            open_remote(where)
    except Exception as error:
        current["store"] = " ".join(str(error).split()) or type(error).__name__
print(MARK + json.dumps(current), flush=True)
"""
    )
    .replace("NEEDED", repr(NEEDED))
    .replace("MARK", repr(_MARK))
)


@dataclass(frozen=True, slots=True)
class Probed:
    """What a pod found in its image; ``trouble`` and ``remedy`` if it could not run."""

    python: str = ""
    kfnb: str = ""
    missing: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    store: str = ""
    trouble: str = ""
    remedy: str = ""


def probe(
    cluster: Cluster,
    target: KubernetesOptions,
    image: str,
    *,
    pipeline: Pipeline | None = None,
    patience: float = PATIENCE,
    sleep: Callable[[float], object] = time.sleep,
) -> Probed:
    """Start a pod like a step's, read its report, and remove it.

    Raises
    ------
    ApiError
        If the cluster refuses the pod, or does not answer.
    """
    body = manifests.probe_pod(target, image, script=SCRIPT, pipeline=pipeline)
    body["metadata"]["name"] = f"kfnb-doctor-{os.urandom(4).hex()}"
    pod = cluster.create("Pod", body)
    name, uid = str(pod["metadata"]["name"]), str(pod["metadata"]["uid"])
    try:
        return _watched(cluster, pod, patience=patience, sleep=sleep)
    finally:
        # The pod has nothing to save, so it need not be given time to end.
        cluster.delete("Pod", name, uid=uid, grace=0)


def _watched(
    cluster: Cluster,
    pod: Mapping[str, Any],
    *,
    patience: float,
    sleep: Callable[[float], object],
) -> Probed:
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    until = time.monotonic() + patience
    while True:
        current = cluster.get("Pod", name)
        if current is None or current["metadata"]["uid"] != uid:
            return Probed(trouble="The pod that inspects the image was deleted")
        pod = current
        if has_ended(pod):
            data = b"".join(cluster.pod_log(name, container=_container(pod), timestamps=False))
            answer = _answer(data.decode("utf-8", "replace"))
            # Without a report, the pod's state and Events explain what went wrong.
            if answer is not None:
                return answer
        over = time.monotonic() >= until or has_ended(pod)
        events = cluster.list("Event", fields=f"involvedObject.uid={uid}").get("items") or ()
        diagnosis = diagnose(None, [pod], list(events), now=time.time(), patience=_WAITS)
        if diagnosis is not None and (over or diagnosis.level == "failed" or diagnosis.permanent):
            summary = f"{diagnosis.summary[:1].upper()}{diagnosis.summary[1:]}"
            return Probed(trouble=summary, remedy=diagnosis.remedy)
        if over:
            return Probed(
                trouble=f"The image {_image(pod)} reported nothing within {patience:.0f} s"
            )
        sleep(_EVERY)


def _answer(log: str) -> Probed | None:
    for line in log.splitlines():
        if line.startswith(_MARK):
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                plain = json.loads(line.removeprefix(_MARK))
                return Probed(
                    python=str(plain.get("python", "")),
                    kfnb=str(plain.get("kfnb", "")),
                    missing=tuple(plain.get("missing", ())),
                    credentials=tuple(plain.get("credentials", ())),
                    store=str(plain.get("store", "")),
                )
    return None


def _container(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["name"])


def _image(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])
