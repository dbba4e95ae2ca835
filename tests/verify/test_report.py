"""What a verification does before and after its two runs."""

from __future__ import annotations

from kfnb.verify.report import copy_folder


def test_links_of_a_copied_folder_lead_to_the_same_data(tmp_path):
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True)
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1\n")
    (folder / "own.csv").write_text("2\n")
    (folder / "outside").symlink_to("../../data", target_is_directory=True)
    (folder / "absolute.csv").symlink_to(data / "rows.csv")
    (folder / "inside.csv").symlink_to("own.csv")
    (folder / "dangling.csv").symlink_to("missing.csv")

    copy = tmp_path / "elsewhere" / "deeper" / "copy"
    copy_folder(folder, copy)

    assert (copy / "outside" / "rows.csv").read_text() == "1\n"
    assert (copy / "outside").is_symlink()
    assert (copy / "absolute.csv").read_text() == "1\n"
    (copy / "inside.csv").write_text("3\n")
    assert (folder / "own.csv").read_text() == "2\n"
    assert str((copy / "dangling.csv").readlink()) == "missing.csv"
