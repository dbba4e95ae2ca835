"""Checks the images of steps, with a pod in each."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import version

from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.client import ApiError, Cluster
from kfnb.runners.kubernetes.doctor.probe import Probed, probe
from kfnb.runners.kubernetes.objects import manifests
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.target import Finding

_AGAIN = re.compile(
    r"(?:Kubernetes tries again(?: for \d+ minutes)?|kfnb starts the step again)[;.]\s*"
)
"""What is true of a run; a doctor looks once."""
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def image_findings(
    cluster: Cluster, target: KubernetesOptions, pipeline: Pipeline | None
) -> Iterator[Finding]:
    """Inspect each image that steps execute in."""
    images = [target.image] if pipeline is None else []
    if pipeline is not None:
        images = [manifests.image_of(target, pipeline, step) for step in pipeline.steps]
    named = [one for one in dict.fromkeys(images) if one]
    # An empty text means that neither the step nor the target has an image.
    if not named or len(named) < len(set(images)):
        sentence = "No image is configured for the steps. Name one that has kfnb: --image NAME."
        yield Finding("image", "missing", sentence)
    for image in named:
        try:
            probed = probe(cluster, target, image, pipeline=pipeline)
        except ApiError as error:
            sentence = f"The cluster rejected a pod with the image {image}: {error}"
            yield Finding("image", "missing", sentence)
            continue
        yield from _of_image(image, probed, target)


def _of_image(image: str, probed: Probed, target: KubernetesOptions) -> Iterator[Finding]:
    if probed.trouble:
        remedy = _AGAIN.sub("", probed.remedy, count=1)
        sentence = f"{probed.trouble.rstrip('.')}. {remedy[:1].upper()}{remedy[1:]}".strip()
        yield Finding("image", "missing", sentence)
        return
    if probed.missing:
        names = " ".join(probed.missing)
        yield Finding(
            "image",
            "missing",
            f"The image {image} has Python {probed.python}, but no {', '.join(probed.missing)}. "
            f"Add to its Dockerfile: RUN pip install {names}",
        )
    else:
        sentence = f"The image {image} can be pulled and has Python {probed.python}"
        yield Finding("image", "ok", f"{sentence}, kfnb {probed.kfnb} and ipykernel.")
    yield from _versions(image, probed)
    if target.store_secret:
        lacking = [key for key in _KEYS if key not in probed.credentials]
        if lacking:
            sentence = f"The Secret {target.store_secret} has no {' and no '.join(lacking)}"
            yield Finding("store secret", "missing", f"{sentence}, which pods need for the store.")
    if probed.store:
        sentence = probed.store.rstrip(".")
        yield Finding("store", "missing", f"Pods of {image} cannot use the store: {sentence}.")
    elif target.store and not probed.missing:
        yield Finding("store", "ok", f"Pods of {image} can read and write the store.")


def _versions(image: str, probed: Probed) -> Iterator[Finding]:
    local = platform.python_version()
    # Bytecode, in which functions are saved, is the same within a minor version.
    if probed.python.split(".")[:2] != local.split(".")[:2]:
        yield Finding(
            "versions",
            "warning",
            f"The image {image} has Python {probed.python}, this machine {local}. Functions and "
            "classes can be loaded only by the Python that saved them, so some outputs may not "
            "load here.",
        )
    own = version("kfnb")
    if probed.kfnb and probed.kfnb != own:
        sentence = f"The image {image} has kfnb {probed.kfnb}, this machine {own}"
        yield Finding("versions", "warning", f"{sentence}. Use the same version on both.")
