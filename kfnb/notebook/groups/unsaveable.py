"""Recognise, from the source, values that a process cannot hand to another one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from kfnb.notebook.effects.constants import dotted
from kfnb.notebook.parsed_cell import ParsedCell

# fmt: off
_CALLS = frozenset((
    "aiohttp.ClientSession", "asyncio.Lock", "asyncio.Queue", "asyncio.create_task",
    "boto3.client", "boto3.resource", "bz2.open", "concurrent.futures.ProcessPoolExecutor",
    "concurrent.futures.ThreadPoolExecutor", "csv.DictReader", "csv.DictWriter", "csv.reader",
    "csv.writer", "dask.distributed.Client", "duckdb.connect", "gzip.open", "h5py.File",
    "httpx.Client", "io.open", "lzma.open", "multiprocessing.Lock", "multiprocessing.Manager",
    "multiprocessing.Pool",
    "mysql.connector.connect", "open", "os.scandir", "psycopg.connect", "psycopg2.connect",
    "pymongo.MongoClient", "pymysql.connect", "redis.Redis", "socket.create_connection",
    "socket.socket", "sqlalchemy.create_engine", "sqlite3.connect", "subprocess.Popen",
    "tables.open_file", "tarfile.open",
    "tempfile.NamedTemporaryFile", "tempfile.TemporaryDirectory", "tempfile.TemporaryFile",
    "tensorflow.Session", "threading.Condition", "threading.Event", "threading.Lock",
    "threading.RLock", "threading.Semaphore", "threading.Thread",
    "torch.utils.tensorboard.SummaryWriter", "weakref.ref", "zipfile.ZipFile",
))
# fmt: on
"""Calls that return connections, open files, locks, and processes."""


_OWNERS = frozenset(
    f"what {name}() returns"
    for name in (
        "multiprocessing.Manager",
        "subprocess.Popen",
        "tempfile.NamedTemporaryFile",
        "tempfile.TemporaryDirectory",
    )
)


def owns_more(what: str) -> bool:
    """Return whether such a value ends with its process, and other values are of no use then.

    >>> owns_more("what tempfile.TemporaryDirectory() returns")
    True
    """
    return what in _OWNERS


def unsaveable_names(
    cell: ParsedCell, modules: Mapping[str, str], generators: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Return the names that a cell binds to such values, each with what it is.

    Parameters
    ----------
    modules
        What imported names stand for.
    generators
        Functions of the notebook that make generators.
    """
    names: dict[str, str] = {}
    for target, value in _bindings(cell):
        what = _kind(value, modules, names, generators)
        if what is not None and isinstance(target, ast.Name):
            names[target.id] = what
    return names


def _bindings(cell: ParsedCell) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in cell.nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield target, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.target, node.value
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is not None:
                    yield item.optional_vars, item.context_expr


def generator_functions(cells: Iterable[ParsedCell]) -> frozenset[str]:
    """Return the names of the notebook's top-level functions that make generators."""
    return frozenset(
        statement.name
        for cell in cells
        for statement in cell.body
        if isinstance(statement, ast.FunctionDef) and _yields(statement)
    )


def _yields(function: ast.FunctionDef) -> bool:
    ways: list[ast.AST] = [*function.body]
    while ways:
        node = ways.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return not function.decorator_list
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            ways += ast.iter_child_nodes(node)
    return False


def _kind(
    value: ast.expr,
    modules: Mapping[str, str],
    known: Mapping[str, str],
    generators: frozenset[str],
) -> str | None:
    if isinstance(value, ast.GeneratorExp):
        return "a generator"
    if not isinstance(value, ast.Call):
        return None
    name = dotted(value.func, modules)
    if name in generators:
        return "a generator"
    if name in _CALLS:
        return f"what {name}() returns"
    # A cursor of a connection belongs to the connection's process too.
    if isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Name):
        owner = value.func.value.id
        if owner in known and value.func.attr in ("cursor", "connect", "execute", "begin"):
            return f"a {value.func.attr} of {owner}"
        if value.func.attr == "getOrCreate":
            return "a Spark session"
    return None
