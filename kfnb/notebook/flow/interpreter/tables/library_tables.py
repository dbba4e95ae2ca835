"""What is known of functions and methods that are not the notebook's own.

Missing entries are found when the pipeline runs; too many only cost parallelism.
"""

from __future__ import annotations

import builtins


def words(text: str) -> frozenset[str]:
    """Give the words of a text."""
    return frozenset(text.split())


KNOWN_NAMES = frozenset(dir(builtins)) | {
    "display",
    "get_ipython",
    "exit",
    "quit",
    "In",
    "Out",
    "_",
    "__",
    "___",
    "_i",
    "_ii",
    "_iii",
    "_ih",
    "_oh",
    "_dh",
    "_exit_code",
    "open",
    "__name__",
    "__doc__",
    "__spec__",
    "__loader__",
    "__package__",
    "__builtin__",
    "__builtins__",
    "__IPYTHON__",
    "__annotations__",
    "__session__",
    "__vsc_ipynb_file__",
}

# Methods that change the object itself, or what is next to come out of it.
MUTATORS = words(
    """
    append appendleft extend extendleft insert pop popleft popitem remove clear update add
    discard sort reverse rotate setdefault move_to_end subtract difference_update
    intersection_update symmetric_difference_update fill put itemset resize setflags setfield
    write writelines writerow writerows writeheader seek truncate read readline readlines
    readinto close send throw push enqueue dequeue register unregister subscribe connect reset
    set seed setstate jumpahead advance jumped spawn savefig __setitem__ __delitem__
    __setattr__ __delattr__ __iadd__
    """
)

# Those that are known by their name alone where they are taken without being called.
TAKEN_METHODS = words(
    """
    append appendleft extend extendleft insert pop popleft popitem remove clear update add
    discard sort reverse rotate setdefault
    """
)

# Calls that make a class named by their first argument, a definition like any other.
CLASS_FACTORIES = words(
    """
    collections.namedtuple typing.NamedTuple typing.TypedDict typing.NewType typing.TypeVar
    typing.ParamSpec dataclasses.make_dataclass enum.Enum enum.IntEnum enum.StrEnum enum.Flag
    enum.IntFlag type
    """
)

# Of those, methods that begin anew: what was fitted before does not matter to them.
FITTING = words("fit fit_transform fit_predict fit_resample")

# Methods that change the object and what it is made of.
DEEP_MUTATORS = words(
    """
    fit partial_fit fit_transform fit_predict fit_resample fit_generator train train_on_batch
    train_model learn tune optimize compile build step zero_grad backward load_state_dict
    load_weights load_model load_parameters set_params requires_grad_ freeze unfreeze prune
    train_epoch fit_on_texts adapt build_vocab warm_start partial_train finetune half double to
    cuda cpu apply_gradients minimize assign_add assign_sub manual_seed
    """
)

# Of those, methods that change a module in place, but give a new tensor. Source: PyTorch's
# documentation of Tensor.to and Module.to.
CONVERSIONS = words("to cuda cpu half double float bfloat16")

# Of those, what gives the object itself, so that `m = x.fit(...)` is an alias.
FLUENT = words(
    """
    fit partial_fit train eval to cuda cpu half double set_params compile build requires_grad_
    unfreeze freeze adapt finetune
    """
)

# Beginnings of methods that change the object, and the exceptions.
MUTATING_PREFIXES = ("add_", "remove_", "set_", "append_", "register_", "insert_", "update_")
NOT_MUTATING = words(
    """
    set_index set_axis set_geometry set_crs set_flags set_sorted add_prefix add_suffix
    remove_unused_categories add_categories remove_categories set_categories set_option
    set_theme set_style set_palette set_context
    """
)

# Methods whose result is part of the object, or shows it.
VIEWS = words(
    """
    items values keys get pop popleft popitem setdefault parameters named_parameters children
    modules named_children named_modules buffers reshape ravel view squeeze transpose swapaxes
    T __getitem__ __iter__ __next__ unsqueeze detach numpy to_numpy state_dict get_layer
    getbuffer permute expand contiguous narrow add_subplot gca subplots subplot_mosaic add_axes
    twinx twiny add_subparsers add_argument_group submodule get_submodule open
    """
)

