"""The values that a step published: described at once, loaded on access."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfnb.engine.core.event_types import OutputData, StepSucceeded
from kfnb.errors import InfrastructureError, UsageError
from kfnb.pipeline import Addition, Pipeline, additions_name
from kfnb.step.collecting import Additions, merged
from kfnb.store.blobs import Store
from kfnb.store.manifest import Bundle, Manifest
from kfnb.store.remote.base import Refused


class Outputs(Mapping[str, Any]):
    """The outputs of one step: a mapping of names to values.

    ``outputs["model"]`` loads the value into this process, once; names that stayed
    unbound are not in the mapping. :meth:`describe` never loads anything.
    """

    def __init__(
        self,
        result: Callable[[], StepSucceeded | None],
        *,
        step: str,
        pipeline: Pipeline,
        store: Callable[[], Store],
        others: Callable[[str], Outputs] | None = None,
    ) -> None:
        self._others = others
        self._result = result
        self._store = store
        self._step = step
        self._pipeline = pipeline
        self._loaded: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def describe(self, name: str | None = None) -> dict[str, Any]:
        """Describe a value without loading it.

        Parameters
        ----------
        name
            An output; without it, all of them by name.

        Returns
        -------
        dict
            ``type`` (text), ``shape`` (list or None), ``size`` (bytes or None), ``repr``
            (short text).

        Raises
        ------
        KeyError
            If the step has not published that name.
        """
        if name is not None:
            return self._described(name)
        return {known: self._described(known) for known in self}

    def __getitem__(self, name: str) -> Any:
        """Load one value.

        Raises
        ------
        KeyError
            If the step has not published that name.
        UsageError
            If the value needs a definition of the notebook that this process lacks.
        InfrastructureError
            If the value was removed from the store.
        """
        description = self._published()[name]
        addition = self._addition(name)
        if addition is None:
            return self._value(name, description)
        *_, (_, _, base) = added = [
            *(self._of(step)._added(name) for step in self._before(name, addition)),
            self._added(name),
        ]
        if addition.base is not None:
            base = (self._of(addition.base)[name],)
        return merged(base[0], added)

    def _added(self, name: str) -> Additions:
        """Load what the step has added to a value."""
        added: Additions = self._value(additions_name(name, self._step), self._published()[name])
        return added

    def _value(self, name: str, description: OutputData) -> Any:
        bundle = self._bundle(name, description)
        # Values of one bundle are loaded together, so that they share objects as they did in the
        # step.
        if bundle.blobs not in self._loaded:
            self._loaded[bundle.blobs] = self._load(name, bundle)
        return self._loaded[bundle.blobs][name]

    def _before(self, name: str, addition: Addition) -> list[str]:
        """Return the steps before this one that add to the same base."""
        steps = sorted(self._pipeline.steps.values(), key=lambda step: step.order)
        names = [step.name for step in steps if step.adds.get(name) == addition]
        return names[: names.index(self._step)]

    def _of(self, step: str) -> Outputs:
        if self._others is None:
            raise KeyError(step)
        return self._others(step)

    def _addition(self, name: str) -> Addition | None:
        step = self._pipeline.steps.get(self._step)
        return step.adds.get(name) if step is not None else None

    def __contains__(self, name: object) -> bool:
        return name in self._published()  # does not load it

    def __iter__(self) -> Iterator[str]:
        return iter(self._published())

    def __len__(self) -> int:
        return len(self._published())

    def __repr__(self) -> str:
        listed = ", ".join(f"{k}: {v['type']}" for k, v in self.describe().items())
        return f"<outputs of {self._step!r}: {listed or 'none yet'}>"

    def _published(self) -> dict[str, OutputData]:
        result = self._result()
        outputs = result.outputs if result is not None else {}
        step = self._pipeline.steps.get(self._step)
        # What a step adds to a value is published under another name than the value's.
        added = {additions_name(name, self._step): name for name in (step.adds if step else ())}
        return {
            added.get(name, name): output for name, output in outputs.items() if not output.absent
        }

    def _described(self, name: str) -> dict[str, Any]:
        description = self._published()[name]
        shape = description.shape
        return {
            "type": description.type or "",
            "shape": None if shape is None else list(shape),
            "size": description.size,
            "repr": description.repr or "",
        }

    def _bundle(self, name: str, description: OutputData) -> Bundle:
        result = self._result()
        key = str(result.manifest if result is not None else None)
        data = self._store().get(key)
        try:
            bundles = Manifest.from_json(data or b"").bundles
            return bundles[str(description.bundle)]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InfrastructureError(
                f'The value "{name}" of step "{self._step}" is no longer in the store ({key}).'
            ) from error

    def _load(self, name: str, bundle: Bundle) -> Mapping[str, Any]:
        from kfnb.step.values import DamagedError, MissingDefinitionError, load

        store = self._store()
        try:
            files = [store.fetch(blob) for blob in bundle.blobs]
        except Refused as error:
            raise InfrastructureError(
                f'The value "{name}" of step "{self._step}" cannot be read: {error}'
            ) from error
        if not all(file.is_file() for file in files):
            raise InfrastructureError(
                f'The value "{name}" of step "{self._step}" was removed from the store. '
                "Run the pipeline again to compute it."
            )
        # Before loading, which would fail at the first missing definition and not name the others.
        missing = self._missing(bundle)
        if missing:
            raise UsageError(self._needs(name, missing, None))
        try:
            values: Mapping[str, Any] = load(files).values
        except (AttributeError, ImportError, NameError, KeyError, MissingDefinitionError) as error:
            raise UsageError(self._needs(name, [], error)) from error
        except (DamagedError, OSError) as error:
            raise InfrastructureError(
                f'The value "{name}" of step "{self._step}" cannot be read: {error}.'
            ) from error
        except Exception as error:  # unpickling calls the value's own code
            raised = UsageError(f"its own code raised {type(error).__name__}: {error}")
            raise UsageError(self._needs(name, [], raised)) from error
        return values

    def _missing(self, bundle: Bundle) -> list[str]:
        main = vars(sys.modules["__main__"])
        return [name for name in bundle.classes if name not in main]

    def _needs(self, name: str, missing: list[str], error: Exception | None) -> str:
        description = self._published().get(name)
        kind = description.type if description is not None else "additions"
        what = f'The value "{name}" ({kind}) of step "{self._step}" cannot be loaded here: '
        if not missing:
            return f"{what}{error}."
        cells = {d.name: d.cell for d in self._pipeline.definitions}
        sources = self._pipeline.cells
        listed = ", ".join(
            f'"{n}" ({sources[cells[n]].location()})' if n in cells else f'"{n}"' for n in missing
        )
        return (
            f"{what}it needs {listed} from the notebook. Execute the cell that defines it in this "
            "kernel first. describe() works without it."
        )
