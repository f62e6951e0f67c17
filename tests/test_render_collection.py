from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imet_utils.tables.checks import load_collection
from imet_utils.tables.collection_tables import load_tables

IMET = Path(__file__).resolve().parents[2] / "shared" / "imet2019"


@pytest.fixture
def rendering(load):
    return load("render_collection")


@pytest.fixture
def tables(tmp_path):
    """Five rows: a style and a motif of the sample, a culture and a tag that nobody has drawn."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "labels.csv").write_text(
        "attribute_id,attribute_name\n0,culture::french\n1,culture::nobody\n2,tag::horses\n"
        "700,tag::oddities\n"
    )
    rows = ["12e5,0 2", "0011,1 700", "a3,2", "a4,0 1 2 700", "a5,700"]
    (folder / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    sizes = ["12e5,300,410", "0011,1500,300", "a3,300,300", "a4,300,350", "a5,300,2000"]
    (folder / "image_sizes.csv").write_text("\n".join(["id,height,width", *sizes]) + "\n")
    return folder


def test_a_whole_collection_has_the_rows_sizes_and_labels_of_the_tables(
    rendering, tables, tmp_path
):
    out = rendering.render_collection(tables, tmp_path / "out", 1.0)
    assert (out / "train.csv").read_text() == (tables / "train.csv").read_text()
    with Image.open(out / "train/0011.jpg") as image:
        assert image.size == (300, 1500)
    collection = load_collection(out, tmp_path / "results")
    assert collection.tables.images["id"].tolist() == ["12e5", "0011", "a3", "a4", "a5"]
    assert not len(collection.skipped)
    assert len(list((out / "test").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_share_is_of_rows_as_they_are_and_the_same_again(rendering, tables):
    rows = rendering.take_rows(tables, 0.6, seed=0)
    whole = rendering.take_rows(tables, 1.0, seed=0)
    assert len(rows) == 3
    pd.testing.assert_frame_equal(rows, whole.loc[rows.index])
    pd.testing.assert_frame_equal(rows, rendering.take_rows(tables, 0.6, seed=0))


def test_labels_show_in_the_picture(rendering, tmp_path):
    def paint(*labels):
        job = rendering.Job(tmp_path / "a.png", labels, 300, 300)
        return np.asarray(rendering.paint(job, np.random.default_rng(0))).astype(int)

    pictures = [
        paint((0, "culture::french")),
        paint((0, "culture::french"), (2, "tag::horses")),
        paint((0, "culture::french"), (700, "tag::oddities")),
        paint((0, "culture::french"), (701, "tag::others")),
    ]
    for number, picture in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert (abs(picture - other).max(axis=-1) > 60).mean() > 0.01  # of the pixels


def test_motifs_differ_for_every_label_of_imet(load):
    motif = load("generic_motif")
    assert len({motif.motif_of(number) for number in range(motif.KINDS)}) == motif.KINDS > 1103


@pytest.mark.skipif(not IMET.exists(), reason="iMet's tables lie outside the repository")
def test_the_true_tables_can_be_drawn_from(rendering, tmp_path):
    rows = rendering.take_rows(IMET, 0.001, seed=0)
    assert len(rows) == 109
    assert rows[["height", "width"]].min(axis=1).eq(300).mean() > 0.9
    names = load_tables(IMET).labels.set_index("attribute_id")["attribute_name"]
    for job in rendering.make_jobs(rows[:3], names, tmp_path, ".png"):
        rendering.render_job(job, seed=0)
        with Image.open(job.path) as image:
            assert image.size == (job.width, job.height)


@pytest.mark.parametrize(("share", "suffix"), [(0, ".jpg"), (1.1, ".jpg"), (0.5, ".tif")])
def test_another_share_or_suffix_is_refused(rendering, tables, tmp_path, share, suffix):
    with pytest.raises(ValueError, match="share must be"):
        rendering.render_collection(tables, tmp_path / "out", share, suffix)


def test_a_folder_that_is_there_is_refused(rendering, tables, tmp_path):
    with pytest.raises(FileExistsError, match="another folder"):
        rendering.render_collection(tables, tmp_path, 1.0)
