"""A diagnosis, and how long to wait for each kind of problem to resolve itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from kfnb.store.manifest import FailureClass

Level = Literal["waiting", "failing", "failed"]
"""``waiting``: it will probably start by itself. ``failing``: it fails unless you do something
soon. ``failed``: it cannot succeed any more; end the attempt."""


class Category(str, Enum):
    """The kinds of problems. The values are stable: journals contain them."""

    IMAGE_NAME = "invalid-image-name"
    IMAGE_MISSING = "image-not-found"
    IMAGE_DENIED = "image-denied"
    IMAGE_PLATFORM = "image-platform"
    IMAGE_UNREACHABLE = "image-registry-unreachable"
    IMAGE_PULL = "image-pull"
    IMAGE_PULLING = "image-pulling"
    IMAGE_USER = "image-user"
    IMAGE_WITHOUT_KFNB = "image-without-kfnb"
    SECRET_MISSING = "secret-missing"  # noqa: S105 (a kind of trouble)
    SECRET_KEY_MISSING = "secret-key-missing"  # noqa: S105
    CONFIG_MAP_MISSING = "config-map-missing"
    CONTAINER_CONFIG = "container-config"
    COMMAND_MISSING = "command-missing"
    READ_ONLY = "read-only"
    CANNOT_START = "cannot-start"
    SANDBOX = "sandbox"
    STARTING = "starting"
    SERVICE_ACCOUNT_MISSING = "service-account-missing"
    QUOTA = "quota"
    POD_SECURITY = "pod-security"
    ADMISSION = "admission"
    POD_REFUSED = "pod-refused"
    NO_POD = "no-pod"
    SUSPENDED = "suspended"
    CPU = "unschedulable-cpu"
    MEMORY = "unschedulable-memory"
    GPU = "unschedulable-resource"
    STORAGE = "unschedulable-storage"
    PODS = "unschedulable-pods"
    SELECTOR = "unschedulable-selector"
    TAINT = "unschedulable-taint"
    AFFINITY = "unschedulable-affinity"
    VOLUME = "unschedulable-volume"
    UNSCHEDULABLE = "unschedulable"
    CLAIM_MISSING = "claim-missing"
    CLAIM_UNBOUND = "claim-unbound"
    MOUNT = "volume-mount"
    NOT_READY = "not-ready"
    SIDECAR = "sidecar"
    OUT_OF_MEMORY = "out-of-memory"
    DEADLINE = "deadline"
    DISK_LIMIT = "disk-limit"
    EVICTED_DISK = "evicted-disk"
    EVICTED_MEMORY = "evicted-memory"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_LOST = "node-lost"
    NODE_REFUSED = "node-refused"
    POD_DELETED = "pod-deleted"
    JOB_GONE = "job-gone"
    JOB_FAILED = "job-failed"
    STORE = "store"
    EXIT_CODE = "exit-code"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an attempt waits, is about to fail, or failed.

    Parameters
    ----------
    summary
        One sentence, which stays the same as long as nothing changes, so that it is shown once.
    detail
        The message of Kubernetes.
    remedy
        What you can do: a command, or an option of kfnb.
    permanent
        Whether another attempt would fail in the same way.
    """

    level: Level
    category: Category
    failure_class: FailureClass
    summary: str
    detail: str = ""
    remedy: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait until a problem resolves itself.

    Parameters
    ----------
    image
        An image that is missing or refused: it may still be pushed. A node tries again after 10,
        20, 40, 80 and 160 seconds, so an image that is pushed meanwhile is found.
    registry
        A registry that does not answer.
    mount
        A volume that cannot be attached or mounted.
    settle
        An object that was created with a Job may be seen a moment after it.
    ready
        A container that runs and is not ready.
    schedule
        A pod that fits on no node; None to wait forever.
    """

    image: float = 300.0
    registry: float = 300.0
    mount: float = 300.0
    settle: float = 5.0
    ready: float = 15.0
    schedule: float | None = None
