"""Turn what ended a step into a record that a person understands: pure functions."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from kfnb.errors import KfnbError, UsageError
from kfnb.step.execution.reporter import (
    cell_location,
    plain_text,
    quote_cells,
    source_index,
    traceback_text,
)
from kfnb.step.execution.session import CellFailure, KernelDied
from kfnb.step.execution.stop_requests import Stopped
from kfnb.step.opened_files.seccomp_filter import remedy_for
from kfnb.step.order import StepOrder
from kfnb.store import disk
from kfnb.store.manifest import Failure, FailureClass

EXIT_CODES: Mapping[FailureClass, int] = {
    "user": 1,
    "cancelled": 3,
    "infrastructure": 4,
    "disk": 4,
    "configuration": 4,
    "timeout": 5,
    "memory": 6,
}

_TRACEBACK = 64 << 10
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_NO_MODULE = re.compile(r"No module named '?([\w.]+)")
_NAME = re.compile(r"[\w.-]+")
_EXIT = "raise an error to stop the step here, or remove the line"


def failed_cell(
    order: StepOrder,
    failure: CellFailure,
    *,
    cells: Sequence[Mapping[str, Any]] = (),
    installs: Sequence[Sequence[str]] = (),
) -> Failure:
    """Explain an error that a cell raised.

    ``cells`` are those that the step executes, ``installs`` the arguments of the notebook's
    ``%pip install`` lines.
    """
    reply = failure.reply
    ename, evalue = str(reply.get("ename", "")), plain_text(str(reply.get("evalue", "")))
    cell = source_index(failure.cell)
    line = source_line(reply)
    kind, remedy = _classified(order, ename, evalue)
    if ename == "ModuleNotFoundError" and installs:
        remedy = _not_installed(evalue, installs)
    if ename == "SystemExit":
        what = f"called sys.exit({evalue}), which stops a notebook"
    else:
        what = f"raised {ename}: {_short(evalue)}" if evalue else f"raised {ename}"
    return Failure(
        kind=kind,
        summary=f'Step "{order.step}" failed: {_where(failure.cell, line)} {what}.',
        remedy=remedy,
        ename=ename,
        evalue=evalue,
        cell=cell,
        line=line,
        traceback=quote_cells(traceback_text(reply), cells)[-_TRACEBACK:],
    )


def kernel_died(order: StepOrder, death: KernelDied, *, peak: int, available: int) -> Failure:
    """Explain a kernel that ended by itself.

    ``peak`` is the most memory that was measured for the step, ``available`` what the
    machine had left when it was gone, in bytes.
    """
    cell = source_index(death.cell)
    where = _where(death.cell, None)
    kind: FailureClass = "user"
    remedy = "Look at the end of the log: native code (an extension module) may have crashed."
    status = death.status
    if death.exit_requested:
        what, remedy = "ended its kernel with exit() or quit()", f"Instead, {_EXIT}."
    elif status is None or status >= 0:
        what = f"ended its kernel (by os._exit or in native code, exit code {status})"
        remedy = f"Instead of ending the process, {_EXIT}."
    elif -status == signal.SIGKILL:
        kind = "memory"
        what = (
            "lost its kernel, which was killed (SIGKILL); most likely memory ran out "
            f"(peak {format_bytes(peak)}, {format_bytes(available)} free on this machine)"
        )
        remedy = "Use less memory, run fewer steps at once (--parallel), or use a larger machine."
        if order.memory:
            what = (
                "lost its kernel, which was killed (SIGKILL); most likely it needed more than its "
                f"memory limit of {format_bytes(order.memory)} (peak {format_bytes(peak)}, "
                f"{format_bytes(available)} free on this machine)"
            )
            remedy = 'Use less memory, or give the step more ("memory:" tag).'
    else:
        what = f"crashed its kernel ({_signal_words(-status)})"
    return Failure(
        kind=kind,
        summary=f'Step "{order.step}" failed: {where} {what}.',
        remedy=remedy,
        ename="DeadKernelError",
        evalue=what,
        cell=cell,
        traceback=plain_text(death.output)[-_TRACEBACK:],
    )


def stopped(order: StepOrder, stop: Stopped, *, during: Mapping[str, Any] | None) -> Failure:
    """Explain a step that was stopped from outside; ``during`` is the cell that it executed."""
    cell = source_index(during)
    if stop.reason == "timeout":
        limit = order.timeout or 0
        return Failure(
            kind="timeout",
            summary=f'Step "{order.step}" took longer than its timeout of {limit:g} '
            f"second{'' if limit == 1 else 's'}{_during(during)}.",
            remedy='Make it faster, or give it more time ("timeout:" tag, --timeout).',
            cell=cell,
        )
    if stop.reason == "memory":
        return Failure(
            kind="memory",
            summary=f'Step "{order.step}" used more than its memory limit of '
            f"{format_bytes(order.memory or 0)} (peak {stop.detail}){_during(during)}.",
            remedy='Use less memory, or give it more ("memory:" tag).',
            cell=cell,
        )
    if stop.reason == "disk":
        return Failure(kind="disk", summary=f'Step "{order.step}" stopped: {stop.detail}')
    return Failure(kind="cancelled", summary=f'Step "{order.step}" was cancelled.', cell=cell)


def process_lost(
    order: StepOrder, code: int, *, output: str, out_of_memory: bool, stop_requested: bool
) -> Failure:
    """Explain a step's process that ended without leaving a record.

    ``output`` is the end of what it printed.
    """
    step = f'Step "{order.step}"'
    if stop_requested:
        return Failure(kind="cancelled", summary=f"{step} was cancelled.", traceback=output)
    if out_of_memory:
        most = f" of {format_bytes(order.memory)}" if order.memory else ""
        return Failure(
            kind="memory",
            summary=f"{step} was killed because it used more than its container's memory{most}.",
            remedy='Use less memory, or give it more ("memory:" tag).',
            traceback=output,
        )
    how = f"with exit code {code}"
    if code < 0:
        numbers = {int(number) for number in signal.Signals}
        how = f"by {signal.Signals(-code).name}" if -code in numbers else f"by signal {-code}"
    return Failure(
        kind="infrastructure",
        summary=f'The process of step "{order.step}" ended {how} without a result.',
        traceback=output,
    )


def unsaveable(
    order: StepOrder,
    problems: Mapping[str, Mapping[str, Any]],
    cells: Mapping[int, Mapping[str, Any]],
) -> Failure:
    """Explain outputs that cannot be saved; ``cells`` are the step's, by index in the source."""
    sentences = []
    for name, problem in sorted(problems.items()):
        inner = problem.get("path")
        where = f" (at {inner})" if inner and inner != name else ""
        made = cells.get(order.origins.get(name, -1))
        cell = f", made in{quoted(made)}," if made is not None else ""
        sentences.append(
            f'"{name}"{cell} is a {problem.get("type", "value")}{where}: {problem.get("reason")}'
        )
    first = next(iter(sorted(problems)))
    remedies = dict.fromkeys(str(problems[name].get("remedy", "")) for name in sorted(problems))
    return Failure(
        kind="user",
        summary=f'Step "{order.step}" cannot save what later steps read: '
        + "; ".join(s.rstrip(".") for s in sentences)
        + ".",
        remedy=" ".join(remedies),
        ename="Unsaveable",
        evalue=", ".join(sorted(problems)),
        cell=order.origins.get(first),
    )


