"""The kernel's side of a step: load inputs before the step's cells, save outputs after them.

It runs in the user's kernel, whose environment may lack kfnb's dependencies, so it imports only the
standard library and :mod:`kfnb.step.values`. It exchanges two files of the attempt's folder with
the step process, :data:`PLAN` and :data:`RESULT`, and leaves no name in the user's namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfnb import metrics
from kfnb.state_names import state_name, state_of
from kfnb.step.collecting import MoreThanAdded
from kfnb.step.in_kernel.audit import FileAudit
from kfnb.step.in_kernel.collected_values import CollectedValues
from kfnb.step.in_kernel.loaded_modules import own_module_files, packages
from kfnb.step.in_kernel.looks import LookWatch
from kfnb.step.in_kernel.result_records import (
    bundle_records,
    failed_values,
    log_metrics,
    problem_record,
)
from kfnb.step.in_kernel.setup_watch import SetupWatch, own_threads, setup_state
from kfnb.step.library_state.observation import StateObserver
from kfnb.step.opened_files.handover import BEGIN, END, mark, watch_this_kernel
from kfnb.step.templates.forked_kernel import before_first_cell

if TYPE_CHECKING:
    from kfnb.step.values import Loaded, Saved, Watch

PLAN = "kernel-plan.json"
RESULT = "kernel-result.json"


class StepProblem(Exception):  # noqa: N818 (shown to people as it is)
    """Inputs could not be loaded, or outputs could not be saved; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"kfnb: {self}"]


class StepState:
    """What the kernel knows between the beginning of a step and its end."""

    def __init__(
        self,
        folder: Path,
        plan: Mapping[str, Any],
        *,
        imported: frozenset[str] = frozenset(),
        before: StepState | None = None,
    ) -> None:
        self.folder = folder
        self.before = before
        self.plan = plan
        self.audit = FileAudit(plan["workdir"])
        self.looks = LookWatch(self.audit)
        # What a fresh process has is known only before the first step of a kernel.
        self.states: StateObserver = before.states if before else StateObserver(plan["workdir"])
        self.setup_contents: dict[str, str] = before.setup_contents if before else {}
        # It may still have them open.
        self.written_before: set[str] = (
            {*before.written_before, *before.audit.written} if before else set()
        )
        self.is_watched: bool = before.is_watched if before else False
        modules = frozenset(sys.modules) - imported
        self.modules: frozenset[str] = before.modules if before else modules
        self.loaded: list[Loaded] = []
        self.given: dict[str, Any] = {}
        self.watch: Watch | None = None
        self.group_watch: Watch | None = None
        self.setup: SetupWatch | None = None
        self.collected = CollectedValues(plan["adds"], plan["collects"], plan["definitions"])

    def visible_later(self) -> set[str]:
        """Return the loaded names whose values later steps may see.

        These are the names that the step publishes or that later steps read. Names that came
        along in a shared bundle are included, as nothing here says which step reads them.
        """
        shared = {n for loaded in self.loaded if len(loaded.values) > 1 for n in loaded.values}
        return set(self.given) & (shared | {*self.plan["watch"], *self.plan["outputs"]})


_steps: dict[str, StepState] = {}


def begin(order_path: str) -> None:
    """Start to record which files are opened; called once, before the first cell."""
    if order_path in _steps:
        return
    folder = Path(order_path).parent
    plan = json.loads((folder / PLAN).read_bytes())
    if plan["path"]:
        _make_importable(plan["path"])
    # A kernel that executes several steps was started with the environment of the first.
    os.environ[metrics.CHANNEL] = plan["metrics_file"]
    _keep_all_outputs()
    os.environ.update(plan["environment"])
    # Modules that the step's cells import may have been loaded before the kernel was forked.
    before = next(reversed(_steps.values()), None)
    imported = frozenset[str]() if before else before_first_cell()
    step = _steps[order_path] = StepState(folder, plan, imported=imported, before=before)
    step.audit.start()
    if before is None:
        step.states.start()
    if plan["listener"]:
        step.is_watched = watch_this_kernel(plan["listener"])
    if not step.is_watched:
        step.looks.start()
    mark(folder, BEGIN)


