"""Kernel side of a step: loads inputs before the step's cells, saves outputs after them.

Runs in the user's kernel, whose environment need not be kfnb's: standard library
and :mod:`kfnb.step.values` only. It talks to the step process through two files
of the attempt's folder, :data:`PLAN` and :data:`RESULT`, and leaves no name in the
user's namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfnb import metrics
from kfnb.step.in_kernel.audit import FileAudit
from kfnb.step.in_kernel.process_leaks import ProcessLeaks
from kfnb.step.in_kernel.setup_watch import SetupWatch, own_threads

if TYPE_CHECKING:
    from kfnb.step.values import Loaded, Saved, Watch

PLAN = "kernel-plan.json"
RESULT = "kernel-result.json"
_OURS = {"kfnb", "cloudpickle"}


class StepProblem(Exception):  # noqa: N818 (shown to people as it is)
    """Inputs could not be loaded, or outputs not saved; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"kfnb: {self}"]


class StepState:
    """What is remembered between the beginning of a step and its end."""

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self.folder = folder
        self.plan = plan
        self.audit = FileAudit(plan["workdir"])
        self.leftover = ProcessLeaks(plan["workdir"])
        self.modules = frozenset(sys.modules)
        self.loaded: list[Loaded] = []
        self.given: dict[str, Any] = {}
        self.watch: Watch | None = None
        self.setup: SetupWatch | None = None

    def followed(self) -> set[str]:
        """Return the loaded names whose values later steps may see.

        That is those that the step publishes or that later steps read, and, because
        nobody here knows who reads them, those that came along in a shared bundle.
        """
        shared = {n for loaded in self.loaded if len(loaded.values) > 1 for n in loaded.values}
        return set(self.given) & (shared | {*self.plan["watch"], *self.plan["outputs"]})


_steps: dict[str, StepState] = {}


def begin(order_path: str) -> None:
    """Start to note which files are opened; done once, before the first cell."""
    if order_path in _steps:
        return
    folder = Path(order_path).parent
    plan = json.loads((folder / PLAN).read_bytes())
    if plan["path"]:
        _make_importable(plan["path"])
    # A kernel that executes several steps was started with the environment of the first.
    os.environ[metrics.CHANNEL] = plan["metrics_file"]
    _keep_all_outputs()
    step = _steps[order_path] = StepState(folder, plan)
    step.audit.start()
    step.leftover.start()


def _keep_all_outputs() -> None:
    """Let outputs wait for a client that is slow; ZeroMQ drops what is above 1,000 messages."""
    with contextlib.suppress(Exception):  # not IPython's own kernel: it has its own ways
        import zmq
        from IPython import get_ipython

        publisher = get_ipython().kernel.iopub_thread
        publisher.schedule(lambda: publisher.socket.setsockopt(zmq.SNDHWM, 0))


def load_inputs(order_path: str) -> None:
    """Bind the step's inputs.

    Raises
    ------
    StepProblem
        If a value cannot be loaded; the result file says which and why.
    """
    begin(order_path)
    step = _steps[order_path]
    names = user_names()
    step.leftover.mark()
    if step.plan["setup"]:
        step.setup = SetupWatch(step.plan["setup"], names, step.plan["definitions"])
    if not step.plan["bundles"]:
        return
    from kfnb.step import values

    for bundle in step.plan["bundles"]:
        try:
            loaded = values.load([Path(file) for file in bundle["files"]])
        except Exception as error:
            _write_result(step, problem=_problem("load", error, bundle["bind"]))
            wanted = ", ".join(bundle["bind"])
            raise StepProblem(f"cannot load {wanted}: {type(error).__name__}: {error}") from None
        step.loaded.append(loaded)
        step.given.update(loaded.values)
        for name in bundle["bind"]:
            if name in loaded.values:
                names[name] = loaded.values[name]
    step.watch = values.Watch(
        step.loaded, names=step.followed(), definitions=step.plan["definitions"]
    )


