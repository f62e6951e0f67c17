"""A motif for a label that nobody has drawn: colour, shape and texture tell its attribute id."""

import colorsys

import numpy as np

from imet_tools.sample.pen import Frame

HUES, CORNERS, STRIPES, DIRECTIONS = 12, (3, 4, 5, 6), (1, 3, 5), 4
KINDS = HUES * 2 * len(CORNERS) * len(STRIPES) * DIRECTIONS  # 1,152


def motif_of(attribute_id: int) -> tuple[int, bool, int, int, int]:
    """Return hue, whether it is a star, corners, stripes and their direction.

    No two ids below `KINDS` have the same.

    >>> motif_of(13)
    (1, True, 3, 1, 0)
    """
    rest, hue = divmod(attribute_id % KINDS, HUES)
    rest, star = divmod(rest, 2)
    rest, corners = divmod(rest, len(CORNERS))
    direction, stripes = divmod(rest, len(STRIPES))
    return hue, bool(star), CORNERS[corners], STRIPES[stripes], direction


def draw_generic(frame: Frame, attribute_id: int) -> None:
    """Draw the motif of an attribute id in a frame."""
    hue, star, corners, stripes, direction = motif_of(attribute_id)
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue / HUES, 0.75, 0.85))
    angles = np.arange(corners * (2 if star else 1)) * np.pi / corners * (1 if star else 2)
    radii = np.where(np.arange(len(angles)) % 2, 0.22, 0.5) if star else 0.5
    outline = 0.5 + np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)  # (K, 2)
    frame.shape(outline, colour, smooth=False)
    turn = direction * np.pi / DIRECTIONS
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for offset in np.linspace(-0.15, 0.15, stripes) if stripes > 1 else [0.0]:
        middle = 0.5 + offset * across
        frame.stroke([middle - 0.2 * along, middle + 0.2 * along], (250, 250, 250), 0.03)