# Functions whose result holds what they are given (its parts, not a copy of them).
CONTAINERS = words(
    """
    list dict tuple set frozenset sorted reversed enumerate zip iter map filter max min next
    getattr vars copy.copy collections.deque collections.OrderedDict collections.ChainMap
    collections.defaultdict collections.Counter itertools.chain itertools.cycle
    itertools.islice itertools.repeat itertools.zip_longest itertools.product itertools.tee
    itertools.chain.from_iterable functools.partial functools.reduce operator.itemgetter
    operator.attrgetter types.SimpleNamespace types.MappingProxyType memoryview weakref.ref
    weakref.proxy contextlib.nullcontext contextlib.closing random.choice random.sample
    random.choices numpy.asarray numpy.asanyarray numpy.ravel numpy.reshape numpy.squeeze
    numpy.transpose numpy.atleast_1d numpy.atleast_2d numpy.broadcast_to numpy.frombuffer
    numpy.expand_dims numpy.ascontiguousarray numpy.swapaxes numpy.split numpy.array_split
    torch.from_numpy torch.as_tensor torch.utils.data.TensorDataset
    sklearn.pipeline.make_pipeline sklearn.pipeline.make_union
    sklearn.compose.make_column_transformer tqdm.tqdm tqdm.auto.tqdm tqdm.notebook.tqdm tqdm
    tqdm.trange alive_progress.alive_it rich.progress.track joblib.delayed
    concurrent.futures.as_completed
    """
)

# What gives a dictionary, list or set of what it is given, as a display does.
DISPLAYS = words("dict list set tuple frozenset sorted")

# Of those, what gives the very elements (or the thing itself).
ELEMENTS = words(
    """
    max min next getattr vars random.choice functools.reduce numpy.asarray numpy.asanyarray
    numpy.ravel numpy.reshape numpy.squeeze numpy.transpose numpy.atleast_1d numpy.atleast_2d
    numpy.broadcast_to numpy.frombuffer numpy.expand_dims numpy.ascontiguousarray
    numpy.swapaxes torch.from_numpy torch.as_tensor memoryview contextlib.nullcontext
    contextlib.closing tqdm.tqdm tqdm.auto.tqdm tqdm.notebook.tqdm tqdm
    """
)

# Functions that call one that they are given, and give what it gave.
APPLYING = words(
    """
    map filter sorted max min sum any all functools.reduce itertools.starmap itertools.takewhile
    itertools.dropwhile itertools.groupby itertools.accumulate numpy.apply_along_axis
    numpy.fromfunction scipy.optimize.minimize scipy.integrate.quad list tuple set dict
    """
)

# Functions whose result is immutable, or new with nothing of the arguments in it.
SCALARS = words(
    """
    len int float str bool complex bytes repr format hash id ord chr hex oct bin ascii
    isinstance issubclass callable hasattr round print input any all range divmod type
    """
)

# Attributes that are numbers or types, whoever has them.
SCALAR_ATTRIBUTES = words("shape size ndim dtype nbytes itemsize __name__ __doc__")

# Functions that do not use up or advance what they are given.
HARMLESS = SCALARS | words(
    """
    display isinstance issubclass callable hasattr getattr setattr delattr vars dir help super
    staticmethod classmethod property copy.copy copy.deepcopy
    """
)

# What iterating uses up: any use changes the results of these.
ITERATORS = words(
    """
    iter map filter zip enumerate reversed itertools.chain itertools.cycle itertools.islice
    itertools.count itertools.chain.from_iterable itertools.zip_longest itertools.product
    itertools.accumulate itertools.starmap open csv.reader csv.DictReader csv.writer
    csv.DictWriter
    """
)

# Functions whose result holds the elements of their arguments, and not the arguments.
ITERATING = (
    ITERATORS
    | DISPLAYS
    | words(
        """
    collections.deque collections.Counter random.sample random.choices tqdm.tqdm tqdm.auto.tqdm
    tqdm.notebook.tqdm tqdm alive_progress.alive_it rich.progress.track
    """
    )
)

RANDOM_GENERATORS = words(
    """
    random.Random numpy.random.default_rng numpy.random.RandomState numpy.random.Generator
    numpy.random.PCG64 numpy.random.MT19937 numpy.random.Philox numpy.random.SFC64
    numpy.random.SeedSequence torch.Generator sklearn.utils.check_random_state
    scipy.stats.qmc.Sobol scipy.stats.qmc.Halton scipy.stats.qmc.LatinHypercube
    tensorflow.random.Generator.from_seed
    tensorflow.random.Generator.from_non_deterministic_state
    """
)

# Random generators, figures and buffers: used or passed counts as changed.
STATEFUL = (
    ITERATORS
    | RANDOM_GENERATORS
    | words(
        """
    matplotlib.pyplot.subplots
    matplotlib.pyplot.figure matplotlib.pyplot.gca matplotlib.pyplot.gcf matplotlib.pyplot.axes
    matplotlib.pyplot.subplot matplotlib.pyplot.subplot_mosaic matplotlib.figure.Figure
    seaborn.FacetGrid seaborn.PairGrid seaborn.JointGrid faker.Faker mimesis.Generic
    queue.Queue queue.LifoQueue queue.PriorityQueue io.StringIO io.BytesIO
    """
    )
)

