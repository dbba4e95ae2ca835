"""State of the process itself and of the standard library."""

# String paths: this runs in every kernel.

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from typing import Any


class Parts:
    """A kind of state whose parts compare by their content."""

    name = ""
    module = ""

    def compare(self, one: Any, other: Any) -> bool:
        """Compare two captured parts."""
        from kfnb.step.library_state.contents import same

        return same(one, other)


class Environment(Parts):
    """Environment variables; those that kfnb sets before the first cell belong to the attempt."""

    name = "environment variables"
    _ours: frozenset[str] | None = None

    def capture(self) -> Mapping[str, Any]:
        """Return the variables."""
        if self._ours is None:
            self._ours = frozenset(name for name in os.environ if name.startswith("KFNB_"))
        return {name: value for name, value in os.environ.items() if name not in self._ours}

    def restore(self, parts: Mapping[str, Any], gone: Collection[str]) -> None:
        """Set and remove variables."""
        os.environ.update(parts)
        for name in gone:
            os.environ.pop(name, None)


class WorkingDirectory(Parts):
    """The working directory."""

    name = "the working directory"

    def capture(self) -> Mapping[str, Any]:
        """Return the folder; nothing if it was deleted."""
        try:
            return {"folder": os.getcwd()}  # noqa: PTH109
        except OSError:
            return {}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Go to the folder."""
        if "folder" in parts:
            os.chdir(parts["folder"])


class ModulePath(Parts):
    """``sys.path``."""

    name = "the module path"

    def capture(self) -> Mapping[str, Any]:
        """Return the folders."""
        return {"path": list(sys.path)}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the folders, in place."""
        sys.path[:] = parts["path"]


class Warnings(Parts):
    """Filters of warnings."""

    name = "filters of warnings"

    def capture(self) -> Mapping[str, Any]:
        """Return the filters."""
        import warnings

        return {"filters": list(warnings.filters)}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the filters, in place."""
        import warnings

        warnings.filters[:] = parts["filters"]  # type: ignore[index]
        getattr(
            warnings, "_filters_mutated", getattr(warnings, "_filters_mutated_lock_held", int)
        )()


class Locale(Parts):
    """The locale."""

    name = "the locale"
    module = "locale"

    def capture(self) -> Mapping[str, Any]:
        """Return the locale of all categories."""
        import locale

        return {"all": locale.setlocale(locale.LC_ALL)}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the locale of all categories."""
        import locale

        locale.setlocale(locale.LC_ALL, parts["all"])


class Decimal(Parts):
    """The context of ``decimal``."""

    name = "the context of decimal"
    module = "decimal"

    def capture(self) -> Mapping[str, Any]:
        """Return precision, rounding, limits and traps, but not the signals that occurred."""
        context = sys.modules["decimal"].getcontext()
        parts = {
            n: getattr(context, n)
            for n in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
        }
        return parts | {"traps": sorted(s.__name__ for s, on in context.traps.items() if on)}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the given parts of the context."""
        decimal = sys.modules["decimal"]
        context = decimal.getcontext()
        for name, value in parts.items():
            if name == "traps":
                for signal in context.traps:
                    context.traps[signal] = signal.__name__ in value
            else:
                setattr(context, name, value)


class Interpreter(Parts):
    """Settings of the interpreter."""

    name = "settings of the interpreter"

    def capture(self) -> Mapping[str, Any]:
        """Return the limit of recursion and of digits."""
        parts = {"setrecursionlimit": sys.getrecursionlimit()}
        if hasattr(sys, "get_int_max_str_digits"):
            parts["set_int_max_str_digits"] = sys.get_int_max_str_digits()
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the limits."""
        for name, value in parts.items():
            getattr(sys, name)(value)


class Logging(Parts):
    """Levels and handlers of loggers; only handlers that print or write to a file."""

    name = "settings of logging"
    module = "logging"

    def capture(self) -> Mapping[str, Any]:
        """Return the settings of each logger that has any."""
        logging = sys.modules["logging"]
        root = logging.getLogger()
        parts: dict[str, Any] = {"disabled below": root.manager.disable}
        loggers = {
            n: each for n, each in root.manager.loggerDict.items() if hasattr(each, "handlers")
        }
        for name, logger in {"": root, **loggers}.items():
            handlers = [d for h in logger.handlers if (d := self._described(h)) is not None]
            if logger.level or handlers or logger.disabled or not logger.propagate:
                parts[f"logger {name}"] = [
                    logger.level,
                    logger.propagate,
                    logger.disabled,
                    handlers,
                ]
        return parts

    def restore(self, parts: Mapping[str, Any], gone: Collection[str]) -> None:
        """Set levels and handlers."""
        logging = sys.modules["logging"]
        for part in gone:
            self._set(part.partition(" ")[2], [0, True, False, []])
        for part, value in parts.items():
            if part == "disabled below":
                logging.disable(value)
            else:
                self._set(part.partition(" ")[2], value)

    def _set(self, name: str, settings: list[Any]) -> None:
        logger = sys.modules["logging"].getLogger(name)
        level, logger.propagate, logger.disabled, handlers = settings
        logger.setLevel(level)
        for handler in list(logger.handlers):
            if self._described(handler) is not None:
                logger.removeHandler(handler)
        for described in handlers:
            logger.addHandler(self._made(described))

    def _described(self, handler: Any) -> list[Any] | None:
        logging = sys.modules["logging"]
        formatter = handler.formatter
        style = formatter and [
            formatter._fmt,
            formatter.datefmt,
            {v[0]: k for k, v in logging._STYLES.items()}.get(type(formatter._style), "%"),
        ]
        if type(handler) is logging.FileHandler:
            return ["file", handler.baseFilename, handler.encoding, handler.level, style]
        if type(handler) is logging.StreamHandler:
            stream = str(getattr(handler.stream, "name", "")).strip("<>")
            if stream in ("stdout", "stderr"):
                return [stream, "", None, handler.level, style]
        return None

    def _made(self, described: list[Any]) -> Any:
        logging = sys.modules["logging"]
        kind, path, encoding, level, style = described
        if kind == "file":
            handler = logging.FileHandler(path, mode="a", encoding=encoding)
        else:
            handler = logging.StreamHandler(getattr(sys, kind))
        handler.setLevel(level)
        if style:
            handler.setFormatter(logging.Formatter(style[0], style[1], style[2]))
        return handler


PROCESS = (
    Environment(), WorkingDirectory(), ModulePath(), Warnings(), Locale(), Decimal(),
    Interpreter(), Logging(),
)  # fmt: skip
