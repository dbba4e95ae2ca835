"""The frozen values that a notebook is read into: no I/O, nothing heavy imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfnb.json_values import to_plain
from kfnb.locations import line_text, location

Role = Literal["setup", "parameters", "definitions", "step", "metrics"]
Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the source notebook.

    ``index`` counts from 0 over all cells, markdown included; ``source`` is what the author wrote,
    ``code`` what IPython's input transformation makes of it (None where that is the same, or where
    the cell is not code). ``execution_count`` is the number that Jupyter shows beside the cell.
    """

    index: int
    id: str
    type: str
    source: str
    code: str | None = None
    tags: tuple[str, ...] = ()
    execution_count: int | None = None

    def location(self, line: int | None = None, *, step: str | None = None) -> str:
        """Write where this cell, or a line of it (from 1), is: ``[12] line 3: `fit(X)` ``."""
        return location(
            step=step,
            execution_count=self.execution_count,
            line=line,
            text=line_text(self.source, line),
        )


@dataclass(frozen=True, slots=True)
class Parameter:
    """A pipeline parameter: a top-level name of the ``parameters`` cell with a literal default."""

    name: str
    default: Any
    type: str
    expression: str
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Secret:
    """An environment variable taken from key ``key`` of the Kubernetes Secret ``name``."""

    name: str
    key: str
    env: str


@dataclass(frozen=True, slots=True)
class Options:
    """How a step is to be executed; None and empty mean that nothing is set.

    ``timeout`` is in seconds; ``cpu``, ``memory`` and ``limits`` are Kubernetes
    quantities as typed (``500m``, ``4Gi``, ``nvidia.com/gpu: 1``). ``once``: the step has
    effects outside that must not happen twice.
    """

    image: str | None = None
    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    retries: int | None = None
    timeout: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cache: bool | None = None
    once: bool | None = None

    def said(self) -> dict[str, Any]:
        """Return the options that are set, as plain JSON values."""
        return {k: v for k, v in to_plain(self).items() if v not in (None, {}, [])}


@dataclass(frozen=True, slots=True)
class Statement:
    """A top-level statement of a cell: its span in the cell's code and the hash of its syntax tree.

    Lines count from 1, columns (in characters, not UTF-8 bytes) from 0; the end column is
    exclusive. ``code`` is a hash of the syntax tree, so comments and layout do not change it.
    """

    first_line: int
    first_column: int
    last_line: int
    last_column: int
    code: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A cell, or some statements of one, that a step executes.

    ``whole`` executes the cell as it stands; otherwise only ``statements`` are executed, and the
    rest of the cell is blank, so that line numbers agree with the source. ``statements`` are those
    that the step reaches. The cache key is made of them, even if the whole cell is executed.
    """

    cell: int
    role: Role
    whole: bool
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A top-level ``def``, ``class`` or ``import`` that can be replayed from source.

    ``pieces`` is closed: replaying them in notebook order gives the definition
    in a fresh kernel.
    """

    name: str
    cell: int
    kind: Literal["function", "class", "import"]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FileUse:
    """A path that a step's source reads, writes or (folders, patterns) lists.

    ``path`` is the literal path as seen from the notebook's folder with default
    parameters (None where it is not known); ``template`` the same with
    ``{name}`` where parameters or constants stand.
    """

    path: str | None
    template: str
    mode: Literal["read", "write", "list"]
    cell: int
    line: int


def additions_name(name: str, step: str) -> str:
    """Return the name under which a step publishes what it adds to a value: no identifier.

    >>> additions_name("results", "forest")
    'results (added by forest)'
    """
    return f"{name} (added by {step})"


@dataclass(frozen=True, slots=True)
class Addition:
    """How a step adds to a value that it does not read: it publishes what it adds.

    ``form`` is one of ``items grow list set sum`` (:mod:`kfnb.step.collecting`). ``base`` is the
    step that left the value before all additions (None: setup makes it).
    """

    form: str
    base: str | None


