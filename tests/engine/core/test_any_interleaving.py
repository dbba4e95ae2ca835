"""Arbitrary interleavings of results, failures, crashes, stops and resumes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kfnb.engine.core.commands import Command, Prepare, Record, Start, Stop, Wake
from kfnb.engine.core.state import DONE
from kfnb.pipeline import Options, Pipeline
from tests.engine.pretend_driver import Driver, pipeline, plain, result, step

NAMES = [f"s{n}" for n in range(5)]
KINDS = ["user", "memory", "disk", "timeout", "infrastructure", "configuration", "cancelled"]


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    made = []
    for n, name in enumerate(NAMES):
        reads = draw(st.lists(st.sampled_from(NAMES[:n]), max_size=2, unique=True)) if n else []
        options = Options(
            retries=draw(st.sampled_from([None, 0, 1])),
            timeout=draw(st.sampled_from([None, 5.0])),
        )
        made.append(step(name, " ".join(f"v{r}" for r in reads), f"v{name}", options=options))
    return pipeline(*made, on_exit=draw(st.sampled_from([None, "s4"])))


class Runs(RuleBasedStateMachine):
    """A driver that carries out one command at a time, and may die before any of them.

    ``world`` is what really happens: attempts that were started and have not ended, and the
    manifests that were published. It survives the driver.
    """

    @initialize(
        planned=pipelines(),
        parallel=st.integers(1, 3),
        retries=st.integers(0, 2),
        on_failure=st.sampled_from(["finish", "stop"]),
    )
    def begin(self, planned: Pipeline, parallel: int, retries: int, on_failure: str) -> None:
        self.driver = Driver(
            planned,
            parallel=parallel,
            retries=retries,
            on_failure=on_failure,
            infrastructure_retries=2,
            timeout_grace=1,
        )
        self.parallel = parallel
        self.world: dict[str, int] = {}
        # By step, the round and the attempt that published: a key holds the round.
        self.manifests: dict[str, int] = {}
        self.rounds: dict[str, int] = {}
        self.late: list[tuple[str, int, int]] = []
        self.started: set[tuple[str, int]] = set()
        self.todo: list[Command] = []

    # The driver

    def next_command(self) -> Command | None:
        for _ in range(100):
            if not self.todo:
                found = self.driver.engine.decide(self.driver.now)
                self.todo = [c for c in found if not isinstance(c, (Stop, Wake))]
            if not self.todo:
                return None
            command = self.todo.pop(0)
            if self.driver.engine.wants(command):
                return command
        raise AssertionError("the engine asks for what it does not want")

    def carry_out(self, command: Command, *, dies: bool = False) -> None:
        driver = self.driver
        if isinstance(command, Record):
            driver.emit(command.type, command.step, plain(command.data))
        elif isinstance(command, Prepare):
            self.manifests.pop(command.step, None)
            data = {"inputs": plain(command.inputs), "why": "first run"}
            driver.emit("StepReady", command.step, data)
        elif isinstance(command, Start):
            self.may_start(command)
            driver.emit("AttemptStarted", command.step, {}, command.attempt)
            if not dies:
                self.world[command.step] = command.attempt

    def may_start(self, command: Start) -> None:
        state = self.driver.engine.state
        mine = state.steps[command.step, ""]
        assert (command.step, command.attempt) not in self.started, "no attempt begins twice"
        assert command.attempt == mine.attempts + 1, "attempts are numbered without a gap"
        assert not mine.active, "one attempt of a step at a time"
        assert mine.status == "pending", "what is done is not done again"
        assert len(self.driver.engine.active()) < self.parallel
        self.started.add((command.step, command.attempt))
        exit_step = self.driver.planned.on_exit
        others = [s for s in state.steps.values() if s.name != command.step]
        if command.step == exit_step:
            assert all(s.status not in ("pending", "running") for s in others if not s.index)
        else:
            assert not state.stops
            wanted = self.driver.planned.steps[command.step].inputs.values()
            for producer in (p for p in wanted if p and p != exit_step):
                assert state.steps[producer, ""].status in DONE

    @rule()
    def one_command(self) -> None:
        command = self.next_command()
        if command is not None:
            self.carry_out(command)

    @rule()
    def all_commands(self) -> None:
        for _ in range(200):
            command = self.next_command()
            if command is None:
                return
            self.carry_out(command)
        raise AssertionError("the engine never stops asking")

    @rule(halfway=st.booleans(), resumed=st.booleans())
    def driver_dies(self, halfway: bool, resumed: bool) -> None:
        """``halfway``: after journaling a command and before carrying it out."""
        command = self.next_command() if halfway else None
        if command is not None:
            self.carry_out(command, dies=True)
        before = self.driver.engine
        self.driver.engine = self.driver.replayed()
        assert self.driver.engine.state == before.state
        assert self.driver.engine.decide(self.driver.now) == before.decide(self.driver.now)
        self.todo = []
        self.driver.emit("DriverStarted", data={"pid": 2})
        if resumed:
            self.driver.emit("RunResumed")
        for name, _, attempt in self.driver.engine.active():
            if self.world.get(name) == attempt or attempt in [
                a for n, _, a in self.late if n == name
            ]:
                continue  # Its process lives: adopted.
            mine = self.driver.engine.state.steps[name, ""]
            if name in self.manifests and mine.active_round == mine.round:
                self.driver.emit("StepSucceeded", name, self.outputs(name), self.manifests[name])
            if self.driver.engine.state.steps[name, ""].active == attempt:
                lost = {"class": "infrastructure", "summary": "driver lost"}
                self.driver.emit("AttemptFailed", name, lost, attempt)

    # Repair

    def begun(self, name: str) -> bool:
        return self.driver.engine.state.steps[name, ""].status in ("running", "succeeded", "failed")

    @precondition(lambda self: sum(self.rounds.values()) < 6)
    @rule(data=st.data())
    def is_invalidated(self, data: st.DataObject) -> None:
        """A step used something old: it begins anew, and so does what depends on it."""
        state = self.driver.engine.state
        exit_step = self.driver.planned.on_exit
        targets = [name for name in NAMES if self.begun(name) and name != exit_step]
        if not targets or state.ended or (exit_step and self.begun(exit_step)):
            return
        void = [data.draw(st.sampled_from(targets))]
        for name in NAMES[NAMES.index(void[0]) + 1 :]:
            wanted = self.driver.planned.steps[name].inputs.values()
            if name != exit_step and self.begun(name) and not set(void).isdisjoint(wanted):
                void.append(name)
        for name in void:
            self.rounds[name] = self.rounds.get(name, 0) + 1
            if name in self.world:
                self.late.append((name, self.rounds[name] - 1, self.world.pop(name)))
            self.manifests.pop(name, None)
        self.driver.emit(
            "StepInvalidated",
            void[0],
            {
                "target": [void[0], ""],
                "because": "it read an older value",
                "voids": [[name, "", self.rounds[name]] for name in void],
            },
        )
        for name in void:
            mine = self.driver.engine.state.steps[name, ""]
            assert (mine.status, mine.result, mine.metrics) == ("pending", None, [])

    @precondition(lambda self: self.late)
    @rule(data=st.data(), publishes=st.booleans())
    def an_attempt_of_an_earlier_round_ends(self, data: st.DataObject, publishes: bool) -> None:
        name, number, attempt = data.draw(st.sampled_from(self.late))
        self.late.remove((name, number, attempt))
        mine = self.driver.engine.state.steps[name, ""]
        before = (mine.status, mine.round, mine.attempts, mine.result)
        kind = "StepSucceeded" if publishes else "AttemptFailed"
        body = self.outputs(name) if publishes else {"class": "cancelled"}
        self.driver.emit(kind, name, body, attempt, number)
        assert (mine.status, mine.round, mine.attempts, mine.result) == before
        assert mine.active != attempt

    @rule(items=st.integers(0, 3), trial=st.integers(0, 2))
    def the_plan_grows(self, items: int, trial: int) -> None:
        """What is not scheduled yet is folded: in any order, and the same after a crash."""
        if self.driver.engine.state.ended:
            return
        self.driver.emit("StepExpanded", "s1", {"items": items})
        self.driver.emit("TrialAsked", None, {"parameters": {"lr": trial}})
        members = [["s0", ""], [f"s{1 + trial}", ""]]
        self.driver.emit("GroupFormed", None, {"id": f"g{trial}", "members": members})
        groups = self.driver.engine.state.groups.values()
        assert sum(("s0", "") in group for group in groups) == 1, (
            "groups with a common member merge"
        )

    @precondition(lambda self: self.driver.engine.state.items.get("s1"))
    @rule(data=st.data(), voids=st.booleans())
    def an_instance_is_heard_of(self, data: st.DataObject, voids: bool) -> None:
        """An instance has a state of its own, with its own attempts and rounds."""
        state = self.driver.engine.state
        index = data.draw(st.sampled_from(sorted(state.instances("s1"))))
        mine, whole = state.steps["s1", index], state.steps["s1", ""]
        before = (whole.status, whole.round, whole.attempts)
        if voids:
            number = mine.round + 1
            body = {"target": ["s1", index], "because": "old", "voids": [["s1", index, number]]}
            self.driver.emit("StepInvalidated", "s1", body, index=index)
            assert (mine.round, mine.status, mine.result) == (number, "pending", None)
        elif mine.active:
            self.driver.emit("StepSucceeded", "s1", result(), mine.active, index=index)
        else:
            self.driver.emit("AttemptStarted", "s1", {}, mine.attempts + 1, index=index)
        assert (whole.status, whole.round, whole.attempts) == before

    # The world

    def outputs(self, name: str) -> dict[str, object]:
        return result(self.driver.planned.steps[name].outputs)

    def publish(self, name: str, attempt: int) -> None:
        """Create if absent: the first attempt to finish wins."""
        self.manifests.setdefault(name, attempt)

    @precondition(lambda self: self.world)
    @rule(data=st.data(), told=st.booleans())
    def succeeds(self, data: st.DataObject, told: bool) -> None:
        """``told``: the driver sees it; otherwise it finds out after its next beginning."""
        name = data.draw(st.sampled_from(sorted(self.world)))
        attempt = self.world.pop(name)
        self.publish(name, attempt)
        if told:
            self.driver.emit("StepSucceeded", name, self.outputs(name), self.manifests[name])
            self.end(name, attempt)
        else:
            self.driver_dies(False, False)

    def end(self, name: str, attempt: int) -> None:
        """Another attempt's manifest had won: this one has ended all the same."""
        if self.driver.engine.state.steps[name, ""].active == attempt:
            self.driver.emit("AttemptFailed", name, {"class": "cancelled"}, attempt)

    @precondition(lambda self: self.world)
    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def fails(self, data: st.DataObject, kind: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.world)))
        attempt = self.world.pop(name)
        self.driver.emit("AttemptFailed", name, {"class": kind}, attempt)

    @precondition(lambda self: self.world)
    @rule(data=st.data(), publishes=st.booleans())
    def is_lost_but_lives(self, data: st.DataObject, publishes: bool) -> None:
        """The driver gives an attempt up that goes on somewhere and may still publish."""
        name = data.draw(st.sampled_from(sorted(self.world)))
        attempt = self.world.pop(name)
        self.driver.emit("AttemptFailed", name, {"class": "infrastructure"}, attempt)
        if publishes:
            self.publish(name, attempt)
            if data.draw(st.booleans(), "seen"):
                self.driver.emit("StepSucceeded", name, self.outputs(name), self.manifests[name])

    @precondition(lambda self: self.started)
    @rule(data=st.data(), kind=st.sampled_from(["StepSucceeded", "AttemptFailed", "StepReady"]))
    def is_told_again(self, data: st.DataObject, kind: str) -> None:
        name, attempt = data.draw(st.sampled_from(sorted(self.started)))
        mine = self.driver.engine.state.steps[name, ""]
        before = (mine.status, mine.active, mine.attempts)
        if kind == "StepSucceeded":
            if self.manifests.get(name) != attempt or mine.status not in DONE:
                return
            self.driver.emit(kind, name, self.outputs(name), attempt)
        elif kind == "AttemptFailed":
            if mine.active == attempt:
                return
            self.driver.emit(kind, name, {"class": "user"}, attempt)
        else:
            if mine.status == "pending":
                return
            self.driver.emit(kind, name, {"inputs": plain(mine.inputs)})
        assert (mine.status, mine.active, mine.attempts) == before

    @rule()
    def stop(self) -> None:
        if not self.driver.engine.state.ended:
            self.driver.emit("StopRequested")

    @rule()
    def stops_are_obeyed(self) -> None:
        for command in self.driver.engine.decide(self.driver.now):
            old = isinstance(command, Stop) and (command.step, command.round, command.attempt)
            if old in self.late:
                self.late.remove(old)
                self.driver.emit("AttemptFailed", old[0], {"class": "cancelled"}, old[2], old[1])
            elif isinstance(command, Stop) and self.world.get(command.step) == command.attempt:
                del self.world[command.step]
                kind = "timeout" if command.reason == "timeout" else "cancelled"
                self.driver.emit("AttemptFailed", command.step, {"class": kind}, command.attempt)

    @rule(seconds=st.sampled_from([0.5, 3.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.driver.now += seconds

    @precondition(lambda self: self.driver.engine.state.ended)
    @rule()
    def resume(self) -> None:
        self.driver.emit("DriverStarted", data={"pid": 3})
        self.driver.emit("RunResumed")

    # What always holds

    @invariant()
    def an_ended_run_has_no_attempts_and_no_open_steps(self) -> None:
        state = self.driver.engine.state
        if state.ended:
            assert not self.driver.engine.active()
            steps = [s for s in state.steps.values() if not s.index]
            assert all(s.status not in ("pending", "running") for s in steps)
            failed = any(s.status == "failed" for s in steps)
            assert (state.status == "succeeded") == all(s.status in DONE for s in steps)
            assert not (state.status == "succeeded" and failed)

    @invariant()
    def what_is_done_has_been_published(self) -> None:
        for mine in self.driver.engine.state.steps.values():
            if mine.status == "succeeded" and not mine.index:
                assert mine.name in self.manifests

    def teardown(self) -> None:
        """Whatever came before, the run ends when the world behaves."""
        if not hasattr(self, "driver"):
            return
        assert self.driver.replayed().state == self.driver.engine.state
        for _ in range(200):
            self.all_commands()
            if self.driver.engine.state.ended:
                return
            self.stops_are_obeyed()
            for name, attempt in list(self.world.items()):
                del self.world[name]
                self.publish(name, attempt)
                self.driver.emit("StepSucceeded", name, self.outputs(name), self.manifests[name])
                self.end(name, attempt)
            for name, _, attempt in self.driver.engine.active():
                self.driver.emit("AttemptFailed", name, {"class": "infrastructure"}, attempt)
            self.driver.now += 100
        raise AssertionError("the run does not end")


Runs.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRuns = Runs.TestCase
