"""Options that only a cluster supports: a local run warns about them once, and ignores them."""

from __future__ import annotations

from collections.abc import Iterator

from kfnb.pipeline import Diagnostic, Options, Pipeline

CODE = "KFNB-W501"
_LOCAL_LIMITS = {"cpu", "memory"}


def options_without_effect(pipeline: Pipeline) -> list[Diagnostic]:
    """Return at most one warning that lists what this machine does not do."""
    # Grouped by option, so that a notebook with many steps gets one short warning.
    ignored: dict[str, list[str]] = {}
    for what in _unsupported(pipeline.defaults):
        ignored.setdefault(what, []).append("every step")
    for step in pipeline.steps.values():
        for what in _unsupported(step.options):
            ignored.setdefault(what, []).append(f'"{step.name}"')
    for volume in pipeline.volumes:
        ignored.setdefault("volumes", []).append(f'"{volume.name}"')
    if not ignored:
        return []
    listed = "; ".join(f"{what} ({', '.join(of)})" for what, of in sorted(ignored.items()))
    return [
        Diagnostic(
            code=CODE,
            severity="warning",
            message=f"on this machine these options have no effect: {listed}",
            remedy="They apply with --on kubernetes.",
        )
    ]


def _unsupported(options: Options) -> Iterator[str]:
    if options.image:
        yield "image"
    if options.gpu:
        yield "gpu"
    if set(options.limits) - _LOCAL_LIMITS:
        yield "limits"
    if options.secrets:
        yield "secrets"
    if options.labels:
        yield "labels"
    if options.annotations:
        yield "annotations"
