"""Options that say where on a cluster a run executes, and how."""

from __future__ import annotations

from typing import Any

import click

_OPTIONS = (
    ("--context", "NAME", "The kubeconfig's context [default: the current one]."),
    ("--namespace", "NAME", "The namespace [default: the context's]."),
    ("--image", "NAME", "The image that steps execute in, unless they say so themselves."),
    ("--image-pull-policy", "POLICY", "Always, IfNotPresent or Never."),
    ("--store", "ADDRESS", "Where values are kept: s3://BUCKET/PREFIX or pvc:CLAIM[/PATH]."),
    ("--store-endpoint", "URL", "The object store's address for pods."),
    ("--store-client-endpoint", "URL", "The object store's address for this machine."),
    ("--store-secret", "NAME", "The Secret with the AWS_* variables of pods."),
    ("--service-account", "NAME", "The service account of the steps' pods."),
)


def with_target(command: Any) -> Any:
    """Give a command the options of the target ``kubernetes``."""
    for name, metavar, text in reversed(_OPTIONS):
        command = click.option(name, metavar=metavar, help=f"Kubernetes: {text}")(command)
    return command


def target_options(said: dict[str, Any]) -> dict[str, Any]:
    """Take the target's options out of a command's."""
    names = [name.removeprefix("--").replace("-", "_") for name, _, _ in _OPTIONS]
    return {name: said.pop(name) for name in names if name in said}
