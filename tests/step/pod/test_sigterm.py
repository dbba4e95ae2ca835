"""How a pod ends when Kubernetes stops it."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from kfnb.errors import InfrastructureError
from kfnb.step.pod.retry import Retries
from kfnb.step.pod.sigterm import TerminationHandler, TerminationRequested


def test_who_is_asked_to_end_has_no_patience_any_more():
    patience = Retries(3600)
    threading.Timer(0.3, lambda: patience.end_by(time.monotonic())).start()

    def act():
        raise InfrastructureError("away")

    with pytest.raises(InfrastructureError):
        patience(act)


def test_being_asked_to_end_is_an_exception_only_while_nothing_executes():
    ending = TerminationHandler(Retries(1))
    with ending.handled():
        with pytest.raises(TerminationRequested), ending.by_exception():
            signal.raise_signal(signal.SIGTERM)
        assert ending.requested
        signal.raise_signal(signal.SIGTERM)  # what is being taken away is taken away
        with pytest.raises(TerminationRequested), ending.by_exception():
            pass
