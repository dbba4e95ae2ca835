"""Notebooks run on a real cluster as they do here."""

from __future__ import annotations


def test_a_pipeline_runs_as_jobs(desk):
    (desk.folder / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (desk.folder / "data.csv").write_text("1\n2\n3\n")
    path = desk.notebook(
        ("setup", "import kfnb\nfrom helper import double"),
        ("parameters", "factor = 1"),
        ("step:load", "rows = [int(line) for line in open('data.csv')]\nprint('loaded', rows)"),
        ("step:left", "left = [double(r) * factor for r in rows]\nopen('left.txt','w').write('L')"),
        ("step:right", "right = sum(rows)\nkfnb.log_metric('sum', right)"),
        ("step:join", "print('joined', left, right, open('left.txt').read())\ntotal = sum(left)"),
        ("step:end", "print(total)"),
    )
    said = desk.run(path, "-p", "factor=3")
    status = desk.status()
    assert {n: s["status"] for n, s in status["steps"].items()} == dict.fromkeys(
        ("load", "left", "right", "join", "end"), "succeeded"
    ), said
    assert status["metrics"] == {"sum": 6}
    assert "joined [6, 12, 18] 6 L" in desk.kfnb("logs", "latest", "join")
    assert desk.kfnb("logs", "latest", "end") == "36\n"
    assert not (desk.folder / "left.txt").exists()

    again = desk.run(path, "-p", "factor=3")
    assert {s["status"] for s in desk.status()["steps"].values()} == {"cached"}, again
