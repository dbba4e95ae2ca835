"""Where and how a run executes on a cluster: said by flags, the notebook, or a person's file."""

from __future__ import annotations

import dataclasses
import os
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
    pods use, ``store_client_endpoint`` what this machine uses. ``store_secret`` names a Secret
    with the pods' ``AWS_*`` variables. Tolerations, affinity and security context are as in a
    pod's specification. ``ttl`` is how many seconds a Job stays after its end.
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
    service_account: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Any, ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    priority_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    ttl: int = 86_400

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


def target_of(
    pipeline: Pipeline | None, said: Mapping[str, Any], *, config: Path | None = None
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
    found: dict[str, Any] = {}
    path = config or config_file()
    sources = [
        (str(path), read_config(path)),
        ("the notebook's metadata", dict((pipeline.targets if pipeline else {}).get(TARGET) or {})),
        ("the call", {k: v for k, v in said.items() if v not in (None, (), {})}),
    ]
    for where, options in sources:
        for key, value in options.items():
            name = key.replace("-", "_")
            if name not in OPTIONS:
                raise UsageError(
                    f'{where} has an option "{key}" for Kubernetes, which does not exist. '
                    f"There are: {', '.join(sorted(OPTIONS))}."
                )
            found[name] = _fitting(name, value, where)
    return Target.from_plain(found)


def config_file() -> Path:
    """Return the path of the person's own file, whether or not it is there."""
    said = os.environ.get("KFNB_CONFIG")
    if said:
        return Path(said).expanduser()
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
_TABLES = {"node_selector", "affinity", "labels", "annotations", "security_context"}


def _fitting(name: str, value: Any, where: str) -> Any:
    if name in _LISTS:
        good = isinstance(value, (list, tuple))
    elif name in _TABLES:
        good = isinstance(value, Mapping)
    elif name == "ttl":
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    else:
        good = isinstance(value, str) and bool(value)
    if not good:
        kind = "a list" if name in _LISTS else "a table" if name in _TABLES else "a text"
        raise UsageError(f"{where}: {name} must be {kind}, not {value!r}.")
    return value
