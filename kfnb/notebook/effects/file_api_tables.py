"""Which calls read or write a file, and which of their arguments is the path.

Only what people write in notebooks: pandas, polars, numpy, matplotlib, joblib,
pickle, torch, keras, xgboost, Pillow, OpenCV, h5py and the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["read", "write", "both", "mode", "list"]


@dataclass(frozen=True, slots=True)
class Use:
    """One path argument of a call.

    ``position`` -1 is the object that a method is called on. ``effect`` "mode"
    means that argument ``mode_position`` (or ``mode=``) says what happens, with
    ``default_mode`` where it is not given. ``suffix`` is appended where the path
    has none of that kind, as numpy does.
    """

    position: int
    keywords: tuple[str, ...]
    effect: Effect
    mode_position: int = 1
    default_mode: str = "r"
    suffix: str = ""


def _read(position: int, *keywords: str) -> tuple[Use, ...]:
    return (Use(position, keywords, "read"),)


def _write(position: int, *keywords: str, suffix: str = "") -> tuple[Use, ...]:
    return (Use(position, keywords, "write", suffix=suffix),)


def _list(position: int, *keywords: str) -> tuple[Use, ...]:
    return (Use(position, keywords, "list"),)


def _both(position: int, *keywords: str) -> tuple[Use, ...]:
    return (Use(position, keywords, "both"),)


def _mode(position: int, *keywords: str, at: int = 1, default: str = "r") -> tuple[Use, ...]:
    return (Use(position, keywords, "mode", at, default),)


_COPY = (Use(0, ("src",), "read"), Use(1, ("dst",), "write"))
# The source is read, and does not exist afterwards.
_MOVE = (Use(0, ("src",), "both"), Use(1, ("dst",), "write"))

FUNCTIONS: dict[str, tuple[Use, ...]] = {
    "open": _mode(0, "file"),
    "io.open": _mode(0, "file"),
    "codecs.open": _mode(0, "filename"),
    "gzip.open": _mode(0, "filename", default="rb"),
    "bz2.open": _mode(0, "filename", default="rb"),
    "lzma.open": _mode(0, "filename", default="rb"),
    "gzip.GzipFile": _mode(0, "filename", default="rb"),
    "tarfile.open": _mode(0, "name"),
    "zipfile.ZipFile": _mode(0, "file"),
    "h5py.File": _mode(0, "name"),
    "pandas.HDFStore": _mode(0, "path", default="a"),
    "pandas.ExcelFile": _read(0, "path_or_buffer"),
    "pandas.ExcelWriter": _write(0, "path"),
    "numpy.load": _read(0, "file"),
    "numpy.loadtxt": _read(0, "fname"),
    "numpy.genfromtxt": _read(0, "fname"),
    "numpy.fromfile": _read(0, "file"),
    "numpy.memmap": _mode(0, "filename", at=2, default="r+"),
    "numpy.save": _write(0, "file", suffix=".npy"),
    "numpy.savez": _write(0, "file", suffix=".npz"),
    "numpy.savez_compressed": _write(0, "file", suffix=".npz"),
    "numpy.savetxt": _write(0, "fname"),
    "joblib.dump": _write(1, "filename"),
    "joblib.load": _read(0, "filename"),
    "torch.save": _write(1, "f"),
    "torch.load": _read(0, "f"),
    "PIL.Image.open": _read(0, "fp"),
    "cv2.imread": _read(0, "filename"),
    "cv2.imwrite": _write(0, "filename"),
    "pyarrow.parquet.write_table": _write(1, "where"),
    "pyarrow.feather.write_feather": _write(1, "dest"),
    "safetensors.torch.save_file": _write(1, "filename"),
    "safetensors.torch.load_file": _read(0, "filename"),
    # A connection to a database may both read and write it.
    "sqlite3.connect": _both(0, "database"),
    "duckdb.connect": _both(0, "database"),
    "shelve.open": _both(0, "filename"),
    "shutil.copy": _COPY,
    "shutil.copy2": _COPY,
    "shutil.copyfile": _COPY,
    "shutil.copytree": _COPY,
    "shutil.move": _MOVE,
    "os.rename": _MOVE,
    "os.replace": _MOVE,
    # To remove something counts as writing it, because later steps notice the difference.
    "os.remove": _write(0, "path"),
    "os.unlink": _write(0, "path"),
    "shutil.rmtree": _write(0, "path"),
    "os.mkdir": _write(0, "path"),
    "os.makedirs": _write(0, "name"),
    "os.rmdir": _write(0, "path"),
    "os.listdir": _list(0, "path"),
    "os.scandir": _list(0, "path"),
    "os.walk": _list(0, "top"),
    "glob.glob": _list(0, "pathname"),
    "glob.iglob": _list(0, "pathname"),
    # The answer depends on whether an earlier step has written the file.
    "os.path.exists": _read(0, "path"),
    "os.path.isfile": _read(0, "path"),
    "os.path.isdir": _read(0, "s", "path"),
    "os.path.getsize": _read(0, "filename"),
    "urllib.request.urlretrieve": _write(1, "filename"),
}

# Methods that are the same whatever they are called on, as methods or as functions of a module.
ANYWHERE: dict[str, tuple[Use, ...]] = {
    "savefig": _write(0, "fname"),
    "imsave": _write(0, "fname", "uri"),
    "imread": _read(0, "fname", "uri", "filename"),
    "imwrite": _write(0, "uri", "filename"),
    "tofile": _write(0, "fid"),
    "save_model": _write(0, "fname", "filepath"),
    "load_model": _read(0, "fname", "filepath"),
    "save_weights": _write(0, "filepath"),
    "load_weights": _read(0, "filepath"),
    "save_pretrained": _write(0, "save_directory"),
    "save": _write(0, "fp", "filepath", "filename", "path"),
    "to_file": _write(0, "filename"),
    "dump_model": _write(0, "fout"),
    "write_html": _write(0, "file"),
    "write_image": _write(0, "file"),
    "write_json": _write(0, "file"),
}

# Methods of a path: the receiver must be a path that is known.
OF_PATHS: dict[str, tuple[Use, ...]] = {
    "open": _mode(-1, at=0),
    "read_text": _read(-1),
    "read_bytes": _read(-1),
    "write_text": _write(-1),
    "write_bytes": _write(-1),
    "touch": _write(-1),
    "unlink": _write(-1),
    "mkdir": _write(-1),
    "rmdir": _write(-1),
    "exists": _read(-1),
    "is_file": _read(-1),
    "iterdir": _list(-1),
    "glob": _list(-1),
    "rglob": _list(-1),
    "walk": _list(-1),
    "is_dir": _read(-1),
    "stat": _read(-1),
    "rename": (Use(-1, (), "both"), Use(0, ("target",), "write")),
}

_FRAME = [
    "csv",
    "parquet",
    "json",
    "pickle",
    "excel",
    "feather",
    "hdf",
    "html",
    "latex",
    "markdown",
    "stata",
    "orc",
    "xml",
    "netcdf",
    "zarr",
    "string",
]
_FRAME_PATH = ("path_or_buf", "path", "excel_writer", "buf", "path_or_buffer", "store")
_WRITE = ["csv", "parquet", "ndjson", "ipc", "excel", "avro", "table", "delta"]
# Data frames of several libraries have these methods, so their object's type does not matter.
for _kind in _FRAME:
    ANYWHERE[f"to_{_kind}"] = _write(0, *_FRAME_PATH)
for _kind in _WRITE:
    ANYWHERE[f"write_{_kind}"] = _write(0, "file", "workbook", "target")
for _kind in ("csv", "parquet", "ipc", "ndjson"):
    ANYWHERE[f"sink_{_kind}"] = _write(0, "path")

_READERS_OF_SOMETHING_ELSE = frozenset(
    [
        "read_sql",
        "read_sql_query",
        "read_sql_table",
        "read_gbq",
        "read_clipboard",
        "read_text",
        "read_bytes",
        "read_database",
        "read_database_uri",
    ]
)
_READER = _read(0, "filepath_or_buffer", "path", "path_or_buf", "io", "source", "filename")


def uses_of(name: str | None, attribute: str) -> tuple[Use, ...]:
    """Look up a call by its dotted name, then by its last part; empty where it is no file's."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if attribute in ANYWHERE:
        return ANYWHERE[attribute]
    # pandas, polars, geopandas and others name the functions that read files like this.
    if attribute.startswith(("read_", "scan_")) and attribute not in _READERS_OF_SOMETHING_ELSE:
        return _READER
    return ()


def effects(mode: str) -> tuple[Literal["read", "write"], ...]:
    """Tell what an ``open`` mode does: appending and updating depend on what was there."""
    if "a" in mode or "+" in mode:
        return ("write",) if "w" in mode or "x" in mode else ("read", "write")
    return ("write",) if "w" in mode or "x" in mode else ("read",)
