"""Global random generators."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any


class PythonRandom:
    """The generator of the module ``random``."""

    name = "Python's random generator"
    module = "random"
    seeds = (("random", "seed"), ("random", "setstate"))

    def capture(self) -> Mapping[str, Any]:
        """Return the state of the generator."""
        return {"state": sys.modules["random"].getstate()}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the state of the generator."""
        sys.modules["random"].setstate(parts["state"])

    def compare(self, one: Any, other: Any) -> bool:
        """Compare two states."""
        return bool(one == other)


class NumpyRandom:
    """NumPy's legacy generator, which ``numpy.random.rand`` and scikit-learn draw from."""

    name = "NumPy's random generator"
    module = "numpy.random"
    seeds = (("numpy.random", "seed"), ("numpy.random", "set_state"))

    def capture(self) -> Mapping[str, Any]:
        """Return the state of the generator; its array as bytes, so that states compare."""
        kind, keys, *rest = sys.modules["numpy.random"].get_state(legacy=True)
        return {"state": (kind, keys.tobytes(), *rest)}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the state of the generator."""
        numpy = sys.modules["numpy"]
        kind, keys, *rest = parts["state"]
        array = numpy.frombuffer(keys, dtype=numpy.uint32)
        sys.modules["numpy.random"].set_state((kind, array, *rest))

    def compare(self, one: Any, other: Any) -> bool:
        """Compare two states."""
        return bool(one == other)


class TorchRandom:
    """PyTorch's generators: that of the CPU, and those of CUDA once it is in use."""

    name = "PyTorch's random generator"
    module = "torch"
    seeds = (("torch", "manual_seed"), ("torch.random", "manual_seed"), ("torch", "set_rng_state"))

    def capture(self) -> Mapping[str, Any]:
        """Return the states of the generators, as bytes."""
        torch = sys.modules["torch"]
        parts = {"state": torch.get_rng_state().numpy().tobytes()}
        if torch.cuda.is_initialized():
            for number, state in enumerate(torch.cuda.get_rng_state_all()):
                parts[f"cuda:{number}"] = state.numpy().tobytes()
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the states of the generators."""
        torch = sys.modules["torch"]
        for name, data in parts.items():
            state = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            if name == "state":
                torch.set_rng_state(state)
            else:
                torch.cuda.set_rng_state(state, name)

    def compare(self, one: Any, other: Any) -> bool:
        """Compare two states."""
        return bool(one == other)


GENERATORS = (PythonRandom(), NumpyRandom(), TorchRandom())
