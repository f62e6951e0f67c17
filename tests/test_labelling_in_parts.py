"""Many images, labelled in parts: by several processes as by one, and resumed after an end."""

import shutil

import pytest
from small_data import launch, write_noise

from imet_tools.labelling import label_files
from imet_tools.labelling.__main__ import main
from imet_utils.labeller import Labeller

TABLES = ("labels.csv", "submission.csv", "skipped_images.csv")
SMALL_PARTS = """\
import sys
from imet_tools.labelling import label_files
from imet_tools.labelling.__main__ import main
from imet_utils.distributed import num_processes
label_files.PART = 2
code = main(sys.argv[1:])
print(f"one of {num_processes()}")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(smoke, module_path):
    """A folder with a labeller, and photos: five images and a text."""
    shutil.copytree(smoke[0] / "labeller", module_path / "labeller")
    write_noise(module_path / "photos", range(5))
    (module_path / "photos/notes.txt").write_text("no image")
    return module_path


def command(folder, *options):
    output = str(folder / "labeller")
    return ["label", str(folder / "photos"), "--output", output, "--top", "2", *options]


def read(folder):
    results = folder / "labeller/labelled/photos"
    assert not (results / "parts").exists()
    return {name: (results / name).read_bytes() for name in TABLES}


def label(folder, *options):
    """Label the photos in this process; return the tables' bytes."""
    assert main(command(folder, *options)) == 0
    return read(folder)


def test_two_processes_write_the_tables_of_one(folder):
    wanted = label(folder)
    assert wanted["submission.csv"].count(b"\n") == 6
    for name in TABLES:
        (folder / "labeller/labelled/photos" / name).unlink()
    script = folder / "small_parts.py"
    script.write_text(SMALL_PARTS)
    result = launch(script, *command(folder))
    assert result.returncode == 0, result.stderr[-3000:]
    assert read(folder) == wanted
    assert result.stdout.count("one of 2") == 2
    assert result.stdout.count("5 images labelled, 1 files skipped") == 1


def test_what_has_ended_goes_on_with_what_is_done_for_the_same_images(folder, monkeypatch):
    wanted, explain, labelled = label(folder), Labeller.explain_all, []

    def explain_two_parts(labeller, paths, *arguments):
        if len(labelled) == 2:
            raise OSError("the power fails")
        labelled.append([path.stem for path in paths])
        return explain(labeller, paths, *arguments)

    monkeypatch.setattr(label_files, "PART", 2)
    monkeypatch.setattr(Labeller, "explain_all", explain_two_parts)
    assert main(command(folder, "--no-review")) == 2
    assert labelled == [["0", "1"], ["2", "3"]]
    write_noise(folder / "photos", [1], (30, 50))  # another image of the same name
    labelled.clear()
    found = label(folder, "--no-review")
    assert labelled == [["0", "1"], ["4"]]
    monkeypatch.undo()
    assert found == label(folder)
    assert found["labels.csv"] != wanted["labels.csv"]