def publish(order_path: str) -> None:
    """Save the step's outputs into the staging folder, and say what the step did.

    Raises
    ------
    StepProblem
        If an output cannot be saved; the others are.
    """
    begin(order_path)
    step = _steps[order_path]
    try:
        result = _published(step, user_names())
    except OSError as error:
        _clear(Path(step.plan["staging"]))  # a full disk: room for the sentence that says so
        _write_result(step, problem=_problem("save", error, step.plan["outputs"]))
        raise
    _write_result(step, **result)
    if result["setup_changed"] and step.plan["on_mutation"] == "fail":
        raise StepProblem(f"changed what setup makes: {', '.join(result['setup_changed'])}")
    if result["failed"]:
        reasons = "; ".join(f"{n}: {p['reason']}" for n, p in result["failed"].items())
        raise StepProblem(f"cannot save {reasons}")


def user_names() -> MutableMapping[str, Any]:
    """Return the namespace in which the notebook's cells execute."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if running is not None:
        names: MutableMapping[str, Any] = running.user_ns
        return names
    return vars(sys.modules["__main__"])


def _published(step: StepState, names: Mapping[str, Any]) -> dict[str, Any]:
    """Save what is to be saved; the result as JSON values."""
    plan, given = step.plan, step.given
    changed = step.watch.changed() if step.watch is not None else set()
    unknown = step.watch.unknown if step.watch is not None else set()
    bound = {name: names[name] for name in plan["outputs"] if name in names}
    own = {name for bundle in plan["bundles"] for name in bundle["bind"]}
    others = {
        # a name that only came along in a bundle may stand for something else here
        n: names.get(n, given[n]) if n in own else given[n]
        for n in sorted(step.followed())
        if n not in bound
    }
    tied = _sharing(step, bound, others) if bound else set()
    # What shares with an output is made by making that one: only the rest is a surprise.
    asked = {*plan["watch"], *(changed - tied)}
    surprises = {n: _surprise(n, v, step, changed) for n, v in others.items() if n in asked}
    unexpected = {name: reason for name, reason in surprises.items() if reason}
    values_to_save = {**bound, **{n: v for n, v in others.items() if n in tied or n in unexpected}}
    saved: Saved | None = None
    described: dict[str, Any] = {}
    if values_to_save:
        from kfnb.step import values

        saved = values.save(
            values_to_save,
            folder=Path(plan["staging"]),
            definitions=plan["definitions"],
            origin=plan["origin"],
        )
        described = {
            name: values.describe(values_to_save[name])
            for bundle in saved.bundles
            for name in bundle.names
        }
    not_numbers = _log_metrics(plan["metrics"], names)
    return {
        "bundles": _bundles(saved),
        "aliases": [list(group) for group in saved.aliases] if saved else [],
        "failed": _failed(saved),
        "described": described,
        "absent": [name for name in plan["outputs"] if name not in names],
        "unchanged": [
            name
            for name, value in values_to_save.items()
            if name in given and value is given[name] and name not in changed | unknown
        ],
        "unexpected": unexpected,
        "read": sorted((step.audit.read | _module_files(step)) - step.audit.written),
        "written": sorted(step.audit.written),
        "listed": step.audit.listed,
        "packages": packages(set(sys.modules), before=step.modules),
        "python": sys.version.split()[0],
        "not_numbers": not_numbers,
        "threads": own_threads(),
        "left": step.leftover.left(),
        "setup_changed": step.setup.changed(names) if step.setup is not None else [],
    }


def _surprise(name: str, value: Any, step: StepState, changed: set[str]) -> str:
    """Say how a value that the step was not known to change is another one now."""
    if value is not step.given[name]:
        return "bound to another value"
    return "changed in place" if name in changed else ""


def _sharing(step: StepState, bound: Mapping[str, Any], others: Mapping[str, Any]) -> set[str]:
    """Return the names among ``others`` that share mutable objects with an output.

    They are published together with it, so that both stay one object downstream.
    """
    if not others:
        return set()
    from kfnb.step.values.bundles.saving import dump
    from kfnb.step.values.bundles.sharing import Reached, groups

    def reached(values: Mapping[str, Any]) -> dict[str, Reached]:
        found = {}
        for name, value in values.items():
            with contextlib.suppress(Exception):  # what cannot be saved is refused elsewhere
                one = dump(
                    {name: value},
                    definitions=step.plan["definitions"],
                    origin=step.plan["origin"],
                )
                found[name] = Reached.of(one.pickler)
        return found

    candidates = {n: r for n, r in reached(others).items() if r.objects or r.memory}
    if not candidates:
        return set()
    joined = groups({**reached(bound), **candidates})
    return {n for group in joined if not bound.keys().isdisjoint(group) for n in group} - set(bound)


def _bundles(saved: Saved | None) -> list[dict[str, Any]]:
    return [
        {
            "names": list(bundle.names),
            "files": [str(file) for file in bundle.files],
            "codec": bundle.codec,
            "classes": list(bundle.classes),
            "globals": list(bundle.globals),
        }
        for bundle in (saved.bundles if saved else ())
    ]


def _failed(saved: Saved | None) -> dict[str, dict[str, str]]:
    return {
        name: {
            "type": problem.type,
            "path": str(problem.path_in_value),
            "reason": problem.reason,
            "remedy": problem.remedy,
        }
        for name, problem in (saved.failed if saved else {}).items()
    }


def packages(modules: Iterable[str], *, before: Iterable[str] = ()) -> dict[str, str]:
    """Return the installed distributions that ``modules`` belong to, with their versions.

    What was there ``before`` (the kernel's own machinery) does not count.
    """
    from importlib import metadata

    tops = {name.partition(".")[0] for name in modules}
    tops -= {name.partition(".")[0] for name in before} | _OURS
    tops = {t for t in tops if not t.startswith("_") and t not in sys.stdlib_module_names}
    tops = {t for t in tops if _installed(t)}
    if not tops:
        return {}
    versions = {top: _version(top) for top in tops}
    found = {top: version for top, version in versions.items() if version is not None}
    left = tops - set(found)
    if left:  # sklearn, PIL, yaml: the distribution has another name
        for distribution in metadata.distributions():
            text = distribution.read_text("top_level.txt")
            own = set(text.split()) if text else _tops(distribution)
            if own & left:
                found[distribution.metadata["Name"]] = distribution.version
    return dict(sorted(found.items()))


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _tops(distribution: Any) -> set[str]:
    """Return the top-level packages among a distribution's files."""
    record = distribution.read_text("RECORD") or ""
    return {
        line.partition("/")[0]
        for line in record.splitlines()
        if "/__init__.py," in line and line.count("/") == 1
    }


def _installed(top: str) -> bool:
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _module_files(step: StepState) -> set[str]:
    """Return the notebook's own modules that are loaded, however they came in.

    Which they are is not always seen in the source: a module path that is put together, a
    value whose class is in one.
    """
    folder = os.path.realpath(step.plan["workdir"])
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and os.path.realpath(file).startswith(folder + os.sep):
            relative = os.path.relpath(os.path.realpath(file), folder)
            found.add(relative.replace(os.sep, "/"))
    return found


def _log_metrics(wanted: Iterable[str], names: Mapping[str, Any]) -> dict[str, str]:
    """Log the values of ``wanted``; the reasons for those that are no numbers."""
    refused = {}
    for name in wanted:
        if name in names:
            try:
                metrics.log_metric(name, names[name])
            except (TypeError, ValueError) as error:
                refused[name] = str(error)
    return refused


def _problem(phase: str, error: Exception, names: Iterable[str]) -> dict[str, Any]:
    return {
        "phase": phase,
        "names": list(names),
        "ename": type(error).__name__,
        "evalue": str(error),
        "errno": getattr(error, "errno", None),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }


def _make_importable(folder: str) -> None:
    """Let this environment import what it lacks (cloudpickle), after everything of its own."""
    if folder not in sys.path:
        sys.path.append(folder)


def _write_result(step: StepState, **result: Any) -> None:
    path = step.folder / RESULT
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result), encoding="utf-8", errors="replace")
    temporary.replace(path)


def _clear(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink(missing_ok=True)
