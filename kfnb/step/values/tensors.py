"""torch's storages, saved out of band, so that tensors share memory after loading too.

torch itself copies each storage into the pickle. Storages on other devices than the CPU are left
to torch. Saved files name :func:`make` by module path, so it must stay here.
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
    """Reduce a storage on the CPU to an array of its bytes; None if torch must do it."""
    torch = module("torch")
    typed = type(storage) is torch.storage.TypedStorage
    untyped = storage._untyped_storage if typed else storage
    if untyped.device.type != "cpu" or not untyped.nbytes():
        return None
    at = untyped.data_ptr()
    return make, (raw(at, at + untyped.nbytes(), untyped), storage.dtype if typed else None)


def make(memory: Any, dtype: Any) -> Any:
    """Rebuild a storage that uses the memory of an array."""
    torch: Any = importlib.import_module("torch")

    untyped = torch.from_numpy(memory).untyped_storage()
    if dtype is None:
        return untyped
    # Without _internal torch warns that these storages are deprecated.
    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)
