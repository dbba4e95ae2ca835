"""The templates of one supervisor: started on demand, bounded, and given up in time."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kfnb.step.supervisor import process_table
from kfnb.step.templates.spec import ForkOrder, TemplateSpec
from kfnb.step.templates.template import Exited, Forked, NotForked, Ready, Template, Unusable

MOST_TEMPLATES = 6
IDLE_SECONDS = 300.0
_MEMORY_SHARE = 4
"""All templates together may take this part (a quarter) of the machine's memory."""

_LOADING_SECONDS = 30.0
_RETRY_SECONDS = 300.0
_CODE_SECONDS = 5.0
"""How long the state of kfnb's own files is believed: looking takes some ten milliseconds."""

_code: tuple[float, tuple[object, ...]] = (float("-inf"), ())
_PACKAGE = Path(__file__).parents[2]

Done = Callable[[Forked | None], None]


@dataclass(slots=True)
class _Entry:
    template: Template
    stamp: tuple[object, ...]
    last_used: float
    waiting: dict[int, tuple[float, Done]] = field(default_factory=dict)
    retired: bool = False


class TemplatePool:
    """Starts templates, passes requests to them, and ends those that are not needed.

    Parameters
    ----------
    mark
        The supervisor's identity, by which processes below a template are found.
    log
        Descriptor of a file for what templates print.
    watch, unwatch
        Called with each template that starts, so that :meth:`receive` is called when it is
        readable, and with each that has ended.
    exited
        Called with the end of each process that a template has forked.
    """

    def __init__(
        self,
        mark: str,
        log: int,
        *,
        watch: Callable[[Template], None],
        unwatch: Callable[[Template], None],
        exited: Callable[[Exited], None],
    ) -> None:
        self._mark, self._log = mark, log
        self._watch, self._unwatch, self._exited = watch, unwatch, exited
        self._entries: dict[TemplateSpec, _Entry] = {}
        self._retiring: list[_Entry] = []
        self._unusable: dict[TemplateSpec, tuple[float, str]] = {}

    def pids(self) -> list[int]:
        """List the templates' processes."""
        return [entry.template.pid for entry in self._all()]

    def descriptions(self) -> dict[str, str]:
        """Describe each template, by its pid."""
        described = {}
        for entry in self._all():
            spec = entry.template.spec
            what = f"{spec.kind}s of {spec.python}"
            imports = f" with {'; '.join(spec.imports)}" if spec.imports else ""
            state = "" if entry.template.ready else " (loading)"
            described[str(entry.template.pid)] = f"{what}{imports}{state}"
        return described

    def prepare(self, spec: TemplateSpec) -> bool:
        """Start a template unless there is one; return whether it can be used."""
        return self._entry(spec) is not None

    def fork(
        self, spec: TemplateSpec, order: ForkOrder, descriptors: Sequence[int], done: Done
    ) -> None:
        """Have a template fork; ``done`` is called with the child, or None if there is none.

        A template that still loads is waited for: what it loads, the process would have to load.
        """
        entry = self._entry(spec)
        if entry is None:
            done(None)
            return
        request = entry.template.fork(order, descriptors)
        entry.waiting[request] = (time.monotonic() + _LOADING_SECONDS, done)
        entry.last_used = time.monotonic()

    def receive(self, template: Template) -> None:
        """Take note of what a template reports."""
        entry = next((e for e in self._all() if e.template is template), None)
        if entry is None:
            return
        for event in template.receive():
            if isinstance(event, Forked):
                self._answer(entry, event)
            elif isinstance(event, NotForked):
                _, done = entry.waiting.pop(event.request, (0.0, None))
                if done is not None:
                    done(None)
            elif isinstance(event, Exited):
                entry.last_used = time.monotonic()
                self._exited(event)
            elif isinstance(event, Unusable):
                self._remove(entry, event.reason)
            else:
                assert isinstance(event, Ready)

    def deadline(self) -> float | None:
        """Return when :meth:`advance` has something to do; monotonic seconds."""
        times = [until for entry in self._all() for until, _ in entry.waiting.values()]
        times += [e.last_used + IDLE_SECONDS for e in self._entries.values() if _is_unused(e)]
        return min(times, default=None)

    def advance(self) -> None:
        """Give up requests that wait too long, and templates that nobody has used for long."""
        now = time.monotonic()
        for entry in list(self._all()):
            for request, (until, done) in list(entry.waiting.items()):
                if now > until:
                    # If it is forked after all, _answer() ends it.
                    del entry.waiting[request]
                    done(None)
        for entry in list(self._entries.values()):
            if _is_unused(entry) and now - entry.last_used > IDLE_SECONDS:
                self._retire(entry)

    def close(self) -> None:
        """End all templates, and with them what they have forked."""
        for entry in list(self._all()):
            self._unwatch(entry.template)
            entry.template.close()

    def _all(self) -> Iterator[_Entry]:
        yield from [*self._entries.values(), *self._retiring]

    def _entry(self, spec: TemplateSpec) -> _Entry | None:
        """Return the template of a spec, which may have to be started; None if there is none."""
        now = time.monotonic()
        stamp = _stamp(spec)
        entry = self._entries.get(spec)
        # A package was installed, or kfnb was changed: a fresh process would not be the same.
        if entry is not None and entry.stamp != stamp:
            self._retire(entry)
            entry = None
        if entry is not None:
            return entry
        failed_at, _ = self._unusable.get(spec, (-_RETRY_SECONDS, ""))
        if now - failed_at < _RETRY_SECONDS or not self._make_room():
            return None
        marked = replace(
            spec, environment={**spec.environment, process_table.SUPERVISOR: self._mark}
        )
        try:
            template = Template.start(marked, log=self._log)
        except OSError as error:
            self._unusable[spec] = (now, str(error))
            return None
        entry = self._entries[spec] = _Entry(template, stamp, now)
        self._watch(template)
        return entry

    def _make_room(self) -> bool:
        """Retire the templates that were not used for longest; False if there is no room."""
        idle = sorted(
            filter(_is_unused, self._entries.values()),
            key=lambda e: e.last_used,
        )
        while len(self._entries) >= MOST_TEMPLATES or self._uses_too_much_memory():
            if not idle:
                return False
            self._retire(idle.pop(0))
        return True

    def _uses_too_much_memory(self) -> bool:
        used = sum(process_table.private_memory(entry.template.pid) for entry in self._all())
        return used > process_table.total_memory() / _MEMORY_SHARE

    def _retire(self, entry: _Entry) -> None:
        entry.retired = True
        self._entries = {s: e for s, e in self._entries.items() if e is not entry}
        self._retiring.append(entry)
        entry.template.retire()

    def _remove(self, entry: _Entry, reason: str) -> None:
        for _, done in entry.waiting.values():
            done(None)
        entry.waiting.clear()
        for spec, other in list(self._entries.items()):
            if other is entry:
                del self._entries[spec]
                self._unusable[spec] = (time.monotonic(), reason)
        self._retiring = [other for other in self._retiring if other is not entry]
        self._unwatch(entry.template)
        entry.template.close()

    def _answer(self, entry: _Entry, forked: Forked) -> None:
        _, done = entry.waiting.pop(forked.request, (0.0, None))
        if done is not None:
            done(forked)
            return
        # Nobody waits for it any more.
        end_unwanted(forked)