def _keep_all_outputs() -> None:
    """Queue outputs for a slow client without limit; by default, ZeroMQ drops some above 1,000."""
    with contextlib.suppress(Exception):  # Another kernel than ipykernel.
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
    if step.plan["bundles"]:
        _load_bundles(step, names)
    if step.before is not None:
        _take_from_kernel(step, names)
    # Every step executes setup; what earlier steps have set is restored after it.
    given = {state: v for n, v in step.given.items() if (state := state_of(n)) is not None}
    step.states.begin(given, uses=_used_modules(step))
    try:
        step.collected.put_in(names, step.given)
    except Exception as error:
        _write_result(step, problem=problem_record("load", error, step.plan["collects"]))
        raise StepProblem(str(error)) from None
    if step.plan["setup"] or step.plan["setup_values"]:
        step.setup = SetupWatch(
            step.plan["setup"],
            names,
            used=step.plan["setup_values"],
            given=given,
            contents=step.setup_contents,
            definitions=step.plan["definitions"],
        )
    try:
        step.collected.stand_in(names, step.loaded)
    except MoreThanAdded as error:
        _write_result(step, collecting=str(error))
        raise StepProblem(str(error)) from None


def _used_modules(step: StepState) -> set[str] | None:
    """Return the modules that the step's statements and inputs use; None: any."""
    if step.plan["modules"] is None:
        return None
    inputs = {type(value).__module__ for n, value in step.given.items() if state_of(n) is None}
    return {*step.plan["modules"], *inputs}


def _load_bundles(step: StepState, names: MutableMapping[str, Any]) -> None:
    from kfnb.step import values

    for bundle in step.plan["bundles"]:
        try:
            loaded = values.load([Path(file) for file in bundle["files"]])
        except Exception as error:
            _write_result(step, problem=problem_record("load", error, bundle["bind"]))
            wanted = ", ".join(bundle["bind"])
            raise StepProblem(f"cannot load {wanted}: {type(error).__name__}: {error}") from None
        step.loaded.append(loaded)
        step.given.update(loaded.values)
        for name in bundle["bind"]:
            # Additions have no name in the notebook.
            if name in loaded.values and name.isidentifier():
                names[name] = loaded.values[name]
    step.watch = values.Watch(
        step.loaded, names=step.visible_later(), definitions=step.plan["definitions"]
    )


def _take_from_kernel(step: StepState, names: MutableMapping[str, Any]) -> None:
    """Use the values that earlier steps of the group have left in this kernel."""
    from kfnb.step import values

    live = {name: names[name] for name in step.plan["in_kernel"] if name in names}
    step.given.update(live)
    for name in step.plan["absent"]:
        names.pop(name, None)
    step.group_watch = values.Watch(
        live, names=step.visible_later(), definitions=step.plan["definitions"]
    )


def publish(order_path: str) -> None:
    """Save the step's outputs into the staging folder, and write the result file.

    Raises
    ------
    StepProblem
        If an output cannot be saved; the others are.
    """
    begin(order_path)
    step = _steps[order_path]
    step.looks.stop()
    mark(step.folder, END)
    added = step.collected.take_out(user_names())
    try:
        result = _save_outputs(step, {**user_names(), **added})
    except OSError as error:
        for file in Path(step.plan["staging"]).iterdir():
            file.unlink(missing_ok=True)  # The disk may be full: make room for the result file.
        _write_result(step, problem=problem_record("save", error, step.plan["outputs"]))
        raise
    _write_result(step, **result)
    if result["collecting"]:
        raise StepProblem(result["collecting"])
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