def more_than_added(order: StepOrder, reason: str) -> Failure:
    """Explain that a step did more with a value than to add to it."""
    return Failure(
        kind="user",
        summary=f'KFNB-E616: step "{order.step}": {reason}.',
        remedy="Tag a cell of this step with changes: and the value's name; steps that change the "
        "value then execute one after another.",
        ename="MoreThanAdded",
        evalue=reason,
    )


def setup_changed(order: StepOrder, names: Sequence[str]) -> Failure:
    """Explain a change of what setup makes, which later steps would not see."""
    message, remedy = setup_change(order, names)
    return Failure(
        kind="user", summary=message, remedy=remedy, ename="SetupChanged", evalue=", ".join(names)
    )


def setup_change(order: StepOrder, names: Sequence[str]) -> tuple[str, str]:
    """Say that a step changed values of setup unforeseen, and what to do."""
    changed = " and ".join(f'"{name}"' for name in names)
    readers = " and ".join(f'"{r}"' for r in dict.fromkeys(order.setup_readers[n] for n in names))
    message = (
        f'KFNB-E609: step "{order.step}" changed {changed}, which setup makes, in a way that its '
        f"source does not show, and the changed value cannot be saved, so step {readers} would "
        "use the value that setup makes."
    )
    return message, f"Make {changed} in a step, and change it in that step."


