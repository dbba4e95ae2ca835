"""Explains images that cannot be pulled, from the messages of registry and runtime."""

from __future__ import annotations

import re
import shlex

from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import (
    Case,
    Object,
    created,
    first_time,
    message,
    moment,
    pod_spec,
    status,
    waiting,
)

_PULLING = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")

# Messages of containerd, CRI-O and registries; the first match counts. A registry that hides
# private images answers "denied" and "does not exist" in the same message.
_DENIED = re.compile(
    r"unauthorized|authorization failed|authentication required|denied|insufficient_scope"
    r"|no basic auth|forbidden|\b40[13]\b",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"not found|manifest unknown|manifest_unknown|name unknown|name_unknown|does not exist"
    r"|\b404\b",
    re.IGNORECASE,
)
_PLATFORM = re.compile(r"no match for platform|no matching manifest", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"no such host|dial tcp|i/o timeout|connection re(fused|set)|TLS handshake|x509|EOF"
    r"|HTTP response to HTTPS client|deadline exceeded|toomanyrequests|too many requests"
    r"|\b(429|50[0234])\b|server misbehaving|network is unreachable",
    re.IGNORECASE,
)


def explain_image(case: Case, pod: Object, container: Object) -> Diagnosis | None:
    """Explain why a container waits for its image; None if it does not."""
    state = waiting(container) or {}
    reason = state.get("reason")
    image = str(container.get("image") or "")
    text = message(state)
    if reason == "InvalidImageName":
        return Diagnosis(
            "failed",
            Category.IMAGE_NAME,
            "configuration",
            f"{image!r} is not a valid name of an image",
            text,
            "Correct the step's image (as in registry.example.org/team/name:tag, in lower case).",
            permanent=True,
        )
    if reason == "ErrImageNeverPull":
        return Diagnosis(
            "failed",
            Category.IMAGE_MISSING,
            "configuration",
            f'the image {image} is not on the node, and the pull policy "Never" forbids pulling it',
            text,
            "Use --image-pull-policy IfNotPresent, or load the image onto the node.",
            permanent=True,
        )
    if reason == "ImageInspectError":
        return Diagnosis(
            "failing",
            Category.IMAGE_PULL,
            "infrastructure",
            f"the node cannot read the image {image}",
            text,
            "The node's copy of the image is damaged: push the image with another tag.",
        )
    if reason not in _PULLING:
        return None
    return _pull(case, pod, image, text)


def explain_pulling(case: Case, pod: Object) -> Diagnosis | None:
    """Explain that an image is being pulled, if that takes a while."""
    events = case.about(pod, "Pulling", "Pulled", "Failed")
    # While an image is being pulled, there is no result after the last beginning.
    if not events or events[-1].get("reason") != "Pulling":
        return None
    since = first_time(events[-1])
    if not case.over(since, case.patience.settle):
        return None
    image = _quoted(message(events[-1])) or "the image"
    return Diagnosis(
        "waiting",
        Category.IMAGE_PULLING,
        "infrastructure",
        f"the node is pulling the image {image}",
        message(events[-1]),
    )


def _pull(case: Case, pod: Object, image: str, text: str) -> Diagnosis:
    # Before Kubernetes 1.31 only Events had the reason, not the back-off's message.
    failures = [e for e in case.about(pod, "Failed") if "pull image" in message(e)]
    messages = "\n".join([text, *(message(e) for e in failures[-1:])])
    # A tag or digest such as :404 must not be mistaken for an HTTP status.
    plain = messages.replace(image, "") if image else messages
    # The time counts from the first failure, because each new try would restart it.
    since = min(
        (t for t in map(first_time, failures) if t is not None),
        default=moment(status(pod).get("startTime")) or created(pod),
    )
    category, summary, remedy = _why(case, pod, image, plain)
    lasting = category in (Category.IMAGE_MISSING, Category.IMAGE_DENIED, Category.IMAGE_PLATFORM)
    patience = case.patience.image if lasting else case.patience.registry
    over = case.over(since, patience)
    if lasting and not over:
        remedy = f"Kubernetes tries again for {patience / 60:.0f} minutes. {remedy}"
    return Diagnosis(
        "failed" if over else "failing",
        category,
        "configuration" if lasting else "infrastructure",
        summary,
        max(text, *(message(e) for e in failures[-1:]), "", key=len),
        remedy,
        permanent=lasting,
    )


def _why(case: Case, pod: Object, image: str, messages: str) -> tuple[Category, str, str]:
    if _PLATFORM.search(messages):
        return (
            Category.IMAGE_PLATFORM,
            f"the image {image} was built for another processor architecture than the node's",
            "Build it for the node's platform, or choose other nodes with --node-selector.",
        )
    if _UNREACHABLE.search(messages) and not re.search(
        r"unauthorized|denied", messages, re.IGNORECASE
    ):
        return (
            Category.IMAGE_UNREACHABLE,
            f"the registry of the image {image} does not answer properly",
            "Kubernetes tries again. Check the registry's name, its certificate and the network.",
        )
    if _DENIED.search(messages):
        return Category.IMAGE_DENIED, *_denied(case, pod, image)
    if _MISSING.search(messages):
        return (
            Category.IMAGE_MISSING,
            f"the image {image} does not exist",
            f"Correct the step's image, or push it: `docker push {shlex.quote(image)}`.",
        )
    return (
        Category.IMAGE_PULL,
        f"the image {image} cannot be pulled",
        "Kubernetes tries again. Check the name of the step's image.",
    )


def _denied(case: Case, pod: Object, image: str) -> tuple[str, str]:
    secrets = [str(s.get("name")) for s in pod_spec(pod).get("imagePullSecrets") or ()]
    absent = case.about(pod, "FailedToRetrieveImagePullSecret")
    refused = f"the registry denied access to the image {image}"
    server = shlex.quote(image.split("/", maxsplit=1)[0])
    create = case.kubectl(
        f"create secret docker-registry {shlex.quote(secrets[0]) if secrets else 'NAME'} "
        f"--docker-server={server} --docker-username=USER --docker-password=PASSWORD"
    )
    if absent:
        return (
            f"{refused}, because the pull secret {', '.join(secrets)} does not exist",
            f"Create it: {create}.",
        )
    if secrets:
        return (
            f"{refused} with the pull secret {', '.join(secrets)}",
            (
                "Check the image's name and the secret's user and password. To create the secret: "
                f"{create}."
            ),
        )
    return (
        f"{refused} without a password",
        f"Create a secret ({create}) and name it with --image-pull-secret.",
    )


def _quoted(text: str) -> str:
    match = re.search(r'"([^"]+)"', text)
    return match[1] if match else ""
