"""Where and how a run executes on a cluster: said by flags, the notebook, or a person's file."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError
from kfnb.pipeline import Pipeline, from_plain, to_plain

TARGET = "kubernetes"


@dataclass(frozen=True, slots=True)
class Target:
    """A workspace, an image and a store; everything else has a default.

    ``store`` is ``s3://BUCKET/PREFIX`` or ``pvc:CLAIM[/PATH]``; ``store_endpoint`` is what
    pods use, ``store_client_endpoint`` what this machine uses (``service:NAME:PORT``
    is reached through the API server). ``storage_class``, ``storage_size`` and
    ``storage_access`` are those of a claim that is made. ``store_secret`` names a Secret
    with the pods' ``AWS_*`` variables. Tolerations, affinity and security context are as in a
    pod's specification. ``driver`` says where the driver is: ``cluster``, ``here``, or ``auto``
    (in the cluster where its service account is). ``ttl`` is how many seconds a Job stays after
    its end. ``steps`` has
    what differs for single steps, by their names: see :data:`STEP_OPTIONS`.
    """

    context: str | None = None
    namespace: str | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    store: str | None = None
    store_endpoint: str | None = None
    store_client_endpoint: str | None = None
    store_secret: str | None = None
    storage_class: str | None = None
    storage_size: str = "10Gi"
    storage_access: str = "ReadWriteMany"
    service_account: str | None = None
    driver_service_account: str = "kfnb-driver"
    driver: str = "auto"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Any, ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    priority_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    ttl: int = 86_400
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def for_step(self, step: str) -> Target:
        """Return the target as it is for one step: tables are added to, all else replaced."""
        own = self.steps.get(step)
        if not own:
            return self
        named = {key.replace("-", "_"): value for key, value in own.items()}
        return Target.from_plain(
            {**self.plain(), **{k: _added(k, getattr(self, k), v) for k, v in named.items()}}
        )

    @property
    def where(self) -> str:
        """The flags that name this workspace, for lines that a person may type."""
        pairs = (("--context", self.context), ("--namespace", self.namespace))
        flags = [f"{flag} {shlex.quote(name)}" for flag, name in pairs if name is not None]
        return " ".join(["--on kubernetes", *flags])

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(to_plain(self))

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Target:
        """Read the JSON values of a target."""
        target: Target = from_plain(Target, dict(plain))
        return target


OPTIONS = frozenset(f.name for f in dataclasses.fields(Target))
"""What can be said of a target."""

STEP_OPTIONS = frozenset(
    ("service_account", "node_selector", "tolerations", "affinity", "priority_class", "labels")
) | {"annotations", "image_pull_secrets", "image_pull_policy", "security_context"}
"""What of it can be said of one step; its image, resources and variables are its own options."""


def target_of(
    pipeline: Pipeline | None, options_of_call: Mapping[str, Any], *, config: Path | None = None
) -> Target:
    """Put together what flags, the notebook's metadata and the person's file say, in this order.

    Parameters
    ----------
    said
        What was said for this run, by option; None: not said.
    config
        The file, instead of ``KFNB_CONFIG`` or ``kfnb/config.toml`` in the user's folder.

    Raises
    ------
    UsageError
        If there is no such option, or a value does not fit.
    """
    values: dict[str, Any] = {}
    path = config or config_file()
    sources = [
        (str(path), read_config(path)),
        ("the notebook's metadata", dict((pipeline.targets if pipeline else {}).get(TARGET) or {})),
        ("the call", {k: v for k, v in options_of_call.items() if v not in (None, (), {})}),
    ]
    for where, options in sources:
        for key, value in options.items():
            name = _known(key, OPTIONS, where)
            values[name] = _added(name, values.get(name), _fitting(name, value, where))
        if pipeline is not None and options is sources[1][1]:
            _check_steps(pipeline, options.get("steps") or {}, where)
    return Target.from_plain(values)


def config_file() -> Path:
    """Return the path of the person's own file, whether or not it is there."""
    configured = os.environ.get("KFNB_CONFIG")
    if configured:
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("kfnb")) / "config.toml"