def values_failed(order: StepOrder, problem: Mapping[str, Any]) -> Failure:
    """Explain inputs that could not be loaded, or outputs that the disk did not take."""
    ename, evalue = str(problem.get("ename", "")), str(problem.get("evalue", ""))
    names = ", ".join(f'"{name}"' for name in problem.get("names", ()))
    traceback = str(problem.get("traceback", ""))[-_TRACEBACK:]
    kind: FailureClass = "disk" if problem.get("errno") in disk.FULL else "user"
    if problem.get("phase") == "save":
        reason = disk.reason(problem.get("errno")) or f"{ename}: {_short(evalue)}"
        return Failure(
            kind="disk" if kind == "disk" else "infrastructure",
            summary=f'Step "{order.step}" could not save {names}: {reason}.',
            remedy="Free some space (kfnb clean removes old runs) and resume the run.",
            ename=ename,
            evalue=evalue,
            traceback=traceback,
        )
    if ename == "DamagedError":
        kind = "infrastructure"
    made = {given.name: given.producer for given in order.inputs if given.producer}
    steps = sorted({made[name] for name in problem.get("names", ()) if name in made})
    origin = f" (from {', '.join(steps)})" if steps else ""
    return Failure(
        kind=kind,
        summary=f'Step "{order.step}" could not load {names}{origin}: {ename}: {_short(evalue)}.',
        remedy="Loading the value needs a class or a package that this step does not have: "
        "define or import it in a setup cell.",
        ename=ename,
        evalue=evalue,
        traceback=traceback,
    )


def from_error(order: StepOrder, error: BaseException) -> Failure:
    """Explain what went wrong around the notebook rather than in it."""
    if isinstance(error, UsageError):
        remedy = str(getattr(error, "remedy", ""))
        return Failure(
            kind="configuration", summary=str(error), remedy=remedy, ename=type(error).__name__
        )
    if isinstance(error, KfnbError):
        kind: FailureClass = "infrastructure"
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in disk.FULL:
            kind = "disk"
        return Failure(kind=kind, summary=str(error), ename=type(error).__name__)
    if isinstance(error, OSError):
        kind = "disk" if error.errno in disk.FULL else "infrastructure"
        return Failure(kind=kind, summary=os_sentence(error), ename=type(error).__name__)
    # It would fail in the same way again, and the step's effects would be repeated.
    return Failure(
        kind="configuration",
        summary=f'Step "{order.step}" failed because of an error in kfnb: {type(error).__name__}: '
        f"{_short(str(error))}",
        remedy="This is a bug in kfnb: please report it with the run's folder.",
        ename=type(error).__name__,
        evalue=str(error),
    )


def os_sentence(error: OSError) -> str:
    """Say what the operating system refused."""
    return disk.sentence(error, error.filename or "the disk", action="use")


