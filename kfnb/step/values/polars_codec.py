"""polars frames through Arrow IPC, because polars pickles copy everything in band.

Saved files name the module's public functions by module path, so these must stay here.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Sequence
from typing import Any


class PolarsCodec:
    """Handles frames and series; other types of polars are pickled as usual."""

    def reduce(self, value: Any) -> Any:
        """Reduce a frame or series to its Arrow IPC bytes; columns of objects to lists."""
        polars = sys.modules["polars"]
        if type(value) is polars.DataFrame:
            if polars.Object in value.dtypes:
                return columns, (value.get_columns(),)
            return frame, (_written(value),)
        if type(value) is polars.Series:
            if value.dtype == polars.Object:
                return objects, (value.name, value.to_list())
            return series, (_written(value.to_frame("")), value.name)
        return None


def frame(data: Any) -> Any:
    """Rebuild a frame."""
    import polars

    return polars.read_ipc(io.BytesIO(data), use_pyarrow=False)


def series(data: Any, name: str) -> Any:
    """Rebuild a series."""
    return frame(data).to_series().alias(name)


def objects(name: str, values: Sequence[Any]) -> Any:
    """Rebuild a series of Python objects, for which Arrow has no type."""
    import polars

    return polars.Series(name, values, dtype=polars.Object)


def columns(series_list: Sequence[Any]) -> Any:
    """Rebuild a frame from its columns."""
    import polars

    return polars.DataFrame(series_list)


def _written(value: Any) -> Any:
    target = io.BytesIO()
    value.write_ipc(target)
    # getbuffer() shows the stream's own memory, so nothing is copied.
    return pickle.PickleBuffer(target.getbuffer())


CODEC = PolarsCodec()
