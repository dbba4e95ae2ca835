"""Tables of functions of libraries that set, draw from or read the state of a process."""

from __future__ import annotations

SEEDS = {
    "random.seed": "random",
    "random.setstate": "random",
    "numpy.random.seed": "numpy",
    "numpy.random.set_state": "numpy",
    "torch.manual_seed": "torch",
    "torch.random.manual_seed": "torch",
    "torch.seed": "torch",
    "tensorflow.random.set_seed": "tensorflow",
    "tensorflow.keras.utils.set_random_seed": "tensorflow",
    "keras.utils.set_random_seed": "tensorflow",
}
# Names below these modules that draw nothing from the global generator.
NO_DRAW = {
    "random": frozenset(("Random", "SystemRandom", "getstate")),
    "numpy.random": frozenset(
        [
            "default_rng",
            "Generator",
            "RandomState",
            "SeedSequence",
            "get_state",
            "PCG64",
            "MT19937",
            "Philox",
            "SFC64",
            "BitGenerator",
        ]
    ),
}
TORCH_DRAWS = frozenset(
    f"torch.{name}"
    for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")
)
# Draw from NumPy's global generator unless an argument names another.
IMPLICIT_DRAWS = frozenset(
    ("train_test_split", "make_classification", "make_regression", "make_blobs", "make_moons")
)
# With shuffle=False, train_test_split draws nothing.
STATE_ARGUMENTS = frozenset(("random_state", "rng", "seed", "generator", "shuffle"))

