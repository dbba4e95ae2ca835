"""Global options of libraries that are displayed or computed with."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from kfnb.step.library_state.process import Parts


class Functions(Parts):
    """Options that a library has functions for.

    Parameters
    ----------
    read
        Returns the options of the loaded module.
    write
        Sets some of them.
    """

    def __init__(
        self,
        name: str,
        module: str,
        read: Callable[[Any], Mapping[str, Any]],
        write: Callable[[Any, Mapping[str, Any]], object],
    ) -> None:
        self.name, self.module = name, module
        self._read, self._write = read, write

    def capture(self) -> Mapping[str, Any]:
        """Return the options."""
        return dict(self._read(sys.modules[self.module]))

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the options."""
        if parts:
            self._write(sys.modules[self.module], parts)


class Pandas(Parts):
    """``pandas.options``."""

    name = "options of pandas"
    module = "pandas"

    def capture(self) -> Mapping[str, Any]:
        """Return the options that can be set."""
        config = sys.modules["pandas._config.config"]
        return {
            key: value
            for key, value in _leaves(config._global_config)
            if key in config._registered_options and key not in config._deprecated_options
        }

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the options."""
        for key, value in parts.items():
            sys.modules["pandas"].set_option(key, value)


def _leaves(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


class Matplotlib(Parts):
    """``matplotlib.rcParams``, and colormaps that were registered."""

    name = "settings of matplotlib"
    module = "matplotlib"

    # The first figure chooses the backend, and what is chosen then is no setting of the notebook.
    _chosen = frozenset(("backend", "backend_fallback"))

    def capture(self) -> Mapping[str, Any]:
        """Return the settings."""
        matplotlib = sys.modules["matplotlib"]
        # Reading an item by its own method would choose a backend.
        parts = {
            k: list(v) if type(v) is list else v
            for k, v in dict.items(matplotlib.rcParams)
            if k not in self._chosen
        }
        maps = getattr(sys.modules.get("matplotlib.cm"), "_colormaps", None)
        if maps is not None:
            own = maps._cmaps.keys() - maps._builtin_cmaps
            parts |= {f"colormap {name}": maps._cmaps[name] for name in own}
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the settings."""
        matplotlib = sys.modules["matplotlib"]
        for key, value in parts.items():
            if key.startswith("colormap "):
                matplotlib.colormaps.register(value, name=key.partition(" ")[2], force=True)
            else:
                dict.__setitem__(matplotlib.rcParams, key, value)


class Polars(Parts):
    """``polars.Config``."""

    name = "options of polars"
    module = "polars"

    def capture(self) -> Mapping[str, Any]:
        """Return the options as polars saves them."""
        return {"config": sys.modules["polars"].Config.save()}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Load what polars has saved."""
        sys.modules["polars"].Config.load(parts["config"])


class Altair(Parts):
    """Renderers, data transformers and themes of Altair that are enabled."""

    name = "settings of Altair"
    module = "altair"
    _registries = ("renderers", "data_transformers", "themes")

    def capture(self) -> Mapping[str, Any]:
        """Return the name and the options of what is enabled."""
        altair, parts = sys.modules["altair"], {}
        for name in self._registries:
            registry = getattr(altair, name if name != "themes" else "theme", None)
            registry = getattr(registry, "_themes", registry)
            with contextlib.suppress(Exception):
                parts[name] = (registry.active, dict(registry.options))  # type: ignore[union-attr]
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Enable it again."""
        altair = sys.modules["altair"]
        for name, (active, options) in parts.items():
            owner = getattr(altair, name if name != "themes" else "theme", None)
            owner.enable(active, **options)  # type: ignore[union-attr]


class TqdmPandas(Parts):
    """The methods that ``tqdm.pandas()`` adds to pandas."""

    name = "tqdm's methods of pandas"
    module = "tqdm"

    def capture(self) -> Mapping[str, Any]:
        """Return whether pandas has the methods."""
        pandas = sys.modules.get("pandas")
        frame = getattr(pandas, "DataFrame", None)
        return {"pandas": True} if hasattr(frame, "progress_apply") else {}

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Add the methods, unless the step has added them with arguments of its own."""
        if parts and not self.capture():
            sys.modules["tqdm"].tqdm.pandas()


class Notebook(Parts):
    """Settings of IPython's shell that decide what a cell displays."""

    name = "settings of IPython"
    module = "IPython"

    def capture(self) -> Mapping[str, Any]:
        """Return the settings, magics of the user's own and formatters."""
        shell = sys.modules["IPython"].get_ipython()
        if shell is None:
            return {}
        parts: dict[str, Any] = {"ast_node_interactivity": shell.ast_node_interactivity}
        for kind, magics in shell.magics_manager.magics.items():
            for name, function in magics.items():
                if getattr(function, "__module__", "") == "__main__":
                    parts[f"magic {kind} {name}"] = function
        for mime, formatter in shell.display_formatter.formatters.items():
            for kind, function in formatter.type_printers.items():
                if getattr(function, "__module__", "") == "__main__":
                    parts[f"formatter {mime} {kind.__module__}.{kind.__qualname__}"] = (
                        kind,
                        function,
                    )
        return parts

    def restore(self, parts: Mapping[str, Any], _gone: Collection[str]) -> None:
        """Set the settings."""
        shell = sys.modules["IPython"].get_ipython()
        for part, value in parts.items():
            what, _, rest = part.partition(" ")
            if what == "magic":
                kind, _, name = rest.partition(" ")
                shell.register_magic_function(value, kind, name)
            elif what == "formatter":
                kind, function = value
                shell.display_formatter.formatters[rest.partition(" ")[0]].for_type(kind, function)
            else:
                setattr(shell, part, value)


def _plotly_read(io: Any) -> dict[str, Any]:
    return {"renderers": io.renderers.default, "templates": io.templates.default}


def _plotly_write(io: Any, parts: Mapping[str, Any]) -> None:
    for name, value in parts.items():
        getattr(io, name).default = value


OPTIONS = (
    Pandas(),
    Matplotlib(),
    Polars(),
    Altair(),
    TqdmPandas(),
    Notebook(),
    Functions(
        "printing options of NumPy", "numpy",
        lambda numpy: {k: v for k, v in numpy.get_printoptions().items() if k != "override_repr"},
        lambda numpy, parts: numpy.set_printoptions(**parts),
    ),
    Functions(
        "error handling of NumPy", "numpy",
        lambda numpy: numpy.geterr(), lambda numpy, parts: numpy.seterr(**parts),
    ),
    Functions(
        "settings of scikit-learn", "sklearn",
        lambda sklearn: sklearn.get_config(), lambda sklearn, parts: sklearn.set_config(**parts),
    ),
    Functions(
        "options of xarray", "xarray.core.options",
        lambda options: options.OPTIONS, lambda options, parts: options.OPTIONS.update(parts),
    ),
    Functions("settings of Plotly", "plotly.io", _plotly_read, _plotly_write),
)  # fmt: skip
