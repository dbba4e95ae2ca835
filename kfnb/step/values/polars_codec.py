"""polars by Arrow IPC: its own pickles copy everything in band."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any


class PolarsCodec:
    """Frames and series; everything else of polars pickles as usual."""

    def reduce(self, value: Any) -> Any:
        """Reduce a frame or series to its Arrow IPC bytes."""
        polars = sys.modules["polars"]
        if type(value) is polars.DataFrame:
            return frame, (_written(value),)
        if type(value) is polars.Series:
            return series, (_written(value.to_frame("")), value.name)
        return None


def frame(data: Any) -> Any:
    """Give the frame that was written."""
    import polars

    return polars.read_ipc(io.BytesIO(data), use_pyarrow=False)


def series(data: Any, name: str) -> Any:
    """Give the series that was written."""
    return frame(data).to_series().alias(name)


def _written(value: Any) -> Any:
    target = io.BytesIO()
    value.write_ipc(target)
    return pickle.PickleBuffer(target.getbuffer())


CODEC = PolarsCodec()
