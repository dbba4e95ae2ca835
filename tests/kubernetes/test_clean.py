"""What kfnb clean removes of a namespace and its store, and what it leaves."""

from __future__ import annotations

from tests.cluster.jobs import until
from tests.kubernetes.runs import WAIT, jobs, let_go, start, until_begun


def test_objects_of_ended_runs_are_removed_and_those_of_running_ones_stay(desk):
    core = desk.cluster.core()

    def maps():
        found = core.list_namespaced_config_map(desk.namespace).items
        return [one.metadata.name for one in found if one.metadata.name.startswith("kfnb-")]

    def stored():
        files = desk.bucket.server.files()
        return [key.partition("/kfnb/")[2] for key in files.find(f"{desk.bucket.name}/kfnb")]

    core.create_namespaced_config_map(desk.namespace, {"metadata": {"name": "kfnb-of-another"}})
    path = desk.notebook(("step:a", "x = 1"), ("step:b", "print(x)"))
    desk.run(path)
    first = desk.status()["id"]
    slow = desk.notebook(("step:only", WAIT), name="slow.ipynb")
    start(desk, slow)
    until_begun(desk)
    options = [*desk.options, "--keep", "0"]
    said = desk.kfnb("clean", *options, "--dry-run")
    assert f"would remove the objects of run {first}" in said
    assert f"kfnb-{first}" in maps()
    said = desk.kfnb("clean", *options)
    assert f"removed run {first} of {path} from the store" in said
    assert "kept run" in said
    until(lambda: not [m for m in maps() if first in m], "the end of the first run's objects")
    assert "kfnb-of-another" in maps()
    assert not [key for key in stored() if first in key and not key.startswith("cache/")]
    let_go(desk)
    until(lambda: desk.status()["status"] == "succeeded", "the end of the second run")
    # Its driver has said so, and takes a moment to leave.
    until(lambda: "kept run" not in desk.kfnb("clean", *desk.options), "the end of its driver")
    until(lambda: not jobs(desk), "the end of all Jobs")
    assert maps() == ["kfnb-of-another"]
    # The records of the last run were not asked to go: its values are there.
    assert [key for key in stored() if key.startswith("manifests/")]
