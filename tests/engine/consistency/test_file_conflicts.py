"""What only the run can see of files, case by case."""

from __future__ import annotations

from kfnb.pipeline import Options
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


def test_a_reader_that_was_too_early_reads_again_in_either_order_of_ends() -> None:
    for first in ("write", "read"):
        run = two()
        uses = {
            "write": {"files_written": {"a.csv": "new"}},
            "read": {"files_read": {"a.csv": "old"}},
        }
        for name in (first, "read" if first == "write" else "write"):
            run.succeed(name, **uses[name])
        (event,) = run.data("StepInvalidated")
        assert event["target"] == ["read", ""]
        assert 'read the file "a.csv" before step "write"' in event["because"]
        assert [e["files"] for e in run.data("EdgeAdded")] == [["a.csv"]]
        run.succeed("read", files_read={"a.csv": "new"})
        assert run.status == "succeeded"


def test_a_step_that_missed_a_file_which_an_earlier_one_writes_looks_again() -> None:
    for first in ("write", "read"):
        run = two()
        uses = {
            "write": {"files_written": {"a.csv": "new"}},
            "read": {"files_looked": {"a.csv": False, "other": False}},
        }
        for name in (first, "read" if first == "write" else "write"):
            run.succeed(name, **uses[name])
        (event,) = run.data("StepInvalidated")
        assert 'looked for the file "a.csv" before step "write"' in event["because"]
        run.succeed("read", files_looked={"a.csv": True})
        assert run.status == "succeeded"


def test_whether_a_file_is_there_is_an_edge_only_from_the_step_that_wrote_it_before() -> None:
    run = Driver(pipeline(step("write"), step("read"), step("later")), parallel=1)
    run.turn()
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("read", files_looked={"a.csv": True, "b.csv": False})
    run.succeed("later", files_written={"b.csv": "h"})
    assert [e["why"] for e in run.data("EdgeAdded")] == [
        '"read" looks for the file a.csv that "write" writes'
    ]
    assert codes(run) == ["KFNB-W607"]
    assert run.status == "succeeded"


def test_what_a_step_of_this_run_wrote_is_restored_for_a_reader_before_a_later_writer() -> None:
    """The later writer writes again after it, so that the folder ends as after the notebook."""
    run = Driver(pipeline(step("one"), step("read", after="one"), step("two")), parallel=3)
    run.turn()
    run.succeed("one", files_written={"a.csv": "1"})
    run.succeed("two", files_written={"a.csv": "2"})
    run.succeed("read", files_read={"a.csv": "2"})
    events = run.data("StepInvalidated")
    assert events[0]["target"] == ["two", ""]
    assert events[1]["voids"] == [["read", "", 1], ["two", "", 2]]
    run.obey()
    run.succeed("read", files_read={"a.csv": "1"})
    run.succeed("two", files_written={"a.csv": "2"})
    assert run.status == "succeeded"


def test_a_step_that_changed_a_file_in_place_is_not_executed_again() -> None:
    """It would find the file as it has left it itself."""
    run = two()
    run.succeed("read", files_read={"log.txt": "1", "a.csv": "old"}, files_written={"log.txt": "2"})
    run.succeed("write", files_written={"a.csv": "new"})
    assert run.data("StepInvalidated") == []
    assert error(run)["code"] == "KFNB-E604"


def test_what_a_round_that_does_not_count_left_in_a_file_is_recognised() -> None:
    run = Driver(
        pipeline(step("load", "", "d"), step("change", "d"), step("write", "d"), step("read")),
        parallel=4,
    )
    run.turn()
    run.succeed("load")
    run.succeed("write", files_written={"a.csv": "old"})
    run.succeed("change", ["d"], unexpected={"d": "in place"})
    run.obey()
    run.succeed("read", files_read={"a.csv": "old"})
    # "write" has begun anew, and will write something else.
    assert [e["target"][0] for e in run.data("StepInvalidated")] == ["write", "read"]
    run.succeed("write", files_written={"a.csv": "new"})
    run.succeed("read", files_read={"a.csv": "new"})
    assert run.status == "succeeded"


