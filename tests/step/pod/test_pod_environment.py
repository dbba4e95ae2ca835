"""The container's folders and its count of processes killed for memory."""

from __future__ import annotations

import pytest

from kfnb.step.pod.pod_environment import memory_kills


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n"),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
    ],
)
def test_kills_for_memory_are_counted_under_both_kinds_of_cgroups(tmp_path, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert memory_kills(tmp_path) == 3


def test_where_nothing_counts_kills_there_are_none(tmp_path):
    assert memory_kills(tmp_path) == 0