def read_config(path: Path) -> dict[str, Any]:
    """Read the table ``[kubernetes]`` of a file; empty where there is none.

    Raises
    ------
    UsageError
        If the file is no TOML.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(text.decode()).get(TARGET) or {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}.") from error
    return dict(table)


_LISTS = {"image_pull_secrets", "tolerations", "files"}
_TABLES = {"node_selector", "affinity", "labels", "annotations", "security_context", "steps"}
_TEXTS = {"node_selector", "labels", "annotations"}
_ADDED = {"node_selector", "labels", "annotations", "security_context", "steps"}
_CHOICES = {
    "driver": ("auto", "cluster", "here"),
    "storage_access": ("ReadWriteMany", "ReadWriteOnce"),
    "image_pull_policy": ("Always", "IfNotPresent", "Never"),
}
# As Kubernetes wants them:
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_PREFIX = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
_KEY = re.compile(_PREFIX + r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")

_NAME = r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?"
_NAMED = (_NAME, "a name of Kubernetes: small letters, digits and -")
_URL = r"https?://\S+"
# What is said wrong here is told before anything starts.
_FORMS = {
    "namespace": (r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", _NAMED[1]),
    "store": (
        rf"s3://[^/\s]+(/.*)?|pvc:{_NAME}(/.*)?",
        "s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]",
    ),
    "store_endpoint": (_URL, "the URL of an object store"),
    "store_client_endpoint": (
        rf"{_URL}|service:{_NAME}:\d+",
        "the URL of an object store, or service:NAME:PORT",
    ),
    "storage_size": (r"\d+(\.\d+)?([kMGTPE]|[KMGTPE]i)?", "a size such as 10Gi"),
    "store_secret": _NAMED,
    "storage_class": _NAMED,
    "service_account": _NAMED,
    "driver_service_account": _NAMED,
    "priority_class": _NAMED,
}


def _fitting(name: str, value: Any, where: str) -> Any:
    if name in _LISTS:
        inner = Mapping if name == "tolerations" else str
        good = isinstance(value, (list, tuple)) and all(isinstance(one, inner) for one in value)
    elif name in _TABLES:
        good = isinstance(value, Mapping)
    elif name == "ttl":
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    else:
        good = isinstance(value, str) and bool(value)
    if not good:
        kind = "a list" if name in _LISTS else "a table" if name in _TABLES else "a text"
        kind = {"ttl": "a number of seconds", "tolerations": "a list of tables"}.get(name, kind)
        raise UsageError(f"{where}: {name} must be {kind}, not {value!r}.")
    if value not in _CHOICES.get(name, (value,)):
        raise UsageError(f"{where}: {name} is {', '.join(_CHOICES[name])}; not {value!r}.")
    form, wanted = _FORMS.get(name, ("", ""))
    if form and not re.fullmatch(form, value):
        raise UsageError(f"{where}: {name} is {wanted}; not {value!r}.")
    if name in _TEXTS:
        check_labels(value, f"{where}: {name}", values=name != "annotations")
    if name == "steps":
        return {step: _of_step(step, own, where) for step, own in value.items()}
    return value


def check_labels(labels: Mapping[str, Any], where: str, *, values: bool = True) -> None:
    """Refuse what the API server would: a key, or (if ``values``) a value, that is none.

    Raises
    ------
    UsageError
        With what is wrong, and what may stand there.
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


def _of_step(step: str, own: Any, where: str) -> dict[str, Any]:
    where_of_step = f'{where}, step "{step}"'
    if not isinstance(own, Mapping):
        raise UsageError(f"{where_of_step}: this must be a table, not {own!r}.")
    names = {key: _known(key, STEP_OPTIONS, where_of_step) for key in own}
    return {names[key]: _fitting(names[key], value, where_of_step) for key, value in own.items()}


def _known(key: str, options: frozenset[str], where: str) -> str:
    name = key.replace("-", "_")
    if name not in options:
        raise UsageError(
            f'{where} has an option "{key}" for Kubernetes, which does not exist. '
            f"There are: {', '.join(sorted(options))}."
        )
    return name


def _check_steps(pipeline: Pipeline, steps: Mapping[str, Any], where: str) -> None:
    for step in steps:
        if step not in pipeline.steps:
            listed = ", ".join(f'"{name}"' for name in pipeline.steps)
            raise UsageError(f'{where} says something of a step "{step}". There are: {listed}.')


def _added(name: str, before: Any, value: Any) -> Any:
    """Return a table with what is said in addition; anything else as it is said."""
    if name == "steps":
        both = {**(before or {}), **value}
        return {step: {**(before or {}).get(step, {}), **value.get(step, {})} for step in both}
    return {**(before or {}), **value} if name in _ADDED else value
