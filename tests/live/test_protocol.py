"""protocol.py and request_types.py declare the same messages as protocol.ts."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from kfnb.live import envelope, protocol, request_types

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "labextension" / "src" / "protocol.ts"
OURS = {"ScriptMessage"}  # read by the loader, which knows no types of the engine's
SAME = {
    name: getattr(protocol, name)
    for name in [
        "Location",
        "GraphNode",
        "GraphEdge",
        "Diagnostic",
        "Volume",
        "Graph",
        "RunInfo",
        "StepError",
        "StepOutput",
        "StepState",
        "Series",
        "State",
        "Ui",
        "StateMessage",
        "MetricsMessage",
        "LogMessage",
        "CellOutputs",
        "OutputsMessage",
        "ComparedRun",
        "NotebookMessage",
        "CompareMessage",
        "NoticeMessage",
    ]
} | {"Envelope": envelope.Envelope}


def interfaces() -> dict[str, dict[str, tuple[str, bool]]]:
    """The page's interfaces: field to its type as written, and whether it may be missing."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", SOURCE.read_text(), flags=re.DOTALL)
    found = {}
    for match in re.finditer(r"export interface (\w+) \{(.*?)\n\}", text, flags=re.DOTALL):
        fields = re.findall(
            r"^  readonly (\w+)(\??):\s*(.*?);$", match[2], re.DOTALL | re.MULTILINE
        )
        found[match[1]] = {name: (kind, bool(maybe)) for name, maybe, kind in fields}
    return found


def page_messages() -> dict[str, set[str]]:
    """What a page may send: kinds and their fields."""
    text = SOURCE.read_text()
    text = text[text.index("export type ToKernel") :]
    found = {}
    for body in re.findall(r"\| \{(.*?)\}", text, flags=re.DOTALL):
        fields = set(re.findall(r"readonly (\w+):", body))
        found[re.search(r"kind: '([\w-]+)'", body)[1]] = fields
    return found


def kind_of(message: Any) -> str:
    hints = typing.get_type_hints(message)
    assert get_origin(hints["kind"]) is Literal
    return str(get_args(hints["kind"])[0])


pytestmark = pytest.mark.skipif(not SOURCE.is_file(), reason="no checkout")


@pytest.mark.parametrize("name", SAME)
def test_typescript_and_python_declare_the_same_fields(name: str) -> None:
    ours, theirs = SAME[name], interfaces()[name]
    assert set(theirs) == ours.__required_keys__ | ours.__optional_keys__
    assert {field for field, (_, maybe) in theirs.items() if maybe} == ours.__optional_keys__


@pytest.mark.parametrize("name", SAME)
def test_typescript_and_python_agree_on_null(name: str) -> None:
    hints = typing.get_type_hints(SAME[name])
    for field, (kind, _) in interfaces()[name].items():
        if kind == "Json":
            continue
        nullable = type(None) in get_args(hints[field])
        assert ("null" in re.split(r"\W+", kind)) == nullable, f"{name}.{field}: {kind}"


def test_typescript_declares_every_message_from_the_kernel() -> None:
    text = SOURCE.read_text()
    union = text[text.index("export type FromKernel") : text.index("// page → kernel")]
    theirs = set(re.findall(r"\| (\w+)", union))
    assert {message.__name__ for message in get_args(protocol.FromKernel)} == theirs | OURS


def test_typescript_declares_every_message_to_the_kernel() -> None:
    ours = {
        kind_of(message): set(typing.get_type_hints(message))
        for message in get_args(request_types.ToKernel)
    }
    assert ours == page_messages()


def test_tabs_and_statuses_are_the_same() -> None:
    from kfnb.engine.core import state

    text = SOURCE.read_text()
    for name, words in (
        ("Tab", protocol.TABS),
        ("StepStatus", get_args(state.StepStatus)),
        ("RunStatus", get_args(state.RunStatus)),
    ):
        body = re.search(rf"export type {name} =(.*?);", text, re.DOTALL)[1]
        assert set(re.findall(r"'([\w-]+)'", body)) == set(words), name
