"""The step order: what a step process has to do, in one frozen value and one JSON file.

The driver writes it as ``order.json`` into the attempt's folder. Everything that the step process
makes (events, log, executed notebook) goes into the same folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

from kfnb.errors import InfrastructureError
from kfnb.json_values import from_plain, to_plain
from kfnb.store.manifest import Bundle, WrittenFile

SCHEMA = 1
_OWN_VARIABLES = ("KFNB_", "PYTHONHASHSEED")
INJECTED = "kfnb-injected"
"""The tag of cells that the author did not write."""

MASKED = "masked"
"""In a cell's metadata: the parameters that are assigned after it, without being in its source."""

KERNEL_PATH = "kernel"
"""A folder of the attempt: what a kernel of another environment needs to import kfnb."""


@dataclass(frozen=True, slots=True)
class Input:
    """A name that is loaded before the step's own cells.

    ``bundle`` is the manifest's record of the values that are loaded together with
    it, ``key`` that record's key in its producer's manifest; inputs with the same
    blobs are loaded once. ``absent``: the producer left the name unbound. ``in_kernel``: an
    earlier step has left the value in the kernel that executes this one.
    """

    name: str
    bundle: Bundle | None = None
    key: str = ""
    producer: str = ""
    absent: bool = False
    in_kernel: bool = False


@dataclass(frozen=True, slots=True)
class AdditionOrder:
    """A name that the step only adds to, in one ``form``, and what its additions are published as.

    ``with_base``: the value that setup made is published beside them, for views.
    """

    form: str
    publish_as: str = ""
    with_base: bool = False


@dataclass(frozen=True, slots=True)
class CollectionOrder:
    """Inputs with additions, in the order in which they are put into the value.

    ``read_later`` and ``changed_later``: another step reads, or changes, the value after this one.
    """

    additions: tuple[str, ...]
    read_later: bool = False
    changed_later: bool = False


@dataclass(frozen=True, slots=True)
class MadeWith:
    """The interpreter and the packages of the step that made an input."""

    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepOrder:
    """One attempt at one step. Paths are absolute; times in seconds, sizes in bytes.

    ``workdir`` is the notebook's folder, to which the paths in ``files_expected``
    (declared as written by this step), ``files_foreign`` (declared as written by
    other steps) and ``restore`` (written upstream, and needed here) are relative.
    ``outputs`` are saved, ``watch`` are inputs that later steps read and this step is
    not known to change. ``origins`` says which cell makes an output, for messages.
    ``adds`` are names that the step only adds to, ``collects`` those that it gets with additions.
    ``imports`` are import statements with which the notebook begins: a kernel may be forked from a
    process that has made them. ``modules`` are those that its own statements use
    (None: it may use any). ``made_with`` says, by producing step, which versions made the
    inputs. ``wakeup_socket`` is the address at which the driver listens for new events.
    ``setup_values`` are names that it reads as setup makes them.
    ``masked`` are parameters of this step whose values the process gets through a pipe, ``private``
    all names whose values are not described.
    ``kernel_folder`` is the folder of the earlier attempt whose kernel executes this one; empty: it
    gets a kernel of its own. ``after`` says what becomes of that kernel: it ends (``end``), it
    waits for the next step of the group (``wait``), or it waits if a value could not be saved
    (``wait if needed``).
    """

    run: str
    step: str
    step_id: str
    attempt: int
    notebook: str
    folder: str
    workdir: str
    store: str
    kernel: str = ""
    index: str = ""
    round: int = 0
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    files_expected: tuple[str, ...] = ()
    files_foreign: tuple[str, ...] = ()
    restore: Mapping[str, WrittenFile] = field(default_factory=dict)
    timeout: float | None = None
    memory: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    wakeup_socket: str | None = None
    origins: Mapping[str, int] = field(default_factory=dict)
    setup_readers: Mapping[str, str] = field(default_factory=dict)
    setup_values: tuple[str, ...] = ()
    on_mutation: str = "fail"
    made_with: Mapping[str, MadeWith] = field(default_factory=dict)
    adds: Mapping[str, AdditionOrder] = field(default_factory=dict)
    collects: Mapping[str, CollectionOrder] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    modules: tuple[str, ...] | None = None
    masked: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    kernel_folder: str = ""
    after: Literal["end", "wait", "wait if needed"] = "end"
    schema: int = SCHEMA

    def to_json(self) -> bytes:
        """Return the content of ``order.json``.

        It has no variables that a person set (``env:``), which may be secrets: the step's process
        has them.
        """
        own = {k: v for k, v in self.environment.items() if k.startswith(_OWN_VARIABLES)}
        plain = {**to_plain(self), "environment": own}
        return json.dumps(plain, ensure_ascii=False, indent=1).encode() + b"\n"

    @staticmethod
    def from_json(data: bytes | str) -> StepOrder:
        """Read an order; fields that this version does not know are ignored.

        Raises
        ------
        InfrastructureError
            If it was written by a newer kfnb, or is not an order.
        """
        try:
            plain = json.loads(data)
            schema = plain["schema"]
            order: StepOrder = from_plain(StepOrder, plain)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InfrastructureError(f"This is not a step's order: {error}.") from error
        if not isinstance(schema, int) or schema > SCHEMA:
            raise InfrastructureError(
                f"The step's order has schema {schema}, but this version of kfnb reads {SCHEMA}. "
                "Use the same version of kfnb for the driver and for the steps."
            )
        return order


def inputs_source(order_path: str | PurePath) -> str:
    """Return the source of the injected cell that loads a step's inputs.

    It binds no name and has the value None. The kernel may belong to an environment
    without kfnb: a folder of the attempt is on the module path during the import.
    """
    return f"{_kernel_side(order_path)}.load_inputs({str(order_path)!r})"


def outputs_source(order_path: str | PurePath) -> str:
    """Return the source of the injected cell that saves a step's outputs."""
    return f"{_kernel_side(order_path)}.publish({str(order_path)!r})"


def begin_source(order_path: str | PurePath) -> str:
    """Return what the step process executes silently before the notebook's first cell."""
    return f"{_kernel_side(order_path)}.begin({str(order_path)!r})"


def _kernel_side(order_path: str | PurePath) -> str:
    folder = str(Path(order_path).parent / KERNEL_PATH)
    return (
        "(lambda path, here: (path.insert(0, here), "
        # An import statement would leave a name among the user's own.
        '__import__("kfnb.step.in_kernel.kernel_side", fromlist=["_"]),'
        f' path.remove(here))[1])(__import__("sys").path, {folder!r})'
    )
