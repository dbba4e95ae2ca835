"""Estimates the cluster's clock from the timestamps of recent changes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfnb.runners.kubernetes.explain.reading import moment

_SAMPLES = 64


class ClusterClock:
    """The cluster's clock, as far as it can be known here.

    A watch reports a change a moment after it was made, so the change's timestamp shows the
    cluster's time. Of the last changes, the one that was reported fastest counts. Before any
    change, the clocks are assumed to agree.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ahead: deque[float] = deque(maxlen=_SAMPLES)

    def observe(self, item: Mapping[str, Any]) -> None:
        """Use a change that a watch reported just now."""
        newest = max(_stamps(item), default=None)
        if newest is not None:
            self._ahead.append(self._clock() - newest)

    def now(self) -> float:
        """Return the seconds since the epoch, by the cluster's clock."""
        # The delay of a report makes a change look older, so the smallest difference has the least
        # of it.
        ahead = min(self._ahead, default=0.0)
        # Timestamps are whole seconds, so a difference below two seconds means nothing.
        return self._clock() - (ahead if abs(ahead) > 2 else 0.0)


def _stamps(item: Mapping[str, Any]) -> Iterator[float]:
    metadata = item.get("metadata") or {}
    # A change does not alter the creation time, but the fields' manager records when it was made.
    texts = [
        metadata.get("creationTimestamp"),
        *(entry.get("time") for entry in metadata.get("managedFields") or ()),
    ]
    for text in texts:
        stamp = moment(text)
        if stamp is not None:
            yield stamp
