"""Options that say where on a cluster a run executes, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kfnb.pipeline import Pipeline

_OPTIONS = (
    ("--context", "NAME", "The kubeconfig's context [default: the current one]."),
    ("--namespace", "NAME", "The namespace [default: the context's]."),
    ("--image", "NAME", "The image that steps execute in, unless they say so themselves."),
    ("--image-pull-policy", "POLICY", "Always, IfNotPresent or Never."),
    ("--store", "ADDRESS", "Where values are kept: s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]."),
    ("--store-endpoint", "URL", "The object store's address for pods."),
    ("--store-client-endpoint", "URL", "The same for this machine, or service:NAME:PORT there."),
    ("--store-secret", "NAME", "The Secret with the AWS_* variables of pods."),
    ("--storage-class", "NAME", "The class of a claim that is made for the store."),
    ("--storage-size", "SIZE", "The size of a claim that is made for the store [10Gi]."),
    ("--storage-access", "MODE", "Its access mode [ReadWriteMany]; ReadWriteOnce: one node."),
    ("--service-account", "NAME", "The service account of the steps' pods."),
    ("--driver", "WHERE", "What conducts the run: auto, cluster or here [auto]."),
    ("--driver-service-account", "NAME", "The drivers' service account [kfnb-driver]."),
    ("--priority-class", "NAME", "The priority class of the steps' pods."),
)
_PAIRS = (
    ("--node-selector", "node_selector", "Only nodes with this label; may be repeated."),
    ("--label", "labels", "A label of the steps' Jobs and pods; may be repeated."),
    ("--annotation", "annotations", "An annotation of them; may be repeated."),
)
_LISTS = (
    (
        ("--image-pull-secret", "image_pull_secrets", "NAME"),
        "The Secret with the password of the image's registry; may be repeated.",
    ),
    (
        ("--toleration", "tolerations", "KEY[=VALUE][:EFFECT]"),
        "A taint of nodes that steps bear with; may be repeated.",
    ),
)


_STORE = ("--context", "--namespace", "--store", "--store-endpoint", "--store-client-endpoint")


def with_store(command: Any) -> Any:
    """Give a command the options by which a cluster's store is found."""
    for name, metavar, text in reversed([one for one in _OPTIONS if one[0] in _STORE]):
        command = click.option(name, metavar=metavar, help=f"Kubernetes: {text}")(command)
    return command


def with_target(command: Any) -> Any:
    """Give a command the options of the target ``kubernetes``."""
    for (name, field, metavar), text in reversed(_LISTS):
        command = click.option(
            name, field, metavar=metavar, multiple=True, help=f"Kubernetes: {text}"
        )(command)
    for name, field, text in reversed(_PAIRS):
        command = click.option(
            name, field, metavar="KEY=VALUE", multiple=True, help=f"Kubernetes: {text}"
        )(command)
    for name, metavar, text in reversed(_OPTIONS):
        command = click.option(name, metavar=metavar, help=f"Kubernetes: {text}")(command)
    return command


def target_options(said: dict[str, Any]) -> dict[str, Any]:
    """Take the target's options out of a command's.

    Raises
    ------
    click.UsageError
        If one that wants a key and a value has none, or a toleration is none.
    """
    names = [_field(name) for name, _, _ in _OPTIONS]
    found = {name: said.pop(name) for name in names if name in said}
    for flag, field, _ in _PAIRS:
        found[field] = dict(_pair(flag, text) for text in said.pop(field, ()))
    found["image_pull_secrets"] = tuple(said.pop("image_pull_secrets", ()))
    found["tolerations"] = tuple(toleration(text) for text in said.pop("tolerations", ()))
    return found


def target_flags(options: Mapping[str, Any]) -> list[str]:
    """Write options of the target as the words of a command: what :func:`target_options` reads.

    What no flag can say (a caller in Python may have said it) is left out.

    >>> target_flags({"namespace": "a", "labels": {"team": "x"}})
    ['--namespace', 'a', '--label', 'team=x']
    """
    words: list[str] = []
    for name, _, _ in _OPTIONS:
        value = options.get(_field(name))
        words += [name, str(value)] if value else []
    for flag, field, _ in _PAIRS:
        for key, value in dict(options.get(field) or {}).items():
            words += [flag, f"{key}={value}"]
    for secret in options.get("image_pull_secrets") or ():
        words += ["--image-pull-secret", str(secret)]
    for borne in options.get("tolerations") or ():
        text = _taint(borne)
        words += ["--toleration", text] if text else []
    return words


def _taint(borne: Mapping[str, Any]) -> str | None:
    """Write what :func:`toleration` reads; None if it has more than that can say."""
    text = str(borne.get("key") or "")
    text += f"={borne['value']}" if "value" in borne else ""
    text += f":{borne['effect']}" if "effect" in borne else ""
    try:
        return text if toleration(text) == dict(borne) else None
    except click.UsageError:
        return None


def _field(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def echo_objects(
    pipeline: Pipeline, parameters: Mapping[str, Any], *, output: str, **said: Any
) -> None:
    """Print the objects of a run that is not begun, as ``kubectl apply -f -`` reads them."""
    from kfnb.api.launch import objects

    found = objects(
        pipeline,
        parameters,
        target=said["target"],
        target_options=target_options(said),
        timeout=said.get("timeout"),
    )
    whole = {"apiVersion": "v1", "kind": "List", "items": found}
    text = json.dumps(whole, indent=2)
    if output == "yaml":
        import yaml

        # What stands in two places is written twice, not once and referred to.
        text = yaml.safe_dump_all(json.loads(text)["items"], sort_keys=False).rstrip("\n")
    click.echo(text)


def toleration(text: str) -> dict[str, str]:
    """Read a toleration as ``kubectl taint`` writes a taint.

    >>> toleration("gpu=yes:NoSchedule")
    {'key': 'gpu', 'operator': 'Equal', 'value': 'yes', 'effect': 'NoSchedule'}
    >>> toleration("spot")
    {'key': 'spot', 'operator': 'Exists'}
    """
    said, _, effect = text.partition(":")
    key, sign, value = said.partition("=")
    if not key or effect not in ("", "NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise click.UsageError(
            f"--toleration wants KEY[=VALUE][:EFFECT] with NoSchedule, PreferNoSchedule or "
            f"NoExecute, not {text!r}",
            click.get_current_context(silent=True),
        )
    found = {"key": key, "operator": "Equal" if sign else "Exists"}
    if sign:
        found["value"] = value
    return {**found, "effect": effect} if effect else found


def _pair(flag: str, text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        context = click.get_current_context(silent=True)
        raise click.UsageError(f"{flag} wants KEY=VALUE, not {text!r}", context)
    return key, value
