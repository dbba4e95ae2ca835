"""What the images of a target's steps have, seen by a pod of each."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import version

from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.client import ApiError, Cluster
from kfnb.runners.kubernetes.api.config import Target
from kfnb.runners.kubernetes.doctor.finding import Finding
from kfnb.runners.kubernetes.doctor.probe import Probed, probe
from kfnb.runners.kubernetes.objects import manifests

_AGAIN = re.compile(r"It is (?:tried again|started anew)[;.]\s*")
"""What is true of a run; a doctor looks once."""
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def image_findings(
    cluster: Cluster, target: Target, pipeline: Pipeline | None
) -> Iterator[Finding]:
    """Look at each image that steps execute in."""
    images = [target.image] if pipeline is None else []
    if pipeline is not None:
        images = [manifests.image_of(target, pipeline, step) for step in pipeline.steps]
    named = [one for one in dict.fromkeys(images) if one]
    if not named or len(named) < len(set(images)):
        said = "No image is said for the steps. Name one that has kfnb: --image NAME."
        yield Finding("image", "missing", said)
    for image in named:
        try:
            found = probe(cluster, target, image, pipeline=pipeline)
        except ApiError as error:
            said = f"The cluster does not take a pod of the image {image}: {error}"
            yield Finding("image", "missing", said)
            continue
        yield from _of_image(image, found, target)


def _of_image(image: str, found: Probed, target: Target) -> Iterator[Finding]:
    if found.trouble:
        remedy = _AGAIN.sub("", found.remedy, count=1)
        said = f"{found.trouble.rstrip('.')}. {remedy[:1].upper()}{remedy[1:]}".strip()
        yield Finding("image", "missing", said)
        return
    if found.missing:
        names = " ".join(found.missing)
        yield Finding(
            "image",
            "missing",
            f"The image {image} has Python {found.python}, but no {', '.join(found.missing)}. "
            f"Add to its Dockerfile: RUN pip install {names}",
        )
    else:
        said = f"The image {image} can be pulled and has Python {found.python}"
        yield Finding("image", "ok", f"{said}, kfnb {found.kfnb} and ipykernel.")
    yield from _versions(image, found)
    if target.store_secret:
        lacking = [key for key in _KEYS if key not in found.credentials]
        if lacking:
            said = f"The Secret {target.store_secret} has no {' and no '.join(lacking)}"
            yield Finding("store secret", "missing", f"{said}, which pods need for the store.")
    if found.store:
        said = found.store.rstrip(".")
        yield Finding("store", "missing", f"Pods of {image} cannot use the store: {said}.")
    elif target.store and not found.missing:
        yield Finding("store", "ok", f"Pods of {image} reach the store, and may write to it.")


def _versions(image: str, found: Probed) -> Iterator[Finding]:
    here = platform.python_version()
    if found.python.split(".")[:2] != here.split(".")[:2]:
        yield Finding(
            "versions",
            "warning",
            f"The image {image} has Python {found.python}, this machine {here}: functions and "
            "classes that flow between steps are read by the Python that made them alone, and "
            "values may not open here.",
        )
    own = version("kfnb")
    if found.kfnb and found.kfnb != own:
        said = f"The image {image} has kfnb {found.kfnb}, this machine {own}"
        yield Finding("versions", "warning", f"{said}: take the same on both sides.")