def test_a_failure_before_an_earlier_step_had_written_a_file_is_provisional() -> None:
    run = two()
    run.fail("read", summary="no such file: a.csv")
    assert run.statuses()["read"] == "pending"
    assert run.data("StepFailed") == []
    run.succeed("write", files_written={"a.csv": "h"})
    (event,) = run.data("StepInvalidated")
    assert 'failed before step "write"' in event["because"]
    run.succeed("read", files_read={"a.csv": "h"})
    assert run.status == "succeeded"


def test_a_failure_that_earlier_steps_have_nothing_to_do_with_counts_when_they_have_ended() -> None:
    run = two()
    run.fail("read")
    run.succeed("write")
    assert run.statuses() == {"write": "succeeded", "read": "failed"}
    assert run.engine.state.steps["read", ""].attempts == 1


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


def test_of_two_steps_that_write_one_file_at_the_same_time_the_later_writes_again() -> None:
    for names in (("write", "read"), ("read", "write")):
        run = two()
        for name in names:
            run.succeed(name, files_written={"a.csv": name})
        (event,) = run.data("StepInvalidated")
        assert event["target"] == ["read", ""]
        run.succeed("read", files_written={"a.csv": "read"})
        assert run.status == "succeeded"
        assert codes(run) == []


def test_writing_at_the_same_time_stays_a_warning_where_nothing_can_be_repaired() -> None:
    run = Driver(
        pipeline(step("write"), step("send", options=Options(once=True)), step("late")), parallel=3
    )
    run.turn()
    run.succeed("late", files_read={"b.txt": "1"}, files_written={"b.txt": "2", "a.csv": "late"})
    run.succeed("write", files_written={"a.csv": "write"})
    assert codes(run) == ["KFNB-W608"]
    assert run.statuses()["late"] == "succeeded"


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


def test_going_on_with_a_warning_can_be_asked_for_where_nothing_can_be_repaired() -> None:
    run = Driver(pipeline(step("read"), step("write")), parallel=2, on_mutation="warn")
    run.turn()
    run.succeed("write", files_written={"a.csv": "h"})
    run.succeed("read", files_read={"a.csv": "h"})
    assert run.status == "succeeded"
    assert set(codes(run)) == {"KFNB-W605"}


def test_a_folder_that_was_listed_in_time_by_luck_is_an_edge_and_a_warning() -> None:
    run = Driver(pipeline(step("write"), step("list")), parallel=1)
    run.turn()
    run.succeed("write", files_written={"out/a.csv": "h"})
    run.succeed("list", files_read={"out/": "names:h"})
    (edge,) = run.data("EdgeAdded")
    assert (edge["source"], edge["target"], edge["files"]) == ("write", "list", ["out/"])
    assert codes(run) == ["KFNB-W607"]
    assert run.status == "succeeded"


def test_a_folder_that_was_listed_too_early_is_listed_again_in_either_order_of_ends() -> None:
    uses = {
        "write": {"files_written": {"out/sub/a.csv": "new"}},
        "read": {"files_read": {"out/": "names:old"}},
    }
    for names in (("write", "read"), ("read", "write")):
        run = two()
        for name in names:
            run.succeed(name, **uses[name])
        (event,) = run.data("StepInvalidated")
        assert event["target"] == ["read", ""]
        run.succeed("read", files_read={"out/": "names:new"})
        assert run.status == "succeeded"


def test_a_folder_next_to_the_written_file_is_not_affected() -> None:
    run = two()
    run.succeed("write", files_written={"output/a.csv": "new"})
    run.succeed("read", files_read={"out/": "names:old"})
    assert run.status == "succeeded"
    assert not run.data("EdgeAdded")
