"""What only the run can see of files, case by case."""

from __future__ import annotations

from tests.engine.pretend_driver import Driver, pipeline, step


def two(*, after: str = "") -> Driver:
    run = Driver(pipeline(step("write"), step("read", after=after)), parallel=2)
    run.turn()
    return run


def codes(run: Driver) -> list[str]:
    return [d["code"] for d in run.data("Warning")]


def error(run: Driver) -> dict[str, object]:
    return dict(run.data("RunFinished")[-1]["error"])


def test_a_file_that_was_read_in_time_by_luck_is_an_edge_and_a_warning() -> None:
    run = Driver(pipeline(step("write"), step("read")), parallel=1)
    run.turn()
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("read", files_read={"a.csv": "h"})
    (edge,) = run.data("EdgeAdded")
    assert (edge["source"], edge["target"], edge["files"]) == ("write", "read", ["a.csv"])
    assert codes(run) == ["KFNB-W607"]
    assert run.status == "succeeded"


def test_a_file_that_was_read_too_early_fails_the_run_in_either_order_of_ends() -> None:
    for first in ("write", "read"):
        run = two()
        uses = {
            "write": {"files_written": {"a.csv": "new"}},
            "read": {"files_read": {"a.csv": "old"}},
        }
        for name in (first, "read" if first == "write" else "write"):
            run.succeed(name, **uses[name])
        assert run.statuses() == {"write": "succeeded", "read": "failed"}
        assert error(run)["code"] == "KFNB-E604"
        assert error(run)["steps"] == ["write", "read"]
        run.resume()
        run.succeed("read", files_read={"a.csv": "new"})
        assert run.status == "succeeded"


def test_a_file_that_a_later_step_overwrote_fails_its_reader() -> None:
    for first in ("read", "write"):
        run = Driver(pipeline(step("read"), step("write")), parallel=2)
        run.turn()
        uses = {"write": {"files_written": {"a.csv": "h"}}, "read": {"files_read": {"a.csv": "h"}}}
        for name in (first, "read" if first == "write" else "write"):
            run.succeed(name, **uses[name])
        assert run.statuses()["read"] == "failed"
        assert error(run)["code"] == "KFNB-E605"
        assert "after:read" in str(error(run)["remedy"])


def test_a_file_read_before_a_later_step_began_to_write_it_is_right() -> None:
    run = Driver(pipeline(step("read"), step("write")), parallel=1)
    run.turn()
    run.succeed("read", files_read={"a.csv": "old"})
    run.succeed("write", files_written={"a.csv": "new"})
    assert run.status == "succeeded"
    assert codes(run) == []


def test_a_known_dependency_needs_no_new_edge() -> None:
    run = Driver(pipeline(step("write", "", "v"), step("b", "v", "w"), step("read", "w")))
    run.turn()
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("b")
    run.succeed("read", files_read={"a.csv": "h"})
    assert run.status == "succeeded"
    assert run.data("EdgeAdded") == []


def test_a_step_may_read_its_own_file() -> None:
    run = two()
    run.succeed("write", files_written={"a.csv": "h"}, files_read={"a.csv": "h"})
    run.succeed("read", files_written={"a.csv": "h"}, files_read={"a.csv": "h"})
    assert run.status == "succeeded"


def test_a_step_that_only_seems_to_have_written_the_file_is_no_obstacle() -> None:
    run = Driver(pipeline(step("write"), step("beside"), step("read", after="write")), parallel=2)
    run.turn()
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("read", files_read={"a.csv": "h"})
    run.succeed("beside", files_written={"a.csv": "h"})
    assert run.status == "succeeded"
    assert codes(run) == []


def test_two_steps_that_write_one_file_at_the_same_time_get_a_warning() -> None:
    run = two()
    run.succeed("write", files_written={"a.csv": "one"})
    run.succeed("read", files_written={"a.csv": "two"})
    assert codes(run) == ["KFNB-W608"]
    assert run.status == "succeeded"


def test_a_content_that_no_step_left_fails_its_reader() -> None:
    run = two(after="write")
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("read", files_read={"a.csv": "other"})
    assert error(run)["code"] == "KFNB-E605"


def test_a_cached_reader_counts_as_reading_when_it_was_found() -> None:
    run = Driver(pipeline(step("write"), step("read", after="write")))
    run.cached = {
        "write": {"outputs": {}, "files_written": {"a.csv": "h"}},
        "read": {"outputs": {}, "files_read": {"a.csv": "h"}},
    }
    run.turn()
    assert run.status == "succeeded"


def test_going_on_with_a_warning_can_be_asked_for() -> None:
    run = Driver(pipeline(step("write"), step("read")), parallel=2, on_mutation="warn")
    run.turn()
    run.succeed("read", files_read={"a.csv": "old"})
    run.succeed("write", files_written={"a.csv": "new"})
    assert run.status == "succeeded"
    assert codes(run) == ["KFNB-W604"]


def test_a_folder_that_was_listed_in_time_by_luck_is_an_edge_and_a_warning() -> None:
    run = Driver(pipeline(step("write"), step("list")), parallel=1)
    run.turn()
    run.succeed("write", files_written={"out/a.csv": "h"})
    run.succeed("list", files_read={"out/": "names:h"})
    (edge,) = run.data("EdgeAdded")
    assert (edge["source"], edge["target"], edge["files"]) == ("write", "list", ["out/"])
    assert codes(run) == ["KFNB-W607"]
    assert run.status == "succeeded"


def test_a_folder_that_was_listed_too_early_fails_the_run_in_either_order_of_ends() -> None:
    uses = {
        "write": {"files_written": {"out/sub/a.csv": "new"}},
        "read": {"files_read": {"out/": "names:old"}},
    }
    for names in (("write", "read"), ("read", "write")):
        run = two()
        for name in names:
            run.succeed(name, **uses[name])
        assert error(run)["code"] == "KFNB-E604"
        assert error(run)["steps"] == ["write", "read"]


def test_a_folder_next_to_the_written_file_is_not_affected() -> None:
    run = two()
    run.succeed("write", files_written={"output/a.csv": "new"})
    run.succeed("read", files_read={"out/": "names:old"})
    assert run.status == "succeeded"
    assert not run.data("EdgeAdded")
