"""Registries of the standard library."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from kfnb.step.library_state.process import Parts


class CsvDialects(Parts):
    """Dialects of ``csv``."""

    name = "dialects of csv"
    module = "csv"
    _options = (
        "delimiter", "quotechar", "escapechar", "doublequote", "skipinitialspace",
        "lineterminator", "quoting", "strict",
    )  # fmt: skip

    def capture(self) -> Mapping[str, Any]:
        """Return the options of each dialect."""
        csv = sys.modules["csv"]
        return {
            name: {option: getattr(csv.get_dialect(name), option) for option in self._options}
            for name in csv.list_dialects()
        }

    def restore(self, parts: Mapping[str, Any], gone: Collection[str]) -> None:
        """Register and unregister dialects."""
        csv = sys.modules["csv"]
        for name, options in parts.items():
            csv.register_dialect(name, **options)
        for name in set(gone) & set(csv.list_dialects()):
            csv.unregister_dialect(name)


class SqliteAdapters(Parts):
    """Adapters and converters of ``sqlite3``."""

    name = "adapters of sqlite3"
    module = "sqlite3"

    def capture(self) -> Mapping[str, Any]:
        """Return the functions, with the types that they are for."""
        sqlite3 = sys.modules["sqlite3"]
        parts: dict[str, Any] = {}
        for (kind, _), function in sqlite3.adapters.items():
            parts[f"adapter {kind.__module__}.{kind.__qualname__}"] = (kind, function)
        for name, function in sqlite3.converters.items():
            parts[f"converter {name}"] = function
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Register the functions."""
        sqlite3 = sys.modules["sqlite3"]
        for part, value in parts.items():
            what, _, name = part.partition(" ")
            if what == "adapter":
                sqlite3.register_adapter(*value)
            else:
                sqlite3.register_converter(name, value)

    def compare(self, one: Any, other: Any) -> bool:
        """Compare functions by identity."""
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
        return all(a is b for a, b in pairs)


REGISTRIES = (CsvDialects(), SqliteAdapters())