def _save_outputs(step: StepState, names: Mapping[str, Any]) -> dict[str, Any]:
    """Save the outputs, and other values that must not be lost; the result as JSON values."""
    plan, given = step.plan, step.given
    watches = [watch for watch in (step.watch, step.group_watch) if watch is not None]
    changed = {name for watch in watches for name in watch.changed()}
    unknown = {name for watch in watches for name in watch.unknown}
    bound = {name: names[name] for name in plan["outputs"] if name in names}
    own = {*plan["in_kernel"]}.union(*(bundle["bind"] for bundle in plan["bundles"]))
    own -= {*plan["adds"], *plan["collects"]}  # The names stand for values with additions.
    others = {
        # A name that only came along in a bundle may belong to another value here.
        n: names.get(n, given[n]) if n in own else given[n]
        for n in sorted(step.visible_later())
        if n not in bound
    }
    tied = _sharing(step, bound, others) if bound else set()
    # Values that share objects with an output are published with it, so they are expected.
    suspects = {*plan["watch"], *(changed - tied)}
    reasons = {
        n: _unexpected_change(n, v, step, changed) for n, v in others.items() if n in suspects
    }
    unexpected = {name: reason for name, reason in reasons.items() if reason}
    states = step.states.states()
    left = {state_name(n): _saveable(state, step) for n, state in step.states.left.items()}
    lost: list[str] = []
    if step.setup is not None:
        parts = {n: _saveable(s, step) for n, s in step.setup.changed(names).items()}
        lost = [name for name in parts if "value" not in parts[name]["set"]]
        saved_values = {name: state for name, state in parts.items() if name not in lost}
        left |= {state_name(setup_state(name)): state for name, state in saved_values.items()}
        step.setup_contents |= {n: s["set"]["content"] for n, s in saved_values.items()}
        states |= step.setup.states(saved_values)
    values_to_save = {
        **bound,
        **{n: v for n, v in others.items() if n in tied or n in unexpected},
        **left,
    }
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
    problem = step.collected.problem(names, values_to_save)
    failed = failed_values(saved)
    not_numbers = log_metrics(plan["metrics"], names)
    return {
        "bundles": bundle_records(saved),
        "aliases": [list(group) for group in saved.aliases] if saved else [],
        "failed": {} if plan["may_stay"] else failed,
        "in_kernel": failed if plan["may_stay"] else {},
        "described": described,
        "absent": [name for name in plan["outputs"] if name not in names],
        "unchanged": [
            name
            for name, value in values_to_save.items()
            if name in given and value is given[name] and name not in changed | unknown
        ],
        "unexpected": unexpected,
        "read": sorted((step.audit.read | own_module_files(plan["workdir"])) - step.audit.written),
        "written": sorted(step.audit.written),
        "written_before": sorted(step.written_before),
        "listed": step.audit.listed,
        "searched": sorted(step.audit.searched),
        "looked": step.audit.looked,
        "unseen": step.audit.unseen(),
        "packages": packages(set(sys.modules), before=step.modules),
        "python": sys.version.split()[0],
        "not_numbers": not_numbers,
        "threads": own_threads(),
        "state": {name: list(state) for name, state in states.items()},
        "collecting": problem,
        "setup_changed": lost,
    }


def _saveable(state: Mapping[str, Any], step: StepState) -> dict[str, Any]:
    """Return a state without the parts that cannot be saved."""
    from kfnb.step.values.bundles.saving import dump

    parts = {}
    for name, value in state.get("set", {}).items():
        with contextlib.suppress(Exception):
            one = {name: value}
            dump(one, definitions=step.plan["definitions"], origin=step.plan["origin"])
            parts[name] = value
    return {**state, "set": parts, "gone": tuple(state.get("gone", ()))}


def _unexpected_change(name: str, value: Any, step: StepState, changed: set[str]) -> str:
    """Say how a value was changed that the step was not expected to change; empty if it was not."""
    if value is not step.given[name]:
        return "assigned a new value"
    return "changed in place" if name in changed else ""


def _sharing(step: StepState, bound: Mapping[str, Any], others: Mapping[str, Any]) -> set[str]:
    """Return the names among ``others`` that share mutable objects with an output.

    They are published in one bundle, so that later steps get one object too.
    """
    if not others:
        return set()
    from kfnb.step.values.bundles.saving import dump
    from kfnb.step.values.bundles.sharing import Reached, groups

    def reached(values: Mapping[str, Any]) -> dict[str, Reached]:
        reached_objects = {}
        for name, value in values.items():
            with contextlib.suppress(Exception):  # Saving it reports the problem.
                one = dump(
                    {name: value},
                    definitions=step.plan["definitions"],
                    origin=step.plan["origin"],
                )
                reached_objects[name] = Reached.of(one.pickler)
        return reached_objects

    candidates = {n: r for n, r in reached(others).items() if r.objects or r.memory}
    if not candidates:
        return set()
    joined = groups({**reached(bound), **candidates})
    return {n for group in joined if not bound.keys().isdisjoint(group) for n in group} - set(bound)


def _make_importable(folder: str) -> None:
    """Let this environment import what it lacks; its own packages take precedence."""
    if folder not in sys.path:
        sys.path.append(folder)


def _write_result(step: StepState, **result: Any) -> None:
    # Whole or not at all, because the kernel may be killed while it writes.
    temporary = (step.folder / RESULT).with_suffix(".tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(result), encoding="utf-8", errors="replace")
    temporary.replace(step.folder / RESULT)
