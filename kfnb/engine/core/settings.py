"""Limits, retries and policies of a run. They are in the journal, so that a replay has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for a run as a whole; steps override ``retries``, ``timeout`` and ``cache``.

    ``RunCreated`` carries them whole, ``RunResumed`` the fields that differ from then on.

    Parameters
    ----------
    parallel
        Attempts that may execute at once.
    retries
        Of a step without ``retries``; None: the notebook's default, else 0.
    timeout
        Seconds, of a step without ``timeout``; None: the notebook's default, else no limit.
    timeout_grace
        Seconds that an attempt has beyond its timeout to end by itself (the step's own process
        enforces the timeout from its first cell; the engine is the backstop).
    backoff, backoff_cap
        Seconds before the first retry, doubled before each further one, and the most that is
        waited.
    infrastructure_retries
        Extra attempts after failures that are not the step's own.
    on_failure
        ``finish``: steps that do not depend on the failed step continue. ``stop``: no step does.
    on_mutation
        What happens when a step changed a value after a reader had begun with the old one.
    cache
        Whether entries of the cache may be used at all.
    overwrite_files
        Whether a step's version of a file replaces one that a person changed since.
    force
        Names of steps for which they may not (``--from STEP``: see :meth:`Plan.downstream`).
    """

    parallel: int = 1
    retries: int | None = None
    timeout: float | None = None
    timeout_grace: float = 30.0
    backoff: float = 1.0
    backoff_cap: float = 60.0
    infrastructure_retries: int = 5
    on_failure: Literal["finish", "stop"] = "finish"
    on_mutation: Literal["fail", "warn"] = "fail"
    cache: bool = True
    overwrite_files: bool = False
    force: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**plain, "force": list(self.force)}

    def changed(self, plain: Mapping[str, Any]) -> Settings:
        """Return settings with the fields of ``plain`` replaced; unknown fields are ignored."""
        known = {f.name for f in dataclasses.fields(self)}
        fields = {k: v for k, v in plain.items() if k in known}
        if "force" in fields:
            # JSON has only lists.
            fields["force"] = tuple(fields["force"])
        return dataclasses.replace(self, **fields)
