import numpy as np
import pytest

from imet_utils.plots import plot_hog, plot_image_grid, plot_views
from imet_utils.plots.style import KIND_COLORS


def make_image(height, width, value=7):
    return np.full((height, width, 3), value, np.uint8)


def texts(fig):
    return [text.get_text() for text in fig.texts]


def test_grid_shows_each_image_with_its_labels():
    images = [make_image(20, 30, 1), make_image(40, 10, 2), make_image(9, 9, 3)]
    fig = plot_image_grid(images, [["culture::french", "tag::men"], ["tag::dogs"], []], columns=2)
    assert len(fig.axes) == 3
    for ax, image in zip(fig.axes, images, strict=True):
        assert np.array_equal(ax.images[0].get_array(), image)
    colors = {text.get_text(): text.get_color() for text in fig.texts}
    assert colors["french"] == KIND_COLORS["culture"]
    assert colors["men"] == colors["dogs"] == KIND_COLORS["tag"]
    assert {"no label", "■ culture", "■ tag"} <= set(colors)


def test_grid_has_the_columns_asked_for():
    fig = plot_image_grid([make_image(9, 9)] * 5, [[]] * 5, columns=3)
    lefts = [round(ax.get_position().x0, 6) for ax in fig.axes]
    assert len(set(lefts)) == 3
    assert lefts[3:] == lefts[:2]


def test_grid_captions_stay_on_the_figure():
    labels = [f"tag::{i}" for i in range(30)]
    fig = plot_image_grid([make_image(90, 9), make_image(9, 90)], [labels, []], columns=1)
    assert "+ 22 more" in texts(fig)
    assert all(0 < text.get_position()[1] < 1 for text in fig.texts)


def test_grid_refuses_differing_lengths_and_columns():
    with pytest.raises(ValueError, match="equally many"):
        plot_image_grid([make_image(9, 9)], [[], []])
    with pytest.raises(ValueError, match="columns from 1 to 12"):
        plot_image_grid([make_image(9, 9)], [[]], columns=0)


def test_views_are_in_rows_with_the_labels_kept():
    views = np.arange(2 * 3).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 3, 4, 5))
    kept = [[["culture::a", "tag::b"], ["culture::a"], []], [["tag::c"]] * 3]
    fig = plot_views(views.astype(np.uint8), ["first", "second"], kept)
    assert [ax.images[0].get_array().mean() for ax in fig.axes] == [0, 1, 2, 3, 4, 5]
    assert fig.axes[0].images[0].get_array().shape == (4, 5, 3)
    written = texts(fig)
    assert [written.count(label) for label in "abc"] == [2, 1, 3]
    assert {"first", "second", "view 0, whole", "view 2", "no label"} <= set(written)


@pytest.mark.parametrize(
    "views",
    [np.zeros((1, 6, 3, 4, 4)), np.zeros((1, 6, 4, 4, 3), np.uint8), np.zeros((6, 3, 4, 4))],
)
def test_views_of_other_shapes_are_refused(views):
    with pytest.raises(ValueError, match=r"wanted views \(N, V, 3, H, W\) uint8"):
        plot_views(views, ["a"])


@pytest.mark.parametrize("kept", [[], [[]], [[["tag::a"]], [["tag::a"]]], [["tag::a"]]])
def test_views_refuse_labels_that_do_not_match(kept):
    with pytest.raises(ValueError, match=r"equally many|empty|list of labels"):
        plot_views(np.zeros((1, 1, 3, 4, 4), np.uint8), ["a"], kept)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_hog_pictures_stand_beside_their_images(count):
    images = [make_image(8, 8, i) for i in range(count)]
    pictures = [np.full((8, 8), i / 10) for i in range(count)]
    fig = plot_hog(images, pictures, [f"image {i}" for i in range(count)])
    assert len(fig.axes) == 2 * count
    for i in range(count):
        image, picture = fig.axes[2 * i : 2 * i + 2]
        assert np.array_equal(image.images[0].get_array(), images[i])
        assert np.array_equal(picture.images[0].get_array(), pictures[i])
        assert image.get_position().y0 == pytest.approx(picture.get_position().y0)
        assert image.get_position().x1 <= picture.get_position().x0
    assert f"image {count - 1}" in texts(fig)


def test_hog_refuses_pictures_that_are_none():
    with pytest.raises(ValueError, match="finite HOG pictures"):
        plot_hog([make_image(4, 4)], [np.full((4, 4), np.nan)])
