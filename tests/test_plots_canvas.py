import numpy as np
import pytest

from imet_utils.plots import canvas
from imet_utils.plots.style import new_figure


def test_axes_lie_where_the_inches_say():
    fig = new_figure(4, width=8, layout=None)
    bounds = canvas.place_axes(fig, left=1, top=0.5, width=2, height=3).get_position().bounds
    assert bounds == pytest.approx((1 / 8, 0.5 / 4, 2 / 8, 3 / 4))


def test_wrapped_text_keeps_every_word_that_fits():
    assert canvas.wrap_text("one two three", 10, 3, 9) == ["one two three"]
    assert canvas.wrap_text("one two three", 0.6, 3, 9) == ["one two", "three"]
    assert canvas.wrap_text("one two three four", 0.6, 2, 9) == ["one two", "three f…"]
    assert canvas.wrap_text("", 1, 2, 9) == [""]


@pytest.mark.parametrize("text", ["mmmm wwww " * 9, "illi " * 40, "short", "W" * 90, "$x$ " * 30])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_text_fills_its_width_and_no_more(text, weight):
    fig = new_figure(2, width=4, layout=None)
    canvas.place_text(fig, 0.1, 0.1, text, width=1.5, lines=2, weight=weight)
    widths = [drawn.get_window_extent().width / fig.dpi for drawn in fig.texts]
    assert max(widths) <= 1.53
    if text != "short":
        assert widths[-1] > 1.2


def test_labels_take_their_kind_colour_and_the_rest_is_counted():
    fig = new_figure(2, width=4, layout=None)
    labels = ["culture::a", "tag::b", "tag::c", "tag::d"]
    colors = canvas.colors_of([labels])
    canvas.place_labels(fig, 0, 0, labels, 2, 3, colors)
    assert [text.get_text() for text in fig.texts] == ["a", "b", "+ 2 more"]
    assert [text.get_color() for text in fig.texts[:2]] == [colors["culture"], colors["tag"]]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
        [[[1, 2, 3]]],
    ],
)
def test_other_images_are_refused(image):
    with pytest.raises(ValueError, match=r"wanted an image \(H, W, 3\) uint8"):
        canvas.check_image(image)


def test_a_text_in_place_of_a_list_of_labels_is_refused():
    with pytest.raises(ValueError, match="list of labels"):
        canvas.check_labels(["tag::a"], "captions")