@dataclass(frozen=True, slots=True)
class Collection:
    """How a step gets a value to which earlier steps only added: the base, then the additions.

    ``base`` is as in :class:`Addition`, ``adders`` are in the notebook's order. Later, another step
    reads the value (``read_later``), or changes it or adds to it (``changed_later``).
    """

    base: str | None
    adders: tuple[str, ...]
    read_later: bool = False
    changed_later: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it executes and what flows in and out of it.

    ``inputs`` maps each name that the step reads to the step that produces it;
    ``maybe`` are the inputs that are needed only because the step may leave the
    old value. ``pieces`` are executed in order: prelude (setup, parameters,
    definitions), then the inputs are loaded, then the step's own cells.
    ``setup_values`` are the names that it reads as setup made them. ``adds`` are the names that
    it only adds to, ``collects`` those that it gets with what earlier steps added.
    """

    name: str
    id: str
    order: int
    cells: tuple[int, ...]
    notes: tuple[int, ...]
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...]
    after: tuple[str, ...]
    changes: tuple[str, ...]
    options: Options
    prelude: tuple[Piece, ...]
    body: tuple[Piece, ...]
    maybe: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    reads: tuple[FileUse, ...] = ()
    writes: tuple[FileUse, ...] = ()
    metrics: tuple[str, ...] = ()
    opaque: bool = False
    lists: tuple[FileUse, ...] = ()
    setup_values: tuple[str, ...] = ()
    adds: Mapping[str, Addition] = field(default_factory=dict)
    collects: Mapping[str, Collection] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, str]:
        """The published values that are loaded, with the steps that publish them.

        For a value that is collected these are its base and each step's additions.
        """
        # The last step that adds is the input, but each addition is published by its own step.
        sources = {n: s for n, s in self.inputs.items() if n not in self.collects}
        for name, collection in self.collects.items():
            if collection.base is not None:
                sources[name] = collection.base
            for adder in collection.adders:
                sources[additions_name(name, adder)] = adder
        return sources

    @property
    def published(self) -> tuple[str, ...]:
        """The outputs under the names that they are published by."""
        return tuple(additions_name(n, self.name) if n in self.adds else n for n in self.outputs)


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency between two steps and the reasons for it; a pair of steps has one edge.

    ``state`` says which state of libraries flows, and where it is set.
    """

    source: str
    target: str
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    explicit: bool = False
    state: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Steps that share a kernel, in the notebook's order, and why they do.

    ``names`` are the values between them that cannot be saved.
    """

    steps: tuple[str, ...]
    names: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: what is wrong, where, and what to do.

    ``cell`` is the notebook index (from 0), ``line`` counts from 1 in that cell. ``text`` is
    that line, or the cell's first one where no line is known.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    step: str | None = None
    cell: int | None = None
    line: int | None = None
    text: str | None = None
    execution_count: int | None = None

    def __str__(self) -> str:
        # The location need not repeat a step that the message names.
        named = self.step is None or f'"{self.step}"' in self.message
        where = self._location(None if named or self.cell is None else self.step)
        where = f" ({where})" if where else ""
        return f"{self.code}: {self.message}{where}. {self.remedy}".rstrip()

    @property
    def location(self) -> str:
        """Where it is, as a person sees it: ``step "train", [12] line 3: `model.fit(X)` ``."""
        return self._location(self.step)

    def _location(self, step: str | None) -> str:
        count = self.execution_count
        return location(step=step, execution_count=count, line=self.line, text=self.text)


@dataclass(frozen=True, slots=True)
class Volume:
    """A claim or empty folder mounted into the steps of a pipeline."""

    name: str
    mount: str
    claim: str | None = None
    size: str | None = None
    storage_class: str | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A notebook read as a pipeline. Immutable; made by :func:`kfnb.read`."""

    name: str
    description: str
    kernel: str
    language: str
    cells: tuple[Cell, ...]
    parameters: tuple[Parameter, ...]
    steps: Mapping[str, Step]
    edges: tuple[Edge, ...]
    diagnostics: tuple[Diagnostic, ...]
    definitions: tuple[Definition, ...] = ()
    defaults: Options = Options()
    volumes: tuple[Volume, ...] = ()
    targets: Mapping[str, Any] = field(default_factory=dict)
    on_exit: str | None = None
    path: str | None = None
    groups: tuple[StepGroup, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that stop a run before anything starts."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def location(
        self, cell: int | None, line: int | None = None, *, step: str | None = None
    ) -> str:
        """Write a location as a person sees it: ``step "train", [12] line 3: `fit(X)` ``.

        ``cell`` is the index in the notebook (from 0), ``line`` counts from 1 in that cell.
        The step is left out where it is not given: the sentence around it names it already.
        """
        if cell is None or not 0 <= cell < len(self.cells):
            return location(step=step, line=line)
        return self.cells[cell].location(line, step=step)

    def to_dot(self) -> str:
        """Return the pipeline in Graphviz's language (DOT)."""
        # Programs that only read a pipeline do not import what drawing needs.
        from kfnb.draw import dot

        return dot(self)

    def __str__(self) -> str:
        """Summarize the pipeline in a few lines; ``repr`` has all of it."""
        from kfnb.draw import summary

        return summary(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return a picture for Jupyter, and text for a terminal."""
        from kfnb.draw import picture, text

        return {"image/svg+xml": picture(self), "text/plain": text(self)}
