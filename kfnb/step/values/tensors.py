"""torch's storages by the memory they lie in, so that tensors share it again once loaded.

torch pickles each storage as a copy of its own inside the pickle. Storages on other
devices than the CPU are left to it.
"""

from __future__ import annotations

import importlib
from typing import Any

from kfnb.step.values.arrays import module, raw


def knows(kind: type) -> bool:
    """Tell whether :func:`reduce` takes values of this type."""
    torch = module("torch")
    if torch is None or module("numpy") is None or not kind.__module__.startswith("torch"):
        return False
    return kind in (torch.storage.UntypedStorage, torch.storage.TypedStorage)


def reduce(storage: Any) -> Any:
    """Reduce a storage on the CPU to an array of its bytes; None: torch does it."""
    torch = module("torch")
    typed = type(storage) is torch.storage.TypedStorage
    untyped = storage._untyped_storage if typed else storage
    if untyped.device.type != "cpu" or not untyped.nbytes():
        return None
    at = untyped.data_ptr()
    return make, (raw(at, at + untyped.nbytes(), untyped), storage.dtype if typed else None)


def make(memory: Any, dtype: Any) -> Any:
    """Make a storage that lies in the memory of an array."""
    torch: Any = importlib.import_module("torch")

    untyped = torch.from_numpy(memory).untyped_storage()
    if dtype is None:
        return untyped
    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)