def source_line(reply: Mapping[str, Any]) -> int | None:
    """Find the innermost line of the failing cell in a traceback as IPython writes it."""
    number = reply.get("execution_count")
    text = plain_text("\n".join(reply.get("traceback") or ()))
    frames = re.findall(rf"Cell In ?\[{number}\], line (\d+)", text)
    if not frames:  # IPython 7 and early 8 mark the line with an arrow only
        header = rf"(?:Input In ?\[{number}\]|<ipython-input-{number}-)[^\n]*\n"
        frames = re.findall(header + r"(?: [^\n]*\n)*?-+> (\d+)", text)
    return int(frames[-1]) if frames else None


def format_bytes(size: int) -> str:
    """Write a number of bytes as Kubernetes does: ``4Gi``, ``1.5Gi``, ``300Mi``."""
    value, units = float(size), ["", "Ki", "Mi", "Gi", "Ti"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.2f}".rstrip("0").rstrip(".") + units[0]


def _classified(order: StepOrder, ename: str, evalue: str) -> tuple[FailureClass, str]:
    if ename == "MemoryError" or ename.endswith("OutOfMemoryError"):
        return "memory", "Use less memory, or run the step on a larger machine."
    if words := _disk_words(ename, evalue):
        return "disk", f"Free some space: {words} (kfnb clean removes old runs)."
    if ename in ("ModuleNotFoundError", "ImportError"):
        return "user", "Install it in the kernel's environment (%pip install in a setup cell)."
    if ename == "CalledProcessError":
        return "user", remedy_for(evalue)
    if ename == "SystemExit":
        return "user", (
            "Raise an error if the step should fail; otherwise put the code below it under an if."
        )
    name = re.match(r"name '(\w+)' is not defined", evalue) if ename == "NameError" else None
    for given in order.inputs:
        if name and given.name == name[1] and given.absent:
            return "user", f'Step "{given.producer}" ended without binding "{given.name}".'
    return "user", ""


def _not_installed(evalue: str, installs: Sequence[Sequence[str]]) -> str:
    """Say that the notebook's own lines did not install a module: a cell continues if pip fails."""
    match = _NO_MODULE.search(evalue)
    module = _plain_name(match[1].partition(".")[0]) if match else ""
    meant = [line for line in installs if module in {_requirement(word) for word in line}]
    lines = " and ".join(f'"%pip install {_short(shlex.join(line))}"' for line in meant or installs)
    message = f"The notebook's {lines} did not install it: pip's output is in the step's log."
    return (
        message
        if meant
        else f"{message} If none of them names it, add a %pip install line for it to a setup cell."
    )


def _requirement(word: str) -> str:
    """Return what a word of a pip line asks for, a wheel's name too; empty for an option."""
    match = _NAME.match(word.rpartition("/")[2])
    name = match[0] if match and not word.startswith("-") else ""
    return _plain_name(name.partition("-")[0] if name.endswith(".whl") else name)


def _plain_name(name: str) -> str:
    """Return a name as packages and modules have it in common."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _disk_words(ename: str, evalue: str) -> str | None:
    match = _ERRNO.search(evalue)
    if ename not in ("OSError", "InfrastructureError") or not match:
        return None
    number = int(match[1])
    return disk.reason(number) if number in disk.FULL else None


def _where(cell: Mapping[str, Any], line: int | None) -> str:
    if source_index(cell) is None:
        return "its notebook"
    written = cell_location(cell, line)
    return f"the cell {written}" if line is None else written


def _during(cell: Mapping[str, Any] | None) -> str:
    return "" if cell is None else f", in{quoted(cell)}"


def quoted(cell: Mapping[str, Any] | None) -> str:
    """Return a space and the location of a cell, with its first line; nothing if it is unknown."""
    return "" if cell is None else f" {cell_location(cell)}"


def _short(text: str) -> str:
    first = text.strip().split("\n")[0]
    return first if len(first) <= 500 else first[:500] + "…"


def _signal_words(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    meaning = {"SIGSEGV": "segmentation fault", "SIGABRT": "abort", "SIGBUS": "bus error"}.get(name)
    return f"{meaning}, {name}" if meaning else name
