import pandas as pd

from imet_utils.skipped_images import COLUMNS, read_skipped, usable_ids, write_skipped


def test_the_list_is_read_as_written_and_goes_when_nothing_is_skipped(tmp_path):
    rows = [["train", "12e5", "12e5.png", "3", "damaged, or so"], ["test", "NA", "", "", "no file"]]
    skipped = pd.DataFrame(rows, columns=COLUMNS)
    write_skipped(skipped, tmp_path)
    assert read_skipped(tmp_path).to_numpy().tolist() == rows
    write_skipped(skipped[:0], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert read_skipped(tmp_path).empty
    assert list(read_skipped(tmp_path)) == COLUMNS


def test_usable_are_all_but_the_skipped_of_the_test_folder(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "sample_submission.csv").write_text("id\nc\nNA\na\n")
    assert usable_ids(tmp_path, tmp_path) == ["c", "NA", "a"]
    rows = [["train", "a", "", "", ""], ["test", "NA", "", "", ""]]
    write_skipped(pd.DataFrame(rows, columns=COLUMNS), tmp_path)
    assert usable_ids(tmp_path, tmp_path) == ["c", "a"]
