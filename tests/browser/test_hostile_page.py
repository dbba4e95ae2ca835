"""Everything that the kernel can send, full of hostile text, in the engine alone."""

from __future__ import annotations

import pytest

from tests.browser.bare import Bare
from tests.browser.hostile import CANARY, KNOWN, names
from tests.browser.traits import layered, location, state_of, traits
from tests.browser.view import View

TABS = ("table", "metrics", "logs", "outputs", "runs", "compare", "dag")
_INSIDE = "script, iframe:not([sandbox]), foreignObject, object, embed, link, base, meta"


def played(page, hostile):
    """A view in which every text is hostile, and a kernel that answers with more of it."""
    made = traits(hostile, layered(len(hostile)))
    text = dict(zip(range(99), [*hostile, *KNOWN] * 9, strict=False))
    graph = made["graph"]
    graph["name"] = text[1]
    for n, node in enumerate(graph["nodes"]):
        name = hostile[n]
        node.update(inputs={name: hostile[0]}, outputs=[name], parameters=[name], after=[name])
        node["options"] = {name: name}
    for edge in graph["edges"]:
        edge.update(names=[text[2]], files=[text[3]], why=text[4])
    graph["diagnostics"] = [
        {"code": name, "severity": "error", "message": name, "remedy": name}
        | {"step": name, "location": location(1, 1, name)}
        for name in hostile[:20]
    ]
    made["run"].update(id=text[5], title=text[5], notebook=text[6], parameters={text[7]: text[8]})
    for n, node in enumerate(graph["nodes"]):
        name = hostile[n]
        error = dict.fromkeys(("ename", "evalue", "summary", "remedy", "class"), name)
        made["state"]["steps"][node["id"]] = state_of(
            ("failed", "succeeded", "cached", "running")[n % 4],
            location=location(1, None, name),
            why=name,
            reason=name,
            error={**error, "location": location(1, 2, name)},
            outputs=[{"name": name, "type": name, "shape": [1], "size": 3, "repr": name}],
            notebook=f"javascript:window.{CANARY}=1",
        )
    made["state"].update(status="failed", error=text[9], driver=f"lost since {text[10]}")
    made["state"]["warnings"] = [
        {"code": text[1], "message": text[2], "remedy": text[3], "step": text[4], "index": text[5]}
    ]
    made["ui"]["compare"] = [text[11]]
    made["graph"]["options"] = {name: name for name in hostile}
    made["graph"]["volumes"] = [
        {"name": name, "mount": name, "claim": name, "size": name} for name in hostile
    ]
    return Bare(page, made)


def answer(bare, hostile):
    """What a kernel says when it is asked."""
    every = "\n".join(hostile)
    bare.tell(
        {"kind": "metrics", "reset": True, "points": [
            {"run": name, "title": name, "step": name, "index": "", "name": name, "points": [[1.0, 1, 1.0], [2.0, 2, 2.0]]}
            for name in hostile[:30]
        ]}
    )  # fmt: skip
    bare.tell({"kind": "said", "text": every, "level": "error"})
    for asked in bare.asked:
        if asked["kind"] == "follow-log":
            bare.tell(
                {
                    "kind": "log",
                    "step": asked["step"],
                    "index": "",
                    "attempt": 1,
                    "from": 0,
                    "to": 99999,
                }
                | {"total": 99999, "text": every, "reset": True, "attempts": [1]}
            )
        if asked["kind"] == "outputs":
            bare.tell(
                {"kind": "outputs", "step": asked["step"], "index": "", "attempt": 1}
                | {
                    "cells": [
                        {
                            "location": location(1, None, every),
                            "source": every,
                            "outputs": outputs(hostile),
                        }
                    ]
                }
            )
        if asked["kind"] == "compare":
            runs = [compared(hostile, n) for n in range(2)]
            code = [{"step": name, "lines": [code_line(name)]} for name in hostile]
            bare.tell({"kind": "compare", "runs": runs, "code": code})
        if asked["kind"] == "runs":
            listed = [compared(hostile, n) for n in range(2)]
            for run in listed:
                run.update(notebook=run["id"], steps=None)
            bare.tell({"kind": "runs", "runs": listed, "more": 1})


def outputs(hostile):
    every = "<p>".join(hostile)
    bundle = {"text/html": every, "text/plain": every, "image/svg+xml": every}
    return [
        {"output_type": "stream", "name": "stdout", "text": every},
        {"output_type": "error", "ename": every, "evalue": every, "traceback": [every]},
        *({"output_type": "display_data", "metadata": {}, "data": {k: v}} for k, v in bundle.items()),
        {"output_type": "display_data", "metadata": {}, "data": {"text/javascript": every}},
        {"output_type": "display_data", "metadata": {}, "data": {"text/latex": every}},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": every}},
        {"output_type": "display_data", "metadata": {}, "data": {"application/json": {every: every}}},
    ]  # fmt: skip


def code_line(text):
    return {"left": text, "right": text[::-1], "kind": "changed"}


def compared(hostile, number):
    named = dict.fromkeys(hostile)
    return {
        "id": hostile[number],
        "title": hostile[number],
        "status": "failed",
        "created": 1.7e9,
        "duration": 3.0,
        "parameters": {name: name for name in named},
        "metrics": dict.fromkeys(named, "nan"),
        "steps": {name: {"status": "failed", "duration": 1.0} for name in named},
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hostile_text_is_only_text(page, guard, shoot, seed):
    hostile = list(KNOWN) if seed == 0 else names(60, seed)
    bare = played(page, hostile)
    view = View(page.locator("#kfnb")).drawn()
    assert view.nodes.count() == len(hostile)
    labels = view.nodes.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
    for label, name in zip(labels, hostile, strict=True):
        # What could turn the text round or hide in it is written out.
        assert label.startswith(name) or not name.isprintable()
    for n in range(0, len(hostile), 7):
        # A large graph opens at a size that can be read, so not every step is in the window.
        page.get_by_role("button", name="Fit (0)").click()
        view.nodes.nth(n).dispatch_event("click")
        view.nodes.nth(n).hover(force=True)
        for tab in TABS:
            view.open(tab)
            answer(bare, hostile)
            if n == 0:
                page.wait_for_timeout(200)
                shoot(tab)
    page.wait_for_timeout(300)
    assert page.evaluate(f"window.{CANARY}") is None, "hostile text was executed"
    assert view.root.locator(_INSIDE).count() == 0
    handlers = view.root.locator("*").evaluate_all(
        "all => all.flatMap(n => [...n.attributes]).map(a => a.name + '=' + a.value)"
        ".filter(a => /^on|^(xlink:)?(href|src|action)=\\s*javascript:/i.test(a))"
    )
    assert handlers == []
    assert (guard.dialogs, guard.errors) == ([], [])
    assert not [url for url in guard.urls if "example.com" in url or url.endswith("/x")]
