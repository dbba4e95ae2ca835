"""What a template loads, and what it is asked to fork: two frozen values and their JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """What one template has loaded. Equal specs can share a template.

    Attributes
    ----------
    kind
        ``"step"``: the step runner with papermill; ``"kernel"``: ipykernel, and ``imports``.
    python
        The interpreter's path.
    imports
        Source of import statements, each executed in a namespace of its own.
    environment
        The whole environment of the template. Variables that differ in a fork must be ones that
        neither the interpreter nor an imported library reads when it starts.
    options
        Options of the interpreter, such as ``-Xfrozen_modules=off``.
    """

    kind: Literal["step", "kernel"]
    python: str
    imports: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Hash the environment too, which is a mapping."""
        environment = frozenset(self.environment.items())
        return hash((self.kind, self.python, self.imports, environment, self.options))


@dataclass(frozen=True, slots=True)
class ForkOrder:
    """What a child does that a template forks.

    Attributes
    ----------
    arguments
        Kind ``"step"``: the arguments of ``python -m kfnb.step``; kind ``"kernel"``: those of
        ``python -m ipykernel_launcher``.
    cwd
        The child's working directory.
    environment
        The child's whole environment.
    descriptors
        Names of the descriptors that are passed along, in their order. ``stdin``, ``stdout`` and
        ``stderr`` become the standard streams (``/dev/null`` where they are missing). The number
        of any other is in the child's variable ``KFNB_NAME_FD``.
    watch
        Have the files that the child opens reported to a listener, which the template's parent
        receives with :class:`~kfnb.step.templates.template.Forked`.
    local_names
        Names of modules in ``cwd``, and of files there that libraries read when they are imported.
        A template that has loaded something else under such a name does not fork.
    umask, limits
        The child's file mode mask, and its soft and hard resource limits by number; those of the
        template if missing.
    """

    arguments: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    descriptors: tuple[str, ...] = ()
    watch: bool = False
    local_names: tuple[str, ...] = ()
    umask: int | None = None
    limits: Mapping[int, tuple[int, int]] = field(default_factory=dict)


def to_json(value: TemplateSpec | ForkOrder) -> bytes:
    """Return a spec or an order as JSON."""
    # An environment may hold bytes that are no text; os.environ shows them as lone surrogates.
    return json.dumps(asdict(value), ensure_ascii=True).encode()


def spec_from_json(data: bytes) -> TemplateSpec:
    """Read a spec."""
    plain = json.loads(data)
    for name in ("imports", "options"):
        plain[name] = tuple(plain[name])
    return TemplateSpec(**plain)


def order_from_json(data: bytes) -> ForkOrder:
    """Read an order."""
    plain: dict[str, Any] = json.loads(data)
    for name in ("arguments", "descriptors", "local_names"):
        plain[name] = tuple(plain[name])
    plain["limits"] = {int(k): tuple(v) for k, v in plain["limits"].items()}
    return ForkOrder(**plain)
