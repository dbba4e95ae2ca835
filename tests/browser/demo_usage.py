"""What the processes of the demo use: memory and cores, seen from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from tests.browser.demo_image import Image


@dataclass
class Usage:
    """The most memory that all processes of the demo had together, in bytes, and their cores.

    Memory that several processes share counts once, as for the limit of a container.
    """

    image: Image
    peak: int = 0
    cores: set[int] = field(default_factory=set)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look several times a second as long as the block runs."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.3):
                self._look()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _look(self) -> None:
        total = 0
        for process in self.image.processes():
            try:
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.rss)
                if hasattr(process, "cpu_affinity"):
                    self.cores.add(len(process.cpu_affinity()))
            except psutil.Error:  # it has ended meanwhile
                continue
        self.peak = max(self.peak, total)
