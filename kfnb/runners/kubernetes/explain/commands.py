"""Containers that the runtime could not start."""

from __future__ import annotations

import re

from kfnb.runners.kubernetes.explain.model import Category, Diagnosis
from kfnb.runners.kubernetes.explain.reading import Object, pod_spec

_EXECUTABLE = re.compile(r'exec: "(?P<what>[^"]+)"|exec (?P<path>/\S+):')
# A container whose creation took too long keeps its name until the runtime has removed it.
_PASSING = re.compile(
    r"context deadline|timed? ?out|name .* is reserved|unavailable", re.IGNORECASE
)


def explain_command(pod: Object, container: Object, text: str) -> Diagnosis:
    """Say why the runtime did not start a container of a pod, in ``words`` of it."""
    image = str(container.get("image") or "")
    match = _EXECUTABLE.search(text)
    what = (match["what"] or match["path"]) if match else "its command"
    if "exec format error" in text:
        return _permanent(
            Category.IMAGE_PLATFORM,
            f"the image {image} was built for another processor architecture than the node's",
            text,
            "Build it for the node's platform, or choose other nodes with --node-selector.",
        )
    if re.search(r"read-only file ?system", text, re.IGNORECASE):
        return _permanent(
            Category.READ_ONLY,
            f"the container of {image} tried to write to a read-only file system",
            text,
            "Only /kfnb and mounted volumes are writable: mount a volume there, or set "
            "readOnlyRootFilesystem: false in security_context in the options of the target.",
        )
    # This comes before the next case: the image has the program, but the pod's PATH hides it.
    path = _path(pod, container)
    if path is not None and "executable file not found" in text and "/" not in what:
        return _permanent(
            Category.COMMAND_MISSING,
            f"the step's environment sets PATH{path}, and {what} is in none of its folders",
            text,
            "Remove the tag env:PATH (or the secret: tag for PATH), or add the image's folders to "
            "it.",
        )
    if "executable file not found" in text or "no such file or directory" in text:
        return _permanent(
            Category.COMMAND_MISSING,
            f"{what} was not found in the image {image}",
            text,
            "The image of a step needs Python and kfnb; `kfnb doctor --on kubernetes` checks an "
            "image.",
        )
    if "permission denied" in text:
        return _permanent(
            Category.COMMAND_MISSING,
            f"the user of the image {image} may not execute {what}",
            text,
            "Make it executable for all users in the image (chmod a+rx).",
        )
    if "error during container init" in text or "error mounting" in text:
        return _permanent(
            Category.CANNOT_START,
            "the step's container cannot start with its settings",
            text,
            "Correct volumes and security_context in the options of the target.",
        )
    passing = _PASSING.search(text) is not None
    return Diagnosis(
        "failing" if passing else "failed",
        Category.CANNOT_START,
        "infrastructure",
        "the node could not start the step's container",
        text,
        "Kubernetes tries again." if passing else "",
    )


def _path(pod: Object, container: Object) -> str | None:
    """Say to what the pod sets a container's ``PATH``; None if it leaves the image's."""
    spec = pod_spec(pod)
    for candidate in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if candidate.get("name") == container.get("name"):
            for one in reversed(candidate.get("env") or ()):  # the last of a name holds
                if one.get("name") == "PATH":
                    return f" to {one['value']}" if "value" in one else ""
    return None


def _permanent(category: Category, summary: str, text: str, remedy: str) -> Diagnosis:
    return Diagnosis("failed", category, "configuration", summary, text, remedy, permanent=True)
