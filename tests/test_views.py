import colorsys
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import functional as reference

from imet_utils.tables import read_tables
from imet_utils.view_making import _draw_view, colour_matrix, plan_views
from imet_utils.views import (
    ViewDataset,
    channel_stats,
    make_views,
    read_image,
    split_dataset,
    submission_dataset,
    view_targets,
)

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"


def noise(width, height, seed=0):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def coordinates(width, height):
    """An image whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (3, H, W)


@pytest.fixture
def collection(tmp_path):
    """Seven small images and what `ViewDataset` takes of them."""
    paths = [tmp_path / f"{k}.png" for k in range(7)]
    for k, path in enumerate(paths):
        noise(40 + k, 50 - 3 * k, seed=k).save(path)
    return {
        "paths": paths,
        "ids": [f"id{k}" for k in range(7)],
        "has_culture": np.arange(7) % 2 == 0,
        "size": 32,
    }


def test_view_0_is_the_whole_image_and_the_others_are_crops_of_it():
    image = coordinates(90, 60)
    made = make_views(image, "a", crop=True, augment=False, size=32, num_views=40)
    assert made.shape == (40, 3, 32, 32)
    assert made.dtype == torch.uint8
    assert torch.equal(made[0], pixels(image.resize((32, 32), Image.Resampling.BILINEAR)))
    corners = made[1:, :2, 0, 0].int()  # (39, 2) left and top
    for view, (left, top) in zip(made[1:], corners.tolist(), strict=True):
        assert torch.equal(view, pixels(image)[:, top : top + 32, left : left + 32])
    assert corners.amin(0).tolist() < [10, 5]
    assert (corners.amax(0) > torch.tensor([48, 23])).all()  # of at most 58 and 28


def test_crop_reaches_all_places_and_no_others():
    made = make_views(coordinates(5, 4), "a", crop=True, augment=False, size=3, num_views=200)
    corners = {tuple(corner) for corner in made[1:, :2, 0, 0].tolist()}
    assert corners == {(left, top) for left in range(3) for top in range(2)}


@pytest.mark.parametrize(("width", "height"), [(20, 60), (60, 20), (1, 9), (20, 20)])
def test_short_side_is_scaled_up(width, height):
    image, side = coordinates(width, height), min(width, height)
    made = make_views(image, "a", crop=True, augment=False, size=32, num_views=6)
    squares = [
        image.crop((left, top, left + side, top + side)).resize((32, 32), Image.Resampling.BILINEAR)
        for left in range(width - side + 1)
        for top in range(height - side + 1)
    ]
    for view in made[1:]:
        assert any(torch.equal(view, pixels(square)) for square in squares)


def test_augmentation_flips_and_multiplies_by_the_matrix():
    image = noise(50, 50)
    made = make_views(image, "a", crop=False, augment=True, seed=3, size=50, num_views=12)
    plan = plan_views(image.size, "a", crop=False, augment=True, seed=3, size=50, views=range(12))
    for view, number in zip(plan, range(12), strict=True):
        draw = _draw_view(3, "a", number)
        assert (view.box, view.flip) == (None, draw.flip)
        assert view.colours == colour_matrix(draw.hue, draw.saturation)
        expected = reference.hflip(image) if draw.flip else image
        turned = np.asarray(expected) @ np.array(view.colours).T
        error = made[number].permute(1, 2, 0).numpy() - turned.clip(0, 255)
        assert np.abs(error).max() <= 0.501
    assert 0 < sum(view.flip for view in plan) < 12


def test_saturation_is_that_of_torchvision():
    image = noise(20, 20)
    turned = np.asarray(image) @ np.array(colour_matrix(0, 0.95)).T
    expected = np.asarray(reference.adjust_saturation(image, 0.95))
    assert np.abs(turned - expected).max() < 1.5  # Pillow rounds twice


@pytest.mark.parametrize("hue", [-0.05, 0.02, 0.05])
def test_hue_moves_as_in_hsv_and_greys_stay(hue):
    matrix = np.array(colour_matrix(hue, 1.0))
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    moved = []
    for colour in np.random.default_rng(0).uniform(0.2, 0.8, (500, 3)):
        before, after = (colorsys.rgb_to_hsv(*rgb)[0] for rgb in (colour, matrix @ colour))
        moved.append((after - before + 0.5) % 1 - 0.5)
    assert np.abs(np.array(moved) - hue).max() < 0.007
    assert np.mean(moved) == pytest.approx(hue, abs=0.001)


def test_a_third_of_a_turn_exchanges_the_channels():
    assert np.allclose(colour_matrix(1 / 3, 1.0), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert np.allclose(colour_matrix(0, 0.0), [[0.299, 0.587, 0.114]] * 3)


def test_drawn_numbers_fill_their_ranges():
    draws = [_draw_view(0, f"id{k}", view) for k in range(300) for view in range(2)]
    hues = np.array([draw.hue for draw in draws])
    saturations = np.array([draw.saturation for draw in draws])
    assert -0.05 <= hues.min() < -0.049
    assert 0.049 < hues.max() <= 0.05
    assert 0.95 <= saturations.min() < 0.951
    assert 1.049 < saturations.max() <= 1.05
    assert 0.42 < np.mean([draw.flip for draw in draws]) < 0.58
    columns = np.array([[d.top, d.left, d.flip, d.hue, d.saturation] for d in draws]).T
    assert np.abs(np.corrcoef(columns) - np.eye(5)).max() < 0.15


def test_training_images_without_culture_are_never_cropped(collection):
    plain = ViewDataset(**collection, train=True, augment=False)
    for index, cropped in enumerate(collection["has_culture"]):
        assert (plain[index] == plain[index][0]).all() == (not cropped)
    val = ViewDataset(**collection, train=False)
    assert all(not (val[index] == val[index][0]).all() for index in range(7))


def test_only_training_images_are_augmented(collection):
    val, train = (ViewDataset(**collection, train=train) for train in (False, True))
    plain = ViewDataset(**collection, train=True, augment=False)
    assert torch.equal(val[0], plain[0])  # the same crops, by the same seed
    assert (train[0] != plain[0]).flatten(1).any(1).all()


@pytest.mark.filterwarnings(FORK)
def test_randomness_depends_on_seed_id_and_view_only(collection):
    data = ViewDataset(**collection, train=True, seed=5)
    items = [data[index] for index in range(7)]
    assert all(torch.equal(data[index], items[index]) for index in reversed(range(7)))
    for workers in (1, 2):
        loaded = DataLoader(data, batch_size=2, num_workers=workers)
        assert torch.equal(torch.cat(list(loaded)), torch.stack(items))
    tail = {k: v if k == "size" else v[3:] for k, v in collection.items()}
    assert torch.equal(ViewDataset(**tail, train=True, seed=5)[0], items[3])
    fewer = ViewDataset(**collection, train=True, seed=5, num_views=2)
    assert torch.equal(fewer[0], items[0][:2])
    assert not torch.equal(ViewDataset(**collection, train=True, seed=6)[0], items[0])
    renamed = collection | {"ids": [f"other{k}" for k in range(7)]}
    assert not torch.equal(ViewDataset(**renamed, train=True, seed=5)[0], items[0])
    assert torch.equal(pickle.loads(pickle.dumps(data))[2], items[2])  # noqa: S301  (as by spawn)


def test_dataset_refuses_what_does_not_belong_together(collection):
    with pytest.raises(ValueError, match="got 7, 6 and 7"):
        ViewDataset(**collection | {"ids": collection["ids"][1:]}, train=True)
    with pytest.raises(ValueError, match="got 0 and 32"):
        ViewDataset(**collection, train=True, num_views=0)
    with pytest.raises(ValueError, match="got L"):
        make_views(Image.new("L", (9, 9)), "a", crop=True, augment=False)


def test_view_targets_by_hand():
    is_culture = np.array([True, True, False, False])
    targets = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    train = view_targets(targets, is_culture, "culture", num_views=3)
    assert train.dtype == bool
    assert train[0].astype(int).tolist() == [[1, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert train[1].astype(int).tolist() == [[0, 0, 1, 0]] * 3  # tags only: never cropped
    assert train[2].astype(int).tolist() == [[0, 1, 0, 0]] * 3
    assert not train[3].any()
    assert (view_targets(targets, is_culture, num_views=3) == targets[:, None]).all()
    with pytest.raises(ValueError, match=r"\(4, 4\), \(3,\) and 6"):
        view_targets(targets, is_culture[:3])
    with pytest.raises(ValueError, match="bool"):
        view_targets(targets.astype(int), is_culture)
    with pytest.raises(ValueError, match="'tags'"):
        view_targets(targets, is_culture, "tags")


@pytest.mark.filterwarnings(FORK)
def test_channel_stats_equal_numpy(collection):
    data = ViewDataset(**collection, train=True)
    whole = np.stack([np.asarray(read_image(path).resize((32, 32), 2)) for path in data.paths])
    for workers in (0, 2):
        mean, std = channel_stats(data, num_workers=workers)
        assert mean.dtype == std.dtype == np.float64
        np.testing.assert_allclose(mean, (whole / 255).mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(std, (whole / 255).std((0, 1, 2)), rtol=1e-12)
    batches = [data[0], data[1][0]]  # (V, 3, H, W) and (3, H, W)
    levels = np.concatenate([b.numpy().reshape(-1, 3, 32, 32) for b in batches]) / 255
    mean, std = channel_stats(batches)
    np.testing.assert_allclose(mean, levels.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, levels.std((0, 2, 3)), rtol=1e-12)


def test_channel_stats_are_rgb_and_refuse_the_rest():
    red = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    red[:, 0] = 255
    mean, std = channel_stats([red])
    assert mean.tolist() == [1, 0, 0]
    assert std.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="no images"):
        channel_stats([])
    with pytest.raises(ValueError, match="float32"):
        channel_stats([red.float()])


def test_fingerprint_tells_settings_ids_and_files_apart(collection):
    def make(**changes):
        return ViewDataset(**(collection | changes), train=True).fingerprint()

    assert make() == make()
    others = [
        make(seed=1),
        make(ids=[f"{name}x" for name in collection["ids"]]),
        make(has_culture=~np.asarray(collection["has_culture"])),
        ViewDataset(**collection, train=False).fingerprint(),
    ]
    Image.new("RGB", (9, 9)).save(collection["paths"][0])
    others.append(make())
    assert (
        len(
            {
                str(sorted(made.items()))
                for made in [
                    ViewDataset(**collection, train=True, augment=False).fingerprint(),
                    *others,
                ]
            }
        )
        == 6
    )


@pytest.fixture
def tables(tmp_path):
    """Three images: with culture and tag, with a tag alone, and one of validation."""
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            noise(240, 300, seed=ord(name)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "labels.csv").write_text(
        "attribute_id,attribute_name\n7,culture::french\n9,tag::men\n"
    )
    (tmp_path / "images.csv").write_text(
        "id,attribute_ids,split\na,7 9,train\nb,9,train\nc,7,val\n"
    )
    return read_tables(tmp_path, tmp_path)


def test_split_dataset_crops_and_augments_by_split(tables):
    train, val = split_dataset(tables, "train", seed=3), split_dataset(tables, "val")
    assert train.ids == ["a", "b"]
    assert train.has_culture.tolist() == [True, False]
    assert (train.train, train.seed, val.train) == (True, 3, False)
    assert val.paths == [str(tables.data_dir / "train" / "c.png")]


def test_submission_dataset_follows_the_order_of_the_sample_and_crops(tables):
    (tables.data_dir / "sample_submission.csv").write_text("id,attribute_ids\nc,7\na,7\n")
    data = submission_dataset(tables.data_dir, tables.data_dir)
    assert data.ids == ["c", "a"]
    views = data[0]
    assert not torch.equal(views[0], views[1])
    assert not data.train
    (tables.data_dir / "skipped_images.csv").write_text("folder,id\ntest,c\ntrain,a\n")
    assert submission_dataset(tables.data_dir, tables.data_dir).ids == ["a"]


def test_submission_dataset_is_none_without_a_test_folder(tmp_path):
    assert submission_dataset(tmp_path, tmp_path) is None
