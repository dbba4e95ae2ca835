"""What is known of the objects that libraries make."""

from __future__ import annotations

from kfnb.notebook.flow.interpreter.tables.library_tables import words

# Methods that give a list or a condition, with which an index selects a copy. Sources: NumPy's
# "Advanced indexing" and pandas' "Indexing and selecting data".
SELECTING = words(
    """
    tolist to_list split isin isna isnull notna notnull duplicated between contains startswith
    endswith eq ne lt gt le ge
    """
)

# Packages whose estimators change nothing that they are given: parameters stay as they are, and an
# estimator that is given others fits clones of them. Sources: scikit-learn, "Developing
# scikit-learn estimators" (cloning, parameters and init) and the notes of GridSearchCV,
# ColumnTransformer, VotingClassifier, StackingClassifier, RFE, SelectFromModel and
# CalibratedClassifierCV; the scikit-learn interfaces of XGBoost, LightGBM and CatBoost.
CLONING_PACKAGES = (
    "sklearn.", "xgboost.", "lightgbm.", "catboost.", "imblearn.", "category_encoders.",
    "umap.", "hdbscan.", "skopt.",
)  # fmt: skip

# The exceptions: they fit the very objects that they are given. Source: the documentation of
# sklearn.pipeline.Pipeline (steps are fitted in place, unless it has a memory) and FeatureUnion;
# imblearn.pipeline.Pipeline says the same.
FITS_ITS_STEPS = words(
    """
    sklearn.pipeline.Pipeline sklearn.pipeline.FeatureUnion imblearn.pipeline.Pipeline
    """
)

# Constructors whose keywords become attributes.
NAMESPACES = words("types.SimpleNamespace argparse.Namespace")

# Functions whose result is of the same class as their argument, and holds none of it.
COPIES = words(
    """
    copy.copy copy.deepcopy sklearn.base.clone joblib.load pickle.load pickle.loads
    """
)

# Packages whose classes are data sets, and no modules.
DATA_SETS = ("torch.utils.data.", "torchvision.datasets.", "torch_geometric.datasets.")

# Iterating over these gives new values, which are no modules.
BATCHING = words(
    """
    torch.utils.data.DataLoader torch_geometric.loader.DataLoader
    torch_geometric.data.DataLoader
    """
)

# Packages whose functions (not classes) give tensors, arrays and frames, and the exceptions.
FRAME_PACKAGES = ("numpy.", "pandas.", "polars.")
TENSOR_PACKAGES = ("torch.", "torch_geometric.", "numpy.", "pandas.", "sklearn.")
MAKES_MODULES = words(
    """
    torch.load torch.compile torch.jit.load torch.jit.script torch.jit.trace torch.hub.load
    torch.export.load torch.quantization.quantize_dynamic torch.nn.utils.parametrize
    torch.nn.utils.weight_norm torch.nn.utils.spectral_norm
    """
)

# Decorators that make a dataclass, and functions that describe one of its fields.
DATACLASS_DECORATORS = words(
    """
    dataclasses.dataclass attr.s attr.attrs attr.define attrs.define attrs.frozen attr.dataclass
    pydantic.dataclasses.dataclass
    """
)
FIELD_MAKERS = words(
    """
    dataclasses.field attr.ib attr.attrib attr.field attrs.field pydantic.Field
    """
)

# Objects that draw on what they are given, whichever of their methods is called.
DRAWING = words("PIL.ImageDraw.Draw")
