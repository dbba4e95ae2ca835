"""What steps on the cluster published is at hand at the desk."""

from __future__ import annotations

import json
import os
import subprocess
import sys

LOOK = """
import json, kfnb
run = kfnb.open_run("latest")
step = run.steps["make"]
notebook = json.loads(run.notebook("make").read_text())
print(json.dumps({
    "status": run.status,
    "table": step.outputs["table"],
    "large": len(step.outputs["large"]),
    "described": step.outputs.describe("table")["type"],
    "sum": run.steps["use"].outputs["total"],
    "metrics": run.metrics,
    "printed": run.logs("make"),
    "notebook": [o["text"] for c in notebook["cells"] for o in c.get("outputs", []) if "text" in o],
}))
"""


def look(desk):
    environment = {**os.environ, **desk.environment}
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(
        command, cwd=desk.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pipeline(desk):
    make = """table = {'a': [1, 2, 3]}
large = bytes(2_000_000)
print('made')
import kfnb
kfnb.log_metric('rows', 3)"""
    return desk.notebook(
        ("step:make", make),
        ("step:use", "total = sum(table['a'])"),
        ("step:other", "size = len(large)"),
        ("step:report", "print(total, size)"),
    )


def seen(found):
    assert found["status"] == "succeeded"
    assert found["table"] == {"a": [1, 2, 3]}
    assert found["large"] == 2_000_000
    assert found["described"] == "dict"
    assert found["sum"] == 6
    assert found["metrics"] == {"rows": 3.0}
    assert found["printed"] == "made\n"
    assert "made\n" in ["".join(text) for text in found["notebook"]]


def test_values_in_a_bucket_are_at_hand(desk):
    path = pipeline(desk)
    desk.run(path)
    seen(look(desk))
    # One step alone, with what the run before left in the bucket.
    path.write_text(path.read_text().replace("sum(table['a'])", "10 * sum(table['a'])"))
    desk.run(path, "--only", "use")
    steps = desk.status()["steps"]
    assert steps["make"]["status"] == "cached"
    assert steps["use"]["status"] == "succeeded"