# Variables that a library reads by itself.
LIBRARY_VARIABLES = (
    *("CUDA_", "TF_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "TOKENIZERS_", "HF_", "KMP_"),
    *("TRANSFORMERS_", "PYTORCH_", "XLA_", "JAX_", "SPARK_", "JAVA_", "MLFLOW_", "WANDB_"),
    *("AWS_", "GOOGLE_", "AZURE_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "MPL", "TZ"),
)

OPTIONS = {
    "warnings.filterwarnings": "warnings",
    "warnings.simplefilter": "warnings",
    "matplotlib.pyplot.style.use": "matplotlib",
    "matplotlib.style.use": "matplotlib",
    "matplotlib.use": "matplotlib",
    "matplotlib.rc": "matplotlib",
    "matplotlib.pyplot.rc": "matplotlib",
    "matplotlib.rcParams.update": "matplotlib",
    "matplotlib.pyplot.rcParams.update": "matplotlib",
    "seaborn.set": "matplotlib",
    "seaborn.set_theme": "matplotlib",
    "seaborn.set_style": "matplotlib",
    "seaborn.set_context": "matplotlib",
    "seaborn.set_palette": "matplotlib",
    "pandas.set_option": "pandas",
    "pandas.reset_option": "pandas",
    "numpy.set_printoptions": "numpy",
    "numpy.seterr": "numpy",
    "sklearn.set_config": "sklearn",
    "torch.set_printoptions": "torch",
    "torch.set_default_dtype": "torch",
    "torch.set_default_device": "torch",
    "torch.set_num_threads": "torch",
    "locale.setlocale": "locale",
    "decimal.setcontext": "decimal",
    "logging.basicConfig": "logging",
    "logging.disable": "logging",
    "logging.captureWarnings": "logging",
    "logging.config.dictConfig": "logging",
    "logging.config.fileConfig": "logging",
    "sys.setrecursionlimit": "sys",
    "socket.setdefaulttimeout": "socket",
    "signal.signal": "signal",
    "gc.disable": "gc",
    "gc.set_threshold": "gc",
    "time.tzset": "time",
    "matplotlib.rcdefaults": "matplotlib",
    "matplotlib.pyplot.rcdefaults": "matplotlib",
    "matplotlib.pyplot.ioff": "matplotlib",
    "matplotlib.pyplot.ion": "matplotlib",
    "matplotlib.pyplot.switch_backend": "matplotlib",
    "matplotlib_inline.backend_inline.set_matplotlib_formats": "matplotlib",
    "IPython.display.set_matplotlib_formats": "matplotlib",
    "seaborn.set_color_codes": "matplotlib",
    "seaborn.reset_defaults": "matplotlib",
    "seaborn.reset_orig": "matplotlib",
    "warnings.resetwarnings": "warnings",
    "pandas.plotting.register_matplotlib_converters": "pandas",
    "torch.set_grad_enabled": "torch",
    "torch.set_float32_matmul_precision": "torch",
    "torch.set_default_tensor_type": "torch",
    "tensorflow.compat.v1.logging.set_verbosity": "tensorflow",
    "plotly.offline.init_notebook_mode": "plotly",
    "cufflinks.go_offline": "plotly",
    "cufflinks.set_config_file": "plotly",
    "altair.data_transformers.enable": "altair",
    "altair.data_transformers.disable_max_rows": "altair",
    "altair.renderers.enable": "altair",
    "altair.themes.enable": "altair",
    "holoviews.extension": "holoviews",
    "panel.extension": "panel",
    "bokeh.io.output_notebook": "bokeh",
    "bokeh.plotting.output_notebook": "bokeh",
    "tqdm.tqdm.pandas": "pandas",
    "tqdm.auto.tqdm.pandas": "pandas",
    "tqdm.notebook.tqdm.pandas": "pandas",
    "nest_asyncio.apply": "asyncio",
    "rich.pretty.install": "rich",
    "rich.traceback.install": "rich",
    "faulthandler.enable": "faulthandler",
    "transformers.logging.set_verbosity_error": "transformers",
    "datasets.logging.set_verbosity_error": "datasets",
    "optuna.logging.set_verbosity": "optuna",
    "shap.initjs": "shap",
    "sys.path.append": "sys.path",
    "sys.path.insert": "sys.path",
    "os.environ.setdefault": "environment",
    "os.environ.update": "environment",
    "os.environ.pop": "environment",
    "os.putenv": "environment",
    "os.unsetenv": "environment",
    "dotenv.load_dotenv": "environment",
}
OPTION_PREFIXES = ("polars.Config.set_", "tensorflow.config.")
"""Beginnings of the names of other functions that set options."""
PURE_IMPORTS = frozenset(
    (
        "numpy", "pandas", "scipy", "sklearn", "matplotlib", "torch", "torchvision", "tensorflow",
        "keras", "xgboost", "lightgbm", "catboost", "polars", "pyarrow", "joblib", "requests",
        "PIL", "cv2", "statsmodels", "networkx", "nltk", "bs4", "sqlalchemy", "tqdm", "yaml",
        "transformers", "datasets", "optuna", "mlflow", "plotly", "altair", "bokeh", "IPython",
    )
)  # fmt: skip
"""Packages beside the standard library whose import changes nothing in other packages."""
PURE_FUNCTIONS = frozenset(
    (
        "str", "int", "float", "bool", "list", "tuple", "dict", "set", "slice", "len", "range",
        "os.path.abspath", "os.path.join", "os.path.dirname", "os.path.expanduser", "os.getcwd",
        "pathlib.Path", "pathlib.Path.cwd", "matplotlib.pyplot.cycler", "cycler.cycler",
    )
)  # fmt: skip
"""Functions that give the same in every process of a run."""
PURE_DECORATORS = frozenset(
    (
        "abc.abstractmethod", "attr.attrs", "attr.dataclass", "attr.define", "attr.frozen",
        "attr.mutable", "attr.s", "attrs.define", "attrs.frozen", "attrs.mutable",
        "beartype.beartype", "contextlib.asynccontextmanager", "contextlib.contextmanager",
        "dask.delayed", "dataclasses.dataclass", "dataclasses_json.dataclass_json", "enum.unique",
        "enum.verify", "functools.cache", "functools.cached_property", "functools.lru_cache",
        "functools.partial", "functools.singledispatch", "functools.singledispatchmethod",
        "functools.total_ordering", "functools.wraps", "jax.grad", "jax.jit", "jax.vmap",
        "joblib.delayed", "numba.cfunc", "numba.cuda.jit", "numba.experimental.jitclass",
        "numba.guvectorize", "numba.jit", "numba.jit_module", "numba.njit", "numba.stencil",
        "numba.vectorize", "numpy.vectorize", "pydantic.dataclasses.dataclass",
        "pydantic.validate_call", "pydantic.validate_arguments", "tenacity.retry",
        "tensorflow.function", "toolz.curry", "torch.compile", "torch.inference_mode",
        "torch.jit.script", "torch.no_grad", "typeguard.typechecked", "types.coroutine",
        "unittest.mock.patch", "warnings.deprecated",
    )
)  # fmt: skip
"""Decorators whose only effect is the function or class that they return."""
PURE_ATTRIBUTES = frozenset(
    ("cache", "deleter", "getter", "jit", "memoize", "njit", "setter", "cached", "wraps")
)
"""Methods that are pure as decorators, whatever object they belong to."""
PLOTTING = frozenset(("matplotlib", "seaborn"))
# Options that any code may rely on without naming their library.
USED_EVERYWHERE = frozenset(OPTIONS.values()) - {"matplotlib", "logging", "environment", "sys.path"}
# Options of which the state is carried from step to step (kfnb.step.library_state).
CARRIED_OPTIONS = frozenset((
    "altair", "decimal", "locale", "logging", "matplotlib", "numpy", "pandas", "plotly", "polars",
    "sklearn", "sys", "tqdm", "warnings", "xarray",
))  # fmt: skip
LOGGER_SETS = frozenset(("addHandler", "removeHandler", "setLevel", "addFilter"))
LOGGER_USES = frozenset(("debug", "info", "warning", "error", "critical", "exception", "log"))

ONCE = {
    "time.time", "time.time_ns", "time.perf_counter", "time.monotonic", "datetime.datetime.now",
    "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "uuid.uuid4",
    "uuid.uuid1", "os.getpid", "os.urandom", "secrets.token_hex", "secrets.token_urlsafe",
    "tempfile.mkdtemp", "tempfile.mkstemp", "tempfile.gettempdir", "pandas.Timestamp.now",
    "pandas.Timestamp.today",
}  # fmt: skip

HISTORY = frozenset(("Out", "In", "_oh", "_ih", "_dh"))
MEMO = frozenset(("functools.lru_cache", "functools.cache", "lru_cache", "cache"))
SHELL_METHODS = frozenset(("system", "getoutput", "getoutput_detailed"))
SHELLS = frozenset(("bash", "sh", "system", "sx", "script", "!"))
PROCESSES = ("subprocess.", "os.system", "os.popen")