def end_unwanted(forked: Forked) -> None:
    """Kill a child that nobody needs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(forked.pid, signal.SIGKILL)
    if forked.listener is not None:
        os.close(forked.listener)


def _is_unused(entry: _Entry) -> bool:
    return not entry.template.children and not entry.waiting


def _stamp(spec: TemplateSpec) -> tuple[object, ...]:
    """Return what changes when a package is installed in the template's environment, or kfnb is.

    Installing and removing a package adds and removes names in the folder of packages.
    """
    global _code  # noqa: PLW0603 (what was seen last, for all templates)
    if time.monotonic() - _code[0] > _CODE_SECONDS:
        _code = (time.monotonic(), _stamp_of_code())
    search = spec.environment.get("PYTHONPATH", "")
    folders = [*_package_folders(spec.python), *filter(None, search.split(os.pathsep))]
    return *_code[1], *map(_modified, sorted(folders))


@functools.cache
def _package_folders(python: str) -> tuple[str, ...]:
    prefix = Path(python).parent.parent
    return tuple(map(str, prefix.glob("lib*/python3*/site-packages")))


def _stamp_of_code() -> tuple[object, ...]:
    files = [*_PACKAGE.glob("*.py"), *_PACKAGE.glob("store/*.py"), *_PACKAGE.glob("step/**/*.py")]
    return tuple(_modified(str(path)) for path in sorted(files))


def _modified(path: str) -> tuple[str, int]:
    try:
        return path, Path(path).stat().st_mtime_ns
    except OSError:
        return path, 0
