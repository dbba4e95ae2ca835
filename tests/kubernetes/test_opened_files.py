"""Files that a step's programs use in a pod with the least rights."""

from __future__ import annotations

from tests.kubernetes.runs import told

COPIES = """command = ['sh', '-c', 'cat "$1" > "$2"', 'sh', *map(''.join, ['a.txt', 'b.txt'])]
subprocess.run(command, check=True)
subprocess.run(['test', '-e', 'c.txt'], check=False)"""


def test_files_of_child_processes_are_seen_in_a_restricted_pod(desk):
    path = desk.notebook(
        ("setup", "import subprocess"),
        ("step:make", "open('a.txt', 'w').write('1')"),
        ("step:use after:make", COPIES),
    )
    desk.run(path)
    data = {event["step"]: event["data"] for event in told(desk, "StepSucceeded")}
    assert set(data["use"]["files_read"]) == {"a.txt"}
    assert set(data["use"]["files_written"]) == {"b.txt"}
    assert data["use"]["files_looked"]["c.txt"] is False
