"""Read a notebook file into a frozen value: cells and metadata, from plain JSON."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.errors import NotebookError
from kfnb.notebook.diagnostics import make
from kfnb.notebook.transform import transform
from kfnb.pipeline import Cell, Diagnostic

_TYPES = ("code", "markdown", "raw")
# The form that nbformat 4.5 asks for.
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook as read.

    ``name`` is the file's, without its ending; ``metadata`` the notebook's,
    ``cell_metadata`` that of each cell. ``diagnostics`` tell what is wrong with the file.
    """

    name: str
    path: str | None
    kernel: str
    language: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cell_metadata: tuple[Mapping[str, Any], ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def load(path: str | Path) -> Document:
    """Read a notebook file.

    Raises
    ------
    NotebookError
        If the file is no notebook of format 4, with one sentence that says why.
    """
    path = Path(path)
    try:
        # Reading a pipe would wait for whoever writes to it, perhaps for ever.
        if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
            raise NotebookError(f"{path} is a pipe or a device. Give the path of a notebook file.")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"{path} does not exist. Check the name and the folder.") from None
    except IsADirectoryError:
        raise NotebookError(f"{path} is a folder. Give the path of a notebook file.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise NotebookError(f"{path} cannot be read: {why}.") from None
    return parse(raw, path=path)


def parse(raw: bytes, *, path: Path) -> Document:
    """Read a notebook from its bytes; ``path`` is for messages and for the pipeline's name.

    Raises
    ------
    NotebookError
        As :func:`load`. A bad cell is a diagnostic, never an error.
    """
    book = _book(raw, path)
    metadata = _mapping(book.get("metadata"))
    spec, info = _mapping(metadata.get("kernelspec")), _mapping(metadata.get("language_info"))
    language = _text(spec.get("language")) or _text(info.get("name")) or "python"
    # Kernels and tools write python, python3 or ipython.
    if language.lower().startswith(("python", "ipython")):
        language = "python"
    diagnostics: list[Diagnostic] = []
    cells: list[Cell] = []
    ids: set[str] = set()
    for index, item in enumerate(book["cells"]):
        cells.append(_cell(item, index, ids, python=language == "python", diagnostics=diagnostics))
        ids.add(cells[-1].id)
    return Document(
        name=_clean(path.stem),
        path=str(path),
        kernel=_text(spec.get("name")) or "python3",
        language=language,
        cells=tuple(cells),
        metadata=metadata,
        cell_metadata=tuple(_mapping(_mapping(i).get("metadata")) for i in book["cells"]),
        diagnostics=tuple(diagnostics),
    )


def _book(raw: bytes, path: Path) -> dict[str, Any]:
    book = _json(raw, path)
    if isinstance(book, dict):
        given = book.get("nbformat")
        version = given if isinstance(given, int) and not isinstance(given, bool) else None
        if "worksheets" in book or (version is not None and version < 4):
            raise NotebookError(
                f"{path} has nbformat {version or 3}, and kfnb reads nbformat 4. Convert it: "
                f"jupyter nbconvert --to notebook --nbformat 4 {path.name}"
            )
        if version is not None and version > 4:
            raise NotebookError(
                f"{path} has nbformat {version}, and kfnb reads nbformat 4. Install a newer kfnb, "
                "or save the notebook as nbformat 4."
            )
        if version is not None and isinstance(book.get("cells"), list):
            return book
        missing = "nbformat" if version is None else "list of cells"
        raise NotebookError(f"{path} is JSON but not a notebook: it has no {missing}. {_CHECK}")
    raise NotebookError(f"{path} is JSON but not a notebook: it is not an object. {_CHECK}")


_CHECK = "Check the path, or restore the file from a checkpoint or from version control."


def _json(raw: bytes, path: Path) -> Any:
    if not raw.strip():
        raise NotebookError(
            f"{path} is empty, so it is not a notebook. Save it again from Jupyter."
        )
    try:
        # An editor on Windows may put a byte order mark before the text.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotebookError(
            f"{path} is not UTF-8 text, so it is not a notebook. {_CHECK}"
        ) from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        # A file ends like this if the program that wrote it was interrupted.
        cut = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
        why = "the file ends too early" if cut and error.pos > 1 else error.msg
        raise NotebookError(
            f"{path} is not JSON ({why}, line {error.lineno}), so it is not a notebook. {_CHECK}"
        ) from None
    except (RecursionError, ValueError):
        # Beyond Python's limits of nesting, or of digits in a number.
        raise NotebookError(
            f"{path} is JSON but not a notebook: it is nested too deeply. {_CHECK}"
        ) from None


def _cell(
    item: Any, index: int, ids: set[str], *, python: bool, diagnostics: list[Diagnostic]
) -> Cell:
    def odd(code: str, what: str, remedy: str) -> None:
        diagnostics.append(make(code, what, remedy, cell=index))

    if not isinstance(item, dict):
        odd(
            "KFNB-E001",
            f"cells[{index}] of the file is not a JSON object",
            "Remove the cell, or restore the notebook from a backup.",
        )
        return Cell(index, _made_id(index, "", ids), "raw", "")
    kind = item.get("cell_type")
    if kind not in _TYPES:
        odd(
            "KFNB-W003",
            f"this cell is not executed, because its type is {kind!r}",
            f"Set its type to one of {', '.join(_TYPES)}.",
        )
        kind = "raw"
    source = item.get("source", "")
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        odd(
            "KFNB-E001",
            f"the source of cells[{index}] of the file is not text",
            "Delete the cell and write it again in Jupyter.",
        )
        source = ""
    # Python ends a line at each of these; everything below counts lines by \n only.
    source = _clean(source).replace("\r\n", "\n").replace("\r", "\n")
    code = transform(source) if kind == "code" and python else source
    tags = _mapping(item.get("metadata")).get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(t, str) for t in tags)):
        odd(
            "KFNB-W003",
            "the tags of this cell are not a list of strings",
            "Correct metadata.tags in Jupyter's property inspector.",
        )
        tags = [t for t in tags if isinstance(t, str)] if isinstance(tags, list) else [tags]
    count = item.get("execution_count") if kind == "code" else None
    return Cell(
        index=index,
        id=_own_id(item.get("id"), ids) or _made_id(index, source, ids),
        type=kind,
        source=source,
        # Most cells have no magics, so their text is stored only once.
        code=None if code == source else code,
        tags=tuple(_clean(t) for t in tags or () if isinstance(t, str)),
        execution_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _own_id(given: Any, ids: set[str]) -> str | None:
    # A cell that a program copied may have the id of the original.
    return given if isinstance(given, str) and _ID.fullmatch(given) and given not in ids else None


def _made_id(index: int, source: str, ids: set[str]) -> str:
    """Derive an id from index and source, for a cell that has none."""
    import hashlib  # takes 4 ms, and most notebooks have ids

    made = hashlib.sha256(f"{index}\0{source}".encode()).hexdigest()
    length = 12
    while made[:length] in ids:
        length += 4
    return made[:length]


def _clean(text: str) -> str:
    """Replace half surrogate pairs, which JSON can hold and no file can."""
    return text.encode("utf-8", "replace").decode()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) and value.strip() else None
