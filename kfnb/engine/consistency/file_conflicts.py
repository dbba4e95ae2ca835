"""Files that steps read and wrote, and which steps saw the wrong content.

A step's time is what lies between two events, so "before" is certain and "at the
same time" may be too careful. Writes are found by comparing listings of the folder,
so a step may be thought to have written what a step beside it wrote; equal content
settles such doubts. What a failed attempt wrote is not known, except that a later reader finds
content that no step left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kfnb.engine.consistency.findings import (
    Finding,
    NewEdge,
    StaleStep,
    UnplannedEffect,
    file_by_luck,
    file_content_gone,
    file_overwritten,
    file_too_early,
    file_written_twice,
)
from kfnb.engine.core.event_types import StepSucceeded


@dataclass(frozen=True, slots=True)
class Use:
    """A step (position) used a file between two events; ``hash`` of the content, if known.

    ``first`` is when its first attempt began: one that failed may have written, too.
    """

    step: int
    first: int
    start: int
    end: int
    hash: str | None


class FileConflicts:
    """Which step read and wrote which file, by path.

    Parameters
    ----------
    name
        A step's name, for the sentences.
    depends
        Whether the first step waits for the second, directly or through others.
    """

    def __init__(self, name: Callable[[int], str], depends: Callable[[int, int], bool]) -> None:
        self._name = name
        self._depends = depends
        self._reads: dict[str, dict[int, Use]] = {}
        self._writes: dict[str, list[Use]] = {}
        # Of rounds that do not count any more; the file may still have this content.
        self._void_writes: dict[str, list[Use]] = {}
        self._lists: dict[str, dict[int, Use]] = {}
        self._looks: dict[str, dict[int, Use]] = {}
        # Of these, the files that were missing.
        self._missed: set[tuple[int, str]] = set()

    def finish(
        self, n: int, begun: Sequence[int], end: int, result: StepSucceeded
    ) -> list[Finding]:
        """Note the files of a step that has finished and say what follows.

        Parameters
        ----------
        begun, end
            Sequence numbers of the events with which its attempts began, up to the one that
            counts, and with which that one ended.
        result
            Data of ``StepSucceeded`` or ``StepCached``: the files.
        """
        read, wrote = dict(result.files_read), result.files_written
        first, start = min(begun), begun[-1]
        for path, content in wrote.items():
            self._writes.setdefault(path, []).append(Use(n, first, start, end, content))
        findings: list[Finding] = []
        # A path that ends with a slash stands for the names in a folder that the step listed.
        for folder in [path for path in read if path.endswith("/")]:
            del read[folder]
            self._lists.setdefault(folder, {})[n] = Use(n, first, start, end, None)
            for path, writes in self._writes.items():
                if _holds(folder, path):
                    findings += self._listed_before(folder, n, writes)
        for path, there in result.files_looked.items():
            self._looks.setdefault(path, {})[n] = Use(n, first, start, end, None)
            (self._missed.discard if there else self._missed.add)((n, path))
            findings += self._looked_before(path, n, self._writes.get(path, []))
        for path in wrote:
            for reader in self._looks.get(path, {}):
                findings += self._looked_before(path, reader, self._writes[path][-1:])
            for folder, uses in self._lists.items():
                if _holds(folder, path):
                    for reader in uses:
                        findings += self._listed_before(folder, reader, self._writes[path][-1:])
        for path, content in read.items():
            if content is not None and wrote.get(path) == content:
                continue  # It read its own file.
            self._reads.setdefault(path, {})[n] = Use(n, first, start, end, content)
            findings += self._check(path, self._reads[path][n])
        for path in wrote:
            # A reader may have finished before this writer, so both ends trigger the check.
            for use in list(self._reads.get(path, {}).values()):
                if use.step != n:
                    findings += self._check(path, use, writer=n)
            findings += self._collisions(path, n)
        return findings

    def retract(self, n: int) -> None:
        """Forget what a step read: it will read again. What it wrote stays on the disk."""
        for uses in (*self._reads.values(), *self._lists.values(), *self._looks.values()):
            uses.pop(n, None)

    def void(self, n: int) -> None:
        """Forget what a step read; what it wrote does not count, but may still be there."""
        self.retract(n)
        for path, uses in self._writes.items():
            void = [use for use in uses if use.step == n]
            if void:
                self._void_writes.setdefault(path, []).extend(void)
                uses[:] = [use for use in uses if use.step != n]

    def changed_in_place(self, n: int) -> str | None:
        """Return a file that ``n`` would find as it has left it, not as it was before.

        No earlier step of the run wrote it, so no copy of its earlier content exists.
        """
        for path, writes in self._writes.items():
            changed = n in self._reads.get(path, {}) and any(w.step == n for w in writes)
            if changed and not any(w.step < n for w in writes):
                return path
        return None

    def written_since(self, n: int, begun: int) -> Iterator[tuple[int, str]]:
        """List what steps before ``n`` have written since an event: positions and paths."""
        for path, writes in self._writes.items():
            for w in writes:
                if w.step < n and w.end > begun:
                    yield w.step, path

    def _check(self, path: str, use: Use, *, writer: int | None = None) -> Iterator[Finding]:
        """Check one read; of all writers or, when the others are settled, of one alone."""
        writes = self._writes.get(path, [])
        # In the notebook, the reader sees the content that the last writer above it left.
        before = [w for w in writes if w.step < use.step]
        latest = max(before, key=lambda w: (w.step, w.end), default=None)
        right = latest is not None and use.hash is not None and latest.hash == use.hash
        if latest is not None and writer in (None, latest.step):
            yield from self._read_after(path, use, latest, before, right=right)
        if right:
            return
        later = [w for w in writes if w.step > use.step and w.first < use.end]
        for w in later:
            if writer in (None, w.step):
                reader, source = self._name(use.step), self._name(w.step)
                why = f'"{source}" writes the file {path} that "{reader}" reads before'
                yield NewEdge(use.step, w.step, files=(path,), why=why)
                # Only what a step of this run wrote can be restored for the reader.
                repairable = latest is not None and latest.hash is not None
                explanation = file_overwritten(reader, source, path)
                yield StaleStep(use.step, explanation, repairable, tuple(x.step for x in later))
        yield from self._other_content(path, use, latest)

    def _listed_before(self, folder: str, n: int, writes: Sequence[Use]) -> Iterator[Finding]:
        """Find files that a step should have seen in a folder, and may not have."""
        use = self._lists[folder][n]
        for w in writes:
            # Written later in the notebook, or certainly before the listing.
            if w.step >= n or (w.end < use.start and self._depends(n, w.step)):
                continue
            reader, source = self._name(n), self._name(w.step)
            why = f'"{reader}" lists the folder {folder} into which "{source}" writes'
            yield NewEdge(w.step, n, files=(folder,), why=why)
            if w.end < use.start:
                yield UnplannedEffect(n, file_by_luck(reader, source, folder))
            else:
                yield StaleStep(n, file_too_early(reader, source, folder))

    def _looked_before(self, path: str, n: int, writes: Sequence[Use]) -> Iterator[Finding]:
        """Find files that a step looked for, and that were there or not by chance only."""
        use = self._looks[path][n]
        for w in writes:
            in_time = w.end < use.start
            if w.step >= n or w.hash is None or (in_time and self._depends(n, w.step)):
                continue
            missed = (n, path) in self._missed
            if missed and in_time:
                continue  # Somebody has removed it since.
            reader, source = self._name(n), self._name(w.step)
            why = f'"{reader}" looks for the file {path} that "{source}" writes'
            yield NewEdge(w.step, n, files=(path,), why=why)
            if missed:
                yield StaleStep(n, file_too_early(reader, source, path, use="looked for"))
            else:
                yield UnplannedEffect(n, file_by_luck(reader, source, path, use="looked for"))

    def _other_content(self, path: str, use: Use, latest: Use | None) -> Iterator[Finding]:
        """Find a read of something that no order of the notebook explains.

        Executions that were repeated, or that failed after they had written, may have left it.
        """
        if use.hash is None or (latest is not None and latest.hash is None):
            return
        culprit = next(
            (
                w
                for w in (*self._writes.get(path, ()), *self._void_writes.get(path, ()))
                if w.hash == use.hash and w.first < use.end and w is not use
            ),
            None,
        )
        if culprit is not None and culprit.step > use.step and culprit in self._writes[path]:
            return  # A later step has overwritten the file, which _check says.
        if culprit is not None or (latest is not None and latest.end < use.start):
            explanation = file_content_gone(
                self._name(use.step),
                path,
                writer=self._name(latest.step) if latest is not None else None,
                other=self._name(culprit.step) if culprit is not None else None,
            )
            # What a person or another program has written is not undone.
            repairable = latest is not None and culprit is not None
            then: tuple[int, ...] = ()
            if culprit is not None and culprit.step != use.step:
                # Whichever comes first in the notebook has to be executed first.
                first, second = sorted((culprit.step, use.step))
                why = f'"{self._name(culprit.step)}" has written the file {path} before'
                yield NewEdge(first, second, files=(path,), why=why)
                repairable = repairable or first == culprit.step
                then = (second,)
            yield StaleStep(use.step, explanation, repairable, then)

    def _read_after(
        self, path: str, use: Use, latest: Use, before: list[Use], *, right: bool
    ) -> Iterator[Finding]:
        known = [
            w
            for w in before
            if w.end < use.start and w.hash == latest.hash and self._depends(use.step, w.step)
        ]
        # The step waited for one that wrote exactly this content, so timing did not matter.
        if right and known:
            return
        in_time = latest.end < use.start
        if in_time and self._depends(use.step, latest.step):
            return
        reader, source = self._name(use.step), self._name(latest.step)
        why = f'"{reader}" reads the file {path} that "{source}" writes'
        yield NewEdge(latest.step, use.step, files=(path,), why=why)
        if in_time:
            yield UnplannedEffect(use.step, file_by_luck(reader, source, path))
        else:
            yield StaleStep(use.step, file_too_early(reader, source, path))

    def _collisions(self, path: str, n: int) -> Iterator[Finding]:
        mine = self._writes[path][-1]
        for other in self._writes[path]:
            if other.step == n or (mine.hash is not None and mine.hash == other.hash):
                continue
            first, second = sorted((mine, other), key=lambda use: use.step)
            # They overlapped, or the one that comes later in the notebook was first.
            if second.start < first.end:
                names = self._name(first.step), self._name(second.step)
                why = f'"{names[1]}" writes the file {path} that "{names[0]}" writes before'
                yield NewEdge(first.step, second.step, files=(path,), why=why)
                yield StaleStep(second.step, file_written_twice(*names, path), harmless=True)


def _holds(folder: str, path: str) -> bool:
    """Whether listing ``folder`` (it ends with a slash) shows ``path`` or what it is in."""
    return folder == "./" or path.startswith(folder)
