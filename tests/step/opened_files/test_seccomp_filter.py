from __future__ import annotations

import struct

import pytest

from kfnb.step.opened_files import system_calls
from kfnb.step.opened_files.seccomp_filter import VARIABLE, filter_program, remedy_for, wanted
from kfnb.step.opened_files.system_calls import AT_EMPTY_PATH, Architecture, architecture

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
PROCESSORS = system_calls._ARCHITECTURES


def decide(processor: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    """Execute the filter as the kernel does; its answer."""
    padded = [*arguments, *[0] * 6][:6]
    data = struct.pack("=iIQ6Q", number, audit or processor.audit, 0, *padded)
    program = filter_program(processor)
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    position, value = 0, 0
    while True:
        code, if_true, if_false, operand = lines[position]
        position += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        else:
            holds = value == operand if code == 0x15 else bool(value & operand)
            position += if_true if holds else if_false


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest) -> Architecture:
    return PROCESSORS[request.param]


def test_calls_that_name_files_are_reported_and_no_others(processor: Architecture) -> None:
    answers = {number: decide(processor, number) for number in range(600)}
    assert {n for n, answer in answers.items() if answer == NOTIFY} == set(processor.calls)
    assert set(answers.values()) == {ALLOW, NOTIFY}


def test_a_look_at_an_open_file_is_not_reported(processor: Architecture) -> None:
    number = next(
        n for n, call in processor.calls.items() if call.ignored_with == (3, AT_EMPTY_PATH)
    )
    assert decide(processor, number, 3, 0, 0, AT_EMPTY_PATH) == ALLOW
    assert decide(processor, number, 3, 0, 0, 0x100) == NOTIFY


def test_calls_of_another_processor_pass(processor: Architecture) -> None:
    assert decide(processor, next(iter(processor.calls)), audit=0x40000003) == ALLOW


def test_watching_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted({}) == (architecture() is not None)
    assert not wanted({VARIABLE: "off"})
    monkeypatch.setattr("sys.platform", "darwin")
    assert not wanted({})


def test_the_remedy_for_a_set_uid_program_names_the_variable() -> None:
    error = "Command '['sudo', 'apt', 'install', 'x']' returned non-zero exit status 1."
    remedy = remedy_for(error)
    assert ("sudo" in remedy and f"{VARIABLE}=off" in remedy) == wanted()
    assert remedy_for("Command '['pseudo', 'x']' returned non-zero exit status 1.") == ""
