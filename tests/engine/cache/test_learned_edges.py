"""Dependencies that a run has found begin the next run of the notebook."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from kfnb.engine.cache.learned_edges import LearnedEdges
from kfnb.engine.core.event_types import EdgeAdded
from kfnb.pipeline import Cell, Pipeline
from kfnb.store import open_store
from kfnb.store.cache import CacheIndex
from tests.engine.pretend_driver import Driver, pipeline, step


def notebook(change: str = "put(2)") -> Pipeline:
    planned = pipeline(step("load", "", "d"), step("clean", "d", "c"), step("plot", "d"))
    sources = ("d = []", change, "plot(d)")
    return dataclasses.replace(
        planned,
        cells=tuple(Cell(n, str(n), "code", source) for n, source in enumerate(sources)),
        steps={
            name: dataclasses.replace(made, cells=(n,))
            for n, (name, made) in enumerate(planned.steps.items())
        },
    )


def learned(folder: Path, read: Pipeline) -> LearnedEdges:
    return LearnedEdges(read, CacheIndex(open_store(folder)), "n")


def begin(read: Pipeline, edges: list[EdgeAdded]) -> Driver:
    run = Driver(read, parallel=3)
    for edge in edges:
        run.emit("EdgeAdded", edge.target, {"source": edge.source, "target": edge.target,
                                            "names": list(edge.names), "files": list(edge.files)})  # fmt: skip
    run.turn()
    run.succeed("load")
    return run


def test_a_step_that_was_executed_again_waits_in_the_next_run(tmp_path: Path) -> None:
    read = notebook()
    run = begin(read, [])
    assert set(run.running) == {"clean", "plot"}
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.obey()
    run.succeed("plot")
    learned(tmp_path, read).save(run.engine.state)

    edges = list(learned(tmp_path, read).known())
    assert [(e.source, e.target, e.names, e.learned) for e in edges] == [
        ("clean", "plot", ("d",), True)
    ]
    run = begin(read, edges)
    assert set(run.running) == {"clean"}
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.succeed("plot")
    assert run.data("StepInvalidated") == []
    # It was honoured, and what it stands for has happened again.
    learned(tmp_path, read).save(run.engine.state)
    assert len(list(learned(tmp_path, read).known())) == 1


def test_an_edge_that_proves_needless_is_dropped(tmp_path: Path) -> None:
    read = notebook()
    run = begin(read, [EdgeAdded(source="clean", target="plot", names=("d",), files=("a.csv",))])
    run.succeed("clean")
    run.succeed("plot")
    learned(tmp_path, read).save(run.engine.state)
    assert list(learned(tmp_path, read).known()) == []


def test_a_file_keeps_its_edge_if_both_steps_use_it(tmp_path: Path) -> None:
    read = notebook()
    run = begin(read, [EdgeAdded(source="clean", target="plot", names=(), files=("out/",))])
    run.succeed("clean", files_written={"out/a.csv": "h"})
    run.succeed("plot", files_read={"out/a.csv": "h"})
    learned(tmp_path, read).save(run.engine.state)
    assert len(list(learned(tmp_path, read).known())) == 1


def test_an_edge_is_forgotten_when_the_code_of_one_of_its_steps_changes(tmp_path: Path) -> None:
    run = begin(notebook(), [])
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.obey()
    run.succeed("plot")
    learned(tmp_path, notebook()).save(run.engine.state)
    assert list(learned(tmp_path, notebook("no_change()")).known()) == []
