"""What a diagnosis says, and how long each kind of trouble is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from kfnb.store.manifest import FailureClass

Level = Literal["waiting", "failing", "failed"]
"""``waiting``: nothing is wrong that time does not mend. ``failing``: it fails unless
somebody does something soon. ``failed``: it will not succeed any more; end the attempt."""


class Category(str, Enum):
    """The kinds of trouble. The values are stable: they are kept in journals."""

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
        One sentence; the same as long as nothing changes, so that it is said once.
    detail
        Kubernetes' own words.
    remedy
        What a person may do: a command, or an option of kfnb.
    permanent
        Another attempt would end the same way.
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
    """Seconds that Kubernetes gets to overcome each kind of trouble by itself.

    Parameters
    ----------
    image
        An image that is not there, or that the registry does not give: it may be on its way.
    registry
        A registry that does not answer.
    mount
        A volume that cannot be attached or mounted.
    settle
        What is made together with a Job may be seen a moment after it.
    ready
        A container that runs and is not ready, before that is said.
    schedule
        A pod that no node takes; None waits for ever.
    """

    image: float = 60.0
    registry: float = 300.0
    mount: float = 300.0
    settle: float = 5.0
    ready: float = 15.0
    schedule: float | None = None
