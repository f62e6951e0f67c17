import numpy as np
import pytest
import torch
from skimage import draw

from imet_utils.hog_strokes import draw_strokes


@pytest.mark.parametrize("cell", [(16, 16), (7, 20), (40, 33), (5, 4)])
@pytest.mark.parametrize("orientations", [1, 8, 9, 18])
def test_strokes_are_the_lines_of_scikit_image(orientations, cell):
    strokes = draw_strokes(orientations, cell)
    radius = min(cell) // 2 - 1
    for k, stroke in enumerate(strokes):
        angle = np.pi * (k + 0.5) / orientations
        down, right = radius * np.cos(angle), radius * np.sin(angle)
        rows, columns = draw.line(
            int(cell[0] // 2 - down),
            int(cell[1] // 2 + right),
            int(cell[0] // 2 + down),
            int(cell[1] // 2 - right),
        )
        expected = torch.zeros(cell)
        expected[rows, columns] = 1
        assert torch.equal(stroke, expected)


@pytest.mark.parametrize("cell", [(1, 1), (1, 9), (3, 2)])
def test_cells_too_small_for_a_stroke_have_a_dot(cell):
    strokes = draw_strokes(3, cell)
    assert torch.equal(strokes.sum((1, 2)), torch.ones(3))
    assert strokes[:, cell[0] // 2, cell[1] // 2].all()
