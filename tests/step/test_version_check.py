"""Warnings where values were made with other versions."""

from __future__ import annotations

from kfnb.step.order import MadeWith
from kfnb.step.version_check import differences


def test_versions_differ_in_their_first_two_numbers():
    made = {
        "load": MadeWith("3.11.2", {"pandas": "2.1.0", "numpy": "1.26.4", "gone": "1.0"}),
        "other": MadeWith("3.10.9", {"numpy": "1.26.0"}),
        "unknown": MadeWith(),
    }
    here = {"pandas": "2.2.3", "numpy": "1.26.1"}.get
    found = differences(made, python="3.11.9", installed=here)
    assert [f.code for f in found] == ["KFNB-W703", "KFNB-W702"]
    assert "pandas 2.1.0 (here 2.2.3), gone 1.0 (not installed here)" in found[0].message
    assert "numpy" not in found[0].message
    assert 'step "other" were saved by Python 3.10.9, but this step has 3.11.9' in found[1].message
    assert all(f.severity == "warning" and f.remedy for f in found)
