"""The limits of the extension; the traits of :class:`kfnb.server.extension.Kfnb` set them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a request may cost.

    Parameters
    ----------
    notebook_bytes
        Largest notebook that is read.
    message_bytes
        Largest request, and largest message of a page.
    channels
        Most channels of one socket.
    read_cpu_seconds, read_memory_bytes
        What reading a notebook may take; the process that reads is killed after that.
    call_seconds
        How long anything else may take, such as the answer of a cluster.
    """

    notebook_bytes: int = 16_000_000
    message_bytes: int = 1_000_000
    channels: int = 32
    read_cpu_seconds: int = 10
    read_memory_bytes: int = 4_000_000_000
    call_seconds: float = 60.0