# Reading an item of these may add it.
LAZY = frozenset(("collections.defaultdict", "cachetools.TTLCache", "cachetools.LRUCache"))

# Positions of arguments that a function changes in place.
CHANGES_ARGUMENT: dict[str, tuple[int, ...]] = {
    "random.shuffle": (0,),
    "numpy.random.shuffle": (0,),
    "heapq.heappush": (0,),
    "heapq.heappop": (0,),
    "heapq.heapify": (0,),
    "heapq.heappushpop": (0,),
    "heapq.heapreplace": (0,),
    "bisect.insort": (0,),
    "bisect.insort_left": (0,),
    "bisect.insort_right": (0,),
    "operator.setitem": (0,),
    "operator.delitem": (0,),
    "operator.iadd": (0,),
    "operator.ior": (0,),
    "operator.iconcat": (0,),
    "setattr": (0,),
    "delattr": (0,),
    "next": (0,),
    "anext": (0,),
    "list.append": (0,),
    "list.extend": (0,),
    "list.sort": (0,),
    "list.insert": (0,),
    "dict.update": (0,),
    "set.add": (0,),
    "set.update": (0,),
    "collections.deque.append": (0,),
    "numpy.put": (0,),
    "numpy.copyto": (0,),
    "numpy.fill_diagonal": (0,),
    "numpy.place": (0,),
    "numpy.putmask": (0,),
    "numpy.put_along_axis": (0,),
    "numpy.add.at": (0,),
    "numpy.subtract.at": (0,),
    "numpy.multiply.at": (0,),
    "numpy.maximum.at": (0,),
    "numpy.minimum.at": (0,),
    "numpy.random.Generator.shuffle": (1,),
    "struct.pack_into": (1,),
    "torch.nn.utils.clip_grad_norm_": (0,),
    "torch.nn.utils.clip_grad_value_": (0,),
    "numpy.nan_to_num(copy=False)": (0,),
    "sklearn.preprocessing.scale(copy=False)": (0,),
    "sklearn.preprocessing.normalize(copy=False)": (0,),
    "cv2.rectangle": (0,),
    "cv2.line": (0,),
    "cv2.circle": (0,),
    "cv2.ellipse": (0,),
    "cv2.putText": (0,),
    "cv2.polylines": (0,),
    "cv2.fillPoly": (0,),
    "cv2.drawContours": (0,),
    "cv2.arrowedLine": (0,),
    "json.dump": (1,),
    "pickle.dump": (1,),
}

# Methods that change an argument whatever they are called on.
METHOD_CHANGES_ARGUMENT = {"shuffle": (0,), "readinto": (0,), "recv_into": (0,)}

# Methods that call a function that they are given with the object, or with parts of it.
CALLING_WITH_SELF = words("apply pipe map applymap transform for_each foreach")

# Methods that put their arguments into the object.
STORING = words(
    """
    append appendleft extend extendleft insert add update setdefault put push enqueue
    __setitem__ register subscribe set_params
    """
)

# Modules that are imported by `from package import module`.
MODULES = words(
    """
    matplotlib.pyplot matplotlib.cm matplotlib.colors numpy.random numpy.linalg os.path
    tensorflow.keras keras.layers keras.models tensorflow.keras.layers tensorflow.keras.models
    torch.nn torch.optim torch.nn.functional sklearn.metrics sklearn.svm sklearn.tree
    sklearn.linear_model sklearn.datasets sklearn.preprocessing sklearn.model_selection
    scipy.stats scipy.optimize scipy.sparse scipy.signal plotly.express plotly.graph_objects
    concurrent.futures urllib.request urllib.parse xml.etree.ElementTree importlib.metadata
    IPython.display google.cloud.storage PIL.Image PIL.ImageDraw PIL.ImageFont PIL.ImageOps
    sklearn.base sklearn.calibration sklearn.cluster sklearn.compose sklearn.decomposition
    sklearn.ensemble sklearn.feature_extraction sklearn.feature_extraction.text
    sklearn.feature_selection sklearn.impute sklearn.inspection sklearn.manifold sklearn.mixture
    sklearn.naive_bayes sklearn.neighbors sklearn.neural_network sklearn.pipeline sklearn.utils
    torch.utils.data torchvision.datasets torchvision.models torchvision.transforms
    scipy.integrate scipy.interpolate scipy.linalg scipy.ndimage scipy.spatial scipy.special
    matplotlib.dates matplotlib.gridspec matplotlib.patches matplotlib.ticker
    tensorflow.keras.backend tensorflow.keras.callbacks tensorflow.keras.datasets
    tensorflow.keras.optimizers tensorflow.keras.utils keras.callbacks keras.datasets
    keras.optimizers keras.utils
    """
)
