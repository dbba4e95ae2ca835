"""The options of the target ``kubernetes``: a workspace, an image, a store, and details of pods."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError
from kfnb.json_values import from_plain, to_plain
from kfnb.pipeline import Pipeline
from kfnb.runners.options import collect, merge_value, option, options_of

TARGET = "kubernetes"
TITLE = "Kubernetes"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_PREFIX = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
_KEY = re.compile(_PREFIX + r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME = r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?"
_NAME_FORM = "a name in Kubernetes, which has lower-case letters, digits and -"
_URL = r"https?://\S+"
_EFFECTS = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")


def check_labels(labels: Mapping[str, Any], where: str, *, values: bool = True) -> None:
    """Refuse labels or annotations that the API server would refuse.

    Parameters
    ----------
    where
        Where they were written, for the message.
    values
        Whether values must have the form of a label's; an annotation's may be any text.

    Raises
    ------
    UsageError
        With what is wrong, and what is allowed.
    """
    for key, value in labels.items():
        prefix, _, word = key.rpartition("/")
        if not _KEY.fullmatch(key) or len(prefix) > 253 or not word:
            raise UsageError(
                f"{where}: {key!r} cannot be a key in Kubernetes. It has up to 63 letters, digits, "
                "-, _ and . between letters or digits; a domain and / may stand before it."
            )
        if not isinstance(value, str) or (values and not _LABEL.fullmatch(value)):
            more = " of up to 63 letters, digits, -, _ and ." if values else ""
            raise UsageError(f"{where}: the value of {key} must be a text{more}, not {value!r}.")


def check_annotations(annotations: Mapping[str, Any], where: str) -> None:
    """Refuse annotations that the API server would refuse; raises UsageError."""
    check_labels(annotations, where, values=False)


def read_toleration(text: str) -> dict[str, str]:
    """Read a toleration written as ``kubectl taint`` writes a taint; raises ValueError.

    >>> read_toleration("gpu=yes:NoSchedule")
    {'key': 'gpu', 'operator': 'Equal', 'value': 'yes', 'effect': 'NoSchedule'}
    >>> read_toleration("spot")
    {'key': 'spot', 'operator': 'Exists'}
    """
    taint, _, effect = text.partition(":")
    key, sign, value = taint.partition("=")
    if not key or effect not in _EFFECTS:
        raise ValueError(
            "expects KEY[=VALUE][:EFFECT] with NoSchedule, PreferNoSchedule or NoExecute, "
            f"not {text!r}"
        )
    toleration = {"key": key, "operator": "Equal" if sign else "Exists"}
    if sign:
        toleration["value"] = value
    return {**toleration, "effect": effect} if effect else toleration


def write_toleration(toleration: Mapping[str, Any]) -> str | None:
    """Write what :func:`read_toleration` reads; None if the flag cannot express it."""
    text = str(toleration.get("key") or "")
    text += f"={toleration['value']}" if "value" in toleration else ""
    text += f":{toleration['effect']}" if "effect" in toleration else ""
    try:
        return text if read_toleration(text) == dict(toleration) else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Everything that can be configured about runs in a workspace.

    ``steps`` has what differs for single steps, by their names. Tolerations, affinity and security
    context are as in a pod's specification.
    """

    context: str | None = option(
        None,
        flag="--context",
        metavar="NAME",
        help="The kubeconfig's context [default: the current one].",
        locates_store=True,
    )
    namespace: str | None = option(
        None,
        flag="--namespace",
        metavar="NAME",
        help="The namespace [default: the context's].",
        pattern=r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        form=_NAME_FORM,
        locates_store=True,
    )
    image: str | None = option(
        None,
        flag="--image",
        metavar="NAME",
        help="The image that steps execute in, unless a step names its own.",
    )
    image_pull_policy: str | None = option(
        None,
        flag="--image-pull-policy",
        metavar="POLICY",
        help="Always, IfNotPresent or Never.",
        choices=("Always", "IfNotPresent", "Never"),
        per_step=True,
    )
    store: str | None = option(
        None,
        flag="--store",
        metavar="ADDRESS",
        help="The store of values: s3://BUCKET/PREFIX or pvc:CLAIM[/PATH].",
        pattern=rf"s3://[^/\s]+(/.*)?|pvc:{_NAME}(/.*)?",
        form="s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]",
        locates_store=True,
    )
    store_endpoint: str | None = option(
        None,
        flag="--store-endpoint",
        metavar="URL",
        help="The object store's address for pods.",
        pattern=_URL,
        form="the URL of an object store",
        locates_store=True,
    )
    store_client_endpoint: str | None = option(
        None,
        flag="--store-client-endpoint",
        metavar="URL",
        help="The object store's address for this machine, or service:NAME:PORT for one in the "
        "cluster.",
        pattern=rf"{_URL}|service:{_NAME}:\d+",
        form="the URL of an object store, or service:NAME:PORT",
        locates_store=True,
    )
    store_secret: str | None = option(
        None,
        flag="--store-secret",
        metavar="NAME",
        help="The Secret with the AWS_* variables of pods.",
        pattern=_NAME,
        form=_NAME_FORM,
    )
    storage_class: str | None = option(
        None,
        flag="--storage-class",
        metavar="NAME",
        help="The storage class of a claim that kfnb creates for the store.",
        pattern=_NAME,
        form=_NAME_FORM,
    )
    storage_size: str = option(
        "10Gi",
        flag="--storage-size",
        metavar="SIZE",
        help="The size of a claim that kfnb creates for the store [10Gi].",
        pattern=r"\d+(\.\d+)?([kMGTPE]|[KMGTPE]i)?",
        form="a size such as 10Gi",
    )
    storage_access: str = option(
        "ReadWriteMany",
        flag="--storage-access",
        metavar="MODE",
        help="The access mode of a claim that kfnb creates for the store [ReadWriteMany]; with "
        "ReadWriteOnce, all pods share one node.",
        choices=("ReadWriteMany", "ReadWriteOnce"),
    )
    service_account: str | None = option(
        None,
        flag="--service-account",
        metavar="NAME",
        help="The service account of the steps' pods.",
        pattern=_NAME,
        form=_NAME_FORM,
        per_step=True,
    )
    driver: str = option(
        "auto",
        flag="--driver",
        metavar="WHERE",
        help="Where the run's driver runs: cluster, here, or auto: in the cluster if its service "
        "account exists [auto].",
        choices=("auto", "cluster", "here"),
    )
    driver_service_account: str = option(
        "kfnb-driver",
        flag="--driver-service-account",
        metavar="NAME",
        help="The drivers' service account [kfnb-driver].",
        pattern=_NAME,
        form=_NAME_FORM,
    )
    priority_class: str | None = option(
        None,
        flag="--priority-class",
        metavar="NAME",
        help="The priority class of the steps' pods.",
        pattern=_NAME,
        form=_NAME_FORM,
        per_step=True,
    )
    node_selector: Mapping[str, str] = option(
        factory=dict,
        flag="--node-selector",
        help="Use only nodes with this label; may be repeated.",
        kind="table",
        check=check_labels,
        adds=True,
        per_step=True,
    )
    labels: Mapping[str, str] = option(
        factory=dict,
        flag="--label",
        help="A label of the steps' Jobs and pods; may be repeated.",
        kind="table",
        check=check_labels,
        adds=True,
        per_step=True,
    )
    annotations: Mapping[str, str] = option(
        factory=dict,
        flag="--annotation",
        help="An annotation of the steps' Jobs and pods; may be repeated.",
        kind="table",
        check=check_annotations,
        adds=True,
        per_step=True,
    )
    image_pull_secrets: tuple[str, ...] = option(
        (),
        flag="--image-pull-secret",
        metavar="NAME",
        help="The Secret with the credentials for the image's registry; may be repeated.",
        kind="list",
        per_step=True,
    )
    tolerations: tuple[Any, ...] = option(
        (),
        flag="--toleration",
        metavar="KEY[=VALUE][:EFFECT]",
        help="A taint that the steps' pods tolerate; may be repeated.",
        kind="list",
        items=Mapping,
        wanted="a list of tables",
        per_step=True,
        read=read_toleration,
        write=write_toleration,
    )
    # These have no flag: they are nested objects, which nobody wants to type on a command line.
    affinity: Mapping[str, Any] = option(factory=dict, kind="table", per_step=True)
    security_context: Mapping[str, Any] = option(
        factory=dict, kind="table", adds=True, per_step=True
    )
    files: tuple[str, ...] = option((), kind="list")
    ttl: int = option(86_400, kind="number", wanted="a number of seconds")
    steps: Mapping[str, Mapping[str, Any]] = option(factory=dict, kind="table", adds=True)

    def for_step(self, step: str) -> KubernetesOptions:
        """Return the options as they are for one step."""
        # A configuration file may write the names of options with hyphens.
        own = {key.replace("-", "_"): value for key, value in self.steps.get(step, {}).items()}
        if not own:
            return self
        known = options_of(KubernetesOptions)
        changed = {
            name: merge_value(known[name], name, getattr(self, name), value)
            for name, value in own.items()
        }
        return KubernetesOptions.from_plain({**self.plain(), **changed})

    @property
    def flags(self) -> str:
        """The flags that name this workspace, for commands that a person may type."""
        pairs = (("--context", self.context), ("--namespace", self.namespace))
        flags = [f"{flag} {shlex.quote(name)}" for flag, name in pairs if name is not None]
        return " ".join(["--on kubernetes", *flags])

    def plain(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return dict(to_plain(self))

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> KubernetesOptions:
        """Read options that :meth:`plain` wrote."""
        options: KubernetesOptions = from_plain(KubernetesOptions, dict(plain))
        return options

    @staticmethod
    def of_run(facts: Mapping[str, Any]) -> KubernetesOptions:
        """Read the options of a run from the content of its ``run.json``."""
        return KubernetesOptions.from_plain(facts.get(TARGET) or {})


def collect_options(
    pipeline: Pipeline | None, call: Mapping[str, Any], *, config: Path | None = None
) -> KubernetesOptions:
    """Merge what the configuration file, the notebook and the call say.

    Parameters
    ----------
    call
        Options of this call, by name; None for those that were not given.
    config
        The file, instead of :func:`~kfnb.runners.options.config_file`.

    Raises
    ------
    UsageError
        If an option does not exist, or a value does not fit.
    """
    options: KubernetesOptions = collect(
        KubernetesOptions,
        target=TARGET,
        title=TITLE,
        pipeline=pipeline,
        call=call,
        config=config,
    )
    return options
