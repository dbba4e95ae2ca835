"""Creates the Job of an attempt, also if the API server is unavailable for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kfnb.errors import InfrastructureError, UsageError
from kfnb.runners.kubernetes.api.client_protocol import status_of
from kfnb.runners.kubernetes.watch.job_predicates import is_same

Object = Mapping[str, Any]

LONGEST_OUTAGE = 180.0
"""Seconds for which an API server may be unavailable before an attempt fails because of it."""

# The server restarts, is overloaded, or cannot be reached.
_UNAVAILABLE = {None, 429, 502, 503, 504}


class WriteClient(Protocol):
    """The writing half of a cluster's client.

    Errors as in :class:`~kfnb.runners.kubernetes.api.client_protocol.ReadClient`.
    """

    def create(self, kind: str, body: Object) -> Object:
        """Create an object; the status 409 means that one of its name exists."""

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> None:
        """Delete an object and what it owns, unless it is gone or has another UID."""


@dataclass(slots=True)
class JobCreation:
    """The creation of an attempt's Job, which can be tried again.

    Parameters
    ----------
    body
        The Job.
    run
        The run's ID.
    may_be_orphan
        Whether the run's ConfigMap, which owns the Job, may have been deleted by now.
    """

    client: WriteClient
    body: Object
    run: str
    may_be_orphan: bool
    trouble: str = ""
    """Why the API server has not created the Job yet."""
    _began: float = field(default_factory=time.monotonic)

    def create(self) -> Object | None:
        """Return the Job, created now or before; None if the API server is unavailable.

        Raises
        ------
        InfrastructureError
            If the API server has been unavailable for too long, or refuses for now.
        UsageError
            If the cluster will never accept the Job, or another object has its name.
        """
        try:
            if self.may_be_orphan:
                self._check_owner()
            try:
                return self.client.create("Job", self.body)
            except InfrastructureError as error:
                return self._refused(error)
        except InfrastructureError as error:
            passing = getattr(error, "passing", False) and status_of(error) in _UNAVAILABLE
            if not passing or time.monotonic() - self._began >= LONGEST_OUTAGE:
                raise
            self.trouble = str(error)
            return None

    def find(self) -> Object | None:
        """Return the Job if it exists, because the reply to its creation was lost."""
        job = self.client.get("Job", self.body["metadata"]["name"])
        return job if job is not None and is_same(job, self.body) else None

    def _check_owner(self) -> None:
        """Refuse to create a Job whose owner was deleted: the cluster would remove it at once."""
        for owner in self.body["metadata"].get("ownerReferences") or ():
            existing = self.client.get(owner["kind"], owner["name"])
            if existing is None or existing["metadata"].get("uid") != owner["uid"]:
                raise UsageError(
                    f"Somebody deleted the run's {owner['kind']} {owner['name']}, and with it "
                    f"everything that the run had in the cluster. kfnb resume {self.run} "
                    "continues the run."
                )

    def _refused(self, error: InfrastructureError) -> Object:
        """Handle a refused creation; return the Job if it exists nevertheless."""
        name = self.body["metadata"]["name"]
        status = status_of(error)
        if status == 409:
            existing = self.find()
            if existing is not None:
                return existing
            raise UsageError(
                f'The namespace has a Job "{name}" that does not belong to this run. '
                f"Delete it (kubectl delete job {name}), or rename the pipeline."
            ) from error
        # The same Job would be rejected again.
        if status in (400, 403, 422):
            raise UsageError(f"The cluster rejected the step's Job: {error}") from error
        raise error
