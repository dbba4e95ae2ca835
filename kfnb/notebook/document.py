"""A notebook file as a value: its cells and metadata, read as plain JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.errors import NotebookError
from kfnb.notebook.diagnostics import make
from kfnb.notebook.transform import transform
from kfnb.pipeline import Cell, Diagnostic


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook as read: ``metadata`` of the notebook, ``cell_metadata`` one for each cell."""

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
        If the file is no notebook of format 4: one sentence says why.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"{path} is not there. Check the name and the folder.") from None
    except IsADirectoryError:
        raise NotebookError(f"{path} is a folder. Name a notebook file in it.") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}.") from None
    return parse(raw, path=path)


def parse(raw: bytes, *, path: Path) -> Document:
    """Read a notebook from its bytes; ``path`` is for messages and for the pipeline's name."""
    book = _book(raw, path)
    metadata = book.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    found: list[Diagnostic] = []
    cells: list[Cell] = []
    cell_metadata: list[Mapping[str, Any]] = []
    ids: set[str] = set()
    for index, item in enumerate(book["cells"]):
        cell, own = _cell(item, index, found)
        if cell.id in ids:
            cell = dataclasses.replace(cell, id=_made_id(index, cell.source))
        ids.add(cell.id)
        cells.append(cell)
        cell_metadata.append(own)
    spec = metadata.get("kernelspec")
    spec = spec if isinstance(spec, dict) else {}
    info = metadata.get("language_info")
    info = info if isinstance(info, dict) else {}
    kernel = spec.get("name") or "python3"
    language = spec.get("language") or info.get("name") or "python"
    return Document(
        name=path.stem,
        path=str(path),
        kernel=str(kernel),
        language="python" if str(language).startswith(("python", "ipython")) else str(language),
        cells=tuple(cells),
        metadata=metadata,
        cell_metadata=tuple(cell_metadata),
        diagnostics=tuple(found),
    )


def _book(raw: bytes, path: Path) -> dict[str, Any]:
    if not raw.strip():
        raise NotebookError(
            f"{path} is empty, so it is not a notebook. Save it again from Jupyter."
        )
    try:
        book = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotebookError(f"{path} is not UTF-8 text, so it is not a notebook.") from None
    except json.JSONDecodeError as error:
        cut = error.pos >= len(raw.decode("utf-8-sig").rstrip()) - 1 or "Unterminated" in error.msg
        why = "it ends in the middle: the file was cut" if cut and error.pos > 1 else error.msg
        raise NotebookError(
            f"{path} is not JSON ({why}, line {error.lineno}), so it is not a notebook. "
            "Restore it from a checkpoint or from version control."
        ) from None
    except RecursionError:
        raise NotebookError(f"{path} is nested too deeply to be a notebook.") from None
    if isinstance(book, dict) and (
        "worksheets" in book or (isinstance(book.get("nbformat"), int) and book["nbformat"] < 4)
    ):
        version = book.get("nbformat", 3)
        raise NotebookError(
            f"{path} is a notebook of nbformat {version}; kfnb reads nbformat 4. "
            f"Convert it: jupyter nbconvert --to notebook --nbformat 4 {path.name}"
        )
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise NotebookError(f"{path} is JSON but not a notebook: it has no list of cells.")
    if isinstance(book.get("nbformat"), int) and book["nbformat"] > 4:
        raise NotebookError(
            f"{path} is a notebook of nbformat {book['nbformat']}, which this kfnb does not know."
        )
    return book


def _cell(item: Any, index: int, found: list[Diagnostic]) -> tuple[Cell, Mapping[str, Any]]:
    if not isinstance(item, dict):
        found.append(
            make(
                "KFNB-E001",
                "this cell is not a JSON object",
                "Remove it or restore the notebook.",
                cell=index,
            )
        )
        return Cell(index, _made_id(index, ""), "raw", ""), {}
    source = item.get("source", "")
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        found.append(
            make(
                "KFNB-E001",
                "the source of this cell is not text",
                "Write the cell anew.",
                cell=index,
            )
        )
        source = ""
    source = source.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    tags = metadata.get("tags")
    tags = tags if isinstance(tags, list) else []
    kind = item.get("cell_type")
    kind = kind if isinstance(kind, str) else "raw"
    code = transform(source) if kind == "code" else source
    given = item.get("id")
    cell = Cell(
        index=index,
        id=given if isinstance(given, str) and given else _made_id(index, source),
        type=kind,
        source=source,
        code=None if code == source else code,
        tags=tuple(t for t in tags if isinstance(t, str)),
    )
    return cell, metadata


def _made_id(index: int, source: str) -> str:
    return hashlib.sha256(f"{index}\0{source}".encode()).hexdigest()[:12]
