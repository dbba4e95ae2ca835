"""Roles, and the files in deploy/ that say the same."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from kfnb.runners.kubernetes.doctor import rights

DEPLOY = Path(__file__).parents[3] / "deploy"
DRIVER = DEPLOY / "driver.yaml"


def test_the_files_are_what_doctor_applies():
    driver = list(yaml.safe_load_all(DRIVER.read_text()))
    assert driver == rights.driver_objects("kfnb")
    user = yaml.safe_load((DEPLOY / "user.yaml").read_text())
    assert user == rights.role(rights.USER, rights.FOR_USER)


def test_the_line_that_admins_type_gives_the_rights_in_their_namespace():
    """``sed 's/namespace: kfnb$/namespace: lab/'``, as the docs and the file say."""
    text = re.sub(r"namespace: kfnb$", "namespace: lab", DRIVER.read_text(), flags=re.MULTILINE)
    assert list(yaml.safe_load_all(text)) == rights.driver_objects("lab")


def test_drivers_may_do_nothing_that_they_need_not():
    granted = {one.whole: set(one.verbs) for one in rights.FOR_DRIVER}
    assert "secrets" not in granted
    assert "create" not in granted["pods"]
    assert not any("*" in verbs for verbs in granted.values())


def test_no_name_gets_out_of_a_line():
    right = rights.FOR_DRIVER[0]
    for who in ("ada; rm -rf /", "$(reboot)", "system:serviceaccount:lab:x y"):
        for line in rights.grant(right, ("get",), namespace="a b; ls", who=who):
            import shlex

            words = shlex.split(line)
            assert words[0] == "kubectl"
            assert "a b; ls" in words
            assert not {";", "rm", "ls", "$(reboot)"} & set(words)
