"""``kfnb run --dry-run``: the objects of a run that is not started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from kfnb.commands.target_options import take_target_options
from kfnb.pipeline import Pipeline


def print_objects(
    pipeline: Pipeline, parameters: Mapping[str, Any], *, output: str, **given: Any
) -> None:
    """Print the objects that a run would create, as ``kubectl apply -f -`` reads them."""
    from kfnb.api.launch import objects

    items = objects(
        pipeline,
        parameters,
        target=given["target"],
        target_options=take_target_options(given),
        timeout=given.get("timeout"),
    )
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2)
    if output == "yaml":
        import yaml

        # Through JSON, so that equal parts are written out each time instead of as YAML aliases.
        text = yaml.safe_dump_all(json.loads(text)["items"], sort_keys=False).rstrip("\n")
    click.echo(text)
