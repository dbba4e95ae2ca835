"""Names of libraries' calls that set, draw from or read the state of a process."""

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
# Take NumPy's global generator unless told which one.
IMPLICIT_DRAWS = frozenset(
    ("train_test_split", "make_classification", "make_regression", "make_blobs", "make_moons")
)
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
}
PLOTTING = frozenset(("matplotlib", "seaborn"))
# Options that any code may rely on without naming their library.
FELT_ANYWHERE = frozenset(OPTIONS.values()) - {"matplotlib", "logging"}
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
