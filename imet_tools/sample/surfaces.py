"""What a picture of the sample collection is painted on, and what time and technique did to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imet_tools.sample.arithmetic import cos, sin

Rng = np.random.Generator


def clouds(height: int, width: int, rng: Rng, cells: float = 4) -> np.ndarray:
    """Smooth noise (H, W) in about [-1, 1], with `cells` blotches along the short side."""
    step = min(height, width) / cells
    small = rng.uniform(-1, 1, (int(height / step) + 2, int(width / step) + 2)).astype("float32")
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _size(pixels: np.ndarray) -> tuple[int, int]:
    """Return height and width of (H, W) or (H, W, 3)."""
    return pixels.shape[0], pixels.shape[1]


def _streaks(height: int, width: int, rng: Rng, length: int, vertical: bool) -> np.ndarray:
    shape = (height // length + 2, width) if vertical else (height, width // length + 2)
    small = rng.normal(0, 1, shape).astype("float32")
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def texture(kind: str, height: int, width: int, rng: Rng) -> np.ndarray:
    """Lightness factors (H, W) around 1 of a ground such as papyrus, silk or plaster."""
    if kind not in _GROUNDS:
        raise ValueError(f"no ground {kind!r}; there are {', '.join(sorted(_GROUNDS))}")
    rows, columns = np.mgrid[:height, :width].astype("float32")
    blotch = clouds(height, width, rng, 5)
    grain = rng.standard_normal((height, width), dtype="float32")
    return _GROUNDS[kind](_Grid(rows, columns, blotch, grain, rng))


class _Grid(NamedTuple):
    """What grounds are made of: pixel coordinates, blotches and grain, each (H, W)."""

    rows: np.ndarray
    columns: np.ndarray
    blotch: np.ndarray
    grain: np.ndarray
    rng: Rng

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return _size(self.rows)


def _papyrus(g: _Grid) -> np.ndarray:
    height, width = g.rows.shape
    fibres = _streaks(height, width, g.rng, 90, True) + _streaks(height, width, g.rng, 60, False)
    return 1 + 0.035 * fibres + 0.05 * g.blotch + 0.012 * g.grain


def _stone(g: _Grid) -> np.ndarray:
    fine = clouds(*g.size, g.rng, 45)
    return 0.97 + 0.06 * g.blotch + 0.05 * fine + 0.035 * g.grain


def _clay(g: _Grid) -> np.ndarray:
    return 1 + 0.05 * g.blotch + 0.018 * g.grain + 0.02 * _streaks(*g.size, g.rng, 80, False)


def _plaster(g: _Grid) -> np.ndarray:
    fine = clouds(*g.size, g.rng, 28)
    return 1 + 0.06 * g.blotch + 0.045 * fine + 0.018 * g.grain


def _washi(g: _Grid) -> np.ndarray:
    return 1 + 0.035 * g.blotch + 0.02 * clouds(*g.size, g.rng, 40) + 0.014 * g.grain


def _silk(g: _Grid) -> np.ndarray:
    weave = _sin(g.columns * 2.1) * _sin(g.rows * 2.4)
    return 1 + 0.05 * g.blotch + 0.022 * weave + 0.02 * _streaks(*g.size, g.rng, 50, False)


def _glaze(g: _Grid) -> np.ndarray:
    return 1 + 0.025 * g.blotch + 0.006 * g.grain


def _canvas(g: _Grid) -> np.ndarray:
    weave = _sin(g.columns * 1.7 + 0.4 * g.blotch) + _sin(g.rows * 1.7)
    return 1 + 0.03 * g.blotch + 0.02 * weave + 0.02 * g.grain


def _laid(g: _Grid) -> np.ndarray:
    return 1 + 0.035 * g.blotch + 0.012 * _sin(g.rows * 1.1) + 0.012 * g.grain


def _gold(g: _Grid) -> np.ndarray:
    leaf = np.minimum(g.rows % 62, g.columns % 58) < 1.2
    return 1.02 + 0.09 * g.blotch + 0.03 * clouds(*g.size, g.rng, 30) - 0.07 * leaf + 0.01 * g.grain


def _batik(g: _Grid) -> np.ndarray:
    return 1 + 0.06 * g.blotch + 0.03 * _sin(g.columns * 2.6) * _sin(g.rows * 2.6) + 0.02 * g.grain


def _amate(g: _Grid) -> np.ndarray:
    fibres = _streaks(*g.size, g.rng, 25, True) * _streaks(*g.size, g.rng, 25, False)
    return 0.98 + 0.07 * g.blotch + 0.04 * fibres + 0.015 * g.grain


def _brick(g: _Grid) -> np.ndarray:
    return 1 + 0.07 * g.blotch + 0.05 * clouds(*g.size, g.rng, 30) + 0.02 * g.grain


def _textile(g: _Grid) -> np.ndarray:
    return 1 + 0.08 * g.blotch + 0.02 * g.grain


_GROUNDS = {
    "papyrus": _papyrus, "stone": _stone, "clay": _clay, "plaster": _plaster, "washi": _washi,
    "silk": _silk, "glaze": _glaze, "celadon": _glaze, "canvas": _canvas, "laid": _laid,
    "gold": _gold, "batik": _batik, "amate": _amate, "brick": _brick, "textile": _textile,
}  # fmt: skip


def finish(kind: str, image: Image.Image, ground: str, paper: tuple, rng: Rng) -> Image.Image:
    """Turn a flat drawing into a painting, print, mosaic or cloth on its ground."""
    if kind not in _FINISHES:
        raise ValueError(f"no finish {kind!r}; there are {', '.join(sorted(_FINISHES))}")
    width, height = image.size
    worked = _FINISHES[kind](image, np.array(paper, "float32"), rng)  # (H, W, 3)
    surface = texture(ground, height, width, rng)
    worked = worked * surface[..., None]
    cast = 1 + rng.normal(0, 0.025, 3)  # the photographer's light
    gain, lift = rng.uniform(0.86, 1.08), rng.normal(0, 7)
    worked = worked * (gain * cast).astype("float32") + (cast * (118 * (1 - gain) + lift)).astype(
        "float32"
    )
    return Image.fromarray(np.clip(worked, 0, 255).astype("uint8"))


def _centred(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from -1 to 1, rows (H, 1) and columns (1, W)."""
    return (
        np.linspace(-1, 1, height, dtype="float32")[:, None],
        np.linspace(-1, 1, width, dtype="float32")[None],
    )


def _array(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype="float32")


def _sin(angle: np.ndarray) -> np.ndarray:
    """Sine of float32 angles; NumPy's own of float32 differs between CPUs."""
    return np.sin(angle, dtype="float64").astype("float32")


def _grey(colours: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """Weigh the channels of (H, W, 3) in one order, unlike a matrix product."""
    grey = np.zeros(colours.shape[:2], "float32")
    for channel, weight in enumerate(np.array(weights, "float32").astype("float64")):
        grey = (grey + colours[..., channel] * weight).astype("float32")
    return grey


def _flat(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    return _array(image)


def _worn(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Flake the paint off in patches and run cracks through it."""
    colours = _array(image)
    height, width = colours.shape[:2]
    field = clouds(height, width, rng, 7) + 0.5 * clouds(height, width, rng, 40)
    lost = np.clip((field - rng.uniform(0.75, 1.1)) * 6, 0, 0.8)[..., None]
    cracks = np.abs(clouds(height, width, rng, 6) + 0.25 * clouds(height, width, rng, 26)) < 0.012
    colours = colours * (1 - lost) + (paper * 0.97) * lost
    return colours * (1 - 0.3 * cracks[..., None])


def _glaze_finish(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Let the colours run a little and put a soft light on the glaze."""
    soft = _array(image.filter(ImageFilter.BoxBlur(0.8)))
    height, width = soft.shape[:2]
    rows, columns = _centred(height, width)
    at = rng.uniform(-0.7, 0.1, 2)
    light = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) * 2.2)[..., None]
    return soft * 0.96 + 20 * light


def _crackle(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    colours = _glaze_finish(image, paper, rng)
    height, width = colours.shape[:2]
    first = np.abs(clouds(height, width, rng, 11)) < 0.022
    second = np.abs(clouds(height, width, rng, 15)) < 0.02
    return colours * (1 - 0.13 * (first | second)[..., None])


def _bokashi(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Shade the top as the printers of Edo did, and let the wood grain show."""
    colours = _array(image)
    height, width = colours.shape[:2]
    grain = _streaks(height, width, rng, 120, False)
    band = np.clip(1 - np.arange(height) / (height * rng.uniform(0.12, 0.3)), 0, 1)[:, None, None]
    tone = np.array([38, 62, 110], "float32") if rng.random() < 0.7 else np.array([150, 60, 50.0])
    strength = rng.uniform(0.0, 0.75)
    colours = colours * (1 - strength * band) + tone * strength * band * (colours / 255)
    return colours * (1 + 0.022 * grain[..., None])


def _ink_finish(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Wash the colours out towards ink on silk."""
    colours = _array(image)
    grey = _grey(colours, (0.3, 0.59, 0.11))
    soft = _array(image.filter(ImageFilter.BoxBlur(1.6)))
    share = rng.uniform(0.25, 0.65)
    inked = share * grey[..., None] * (paper / 190) + (1 - share) * (0.5 * colours + 0.5 * soft)
    fade = 0.18 + 0.16 * clouds(*_size(grey), rng, 3)[..., None]
    return inked * (1 - fade) + paper * fade


def _wash(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Watercolour: pigment gathers at the edges and thins out inside."""
    colours = _array(image)
    soft = _array(image.filter(ImageFilter.BoxBlur(3)))
    height, width = colours.shape[:2]
    pool = 0.3 + 0.15 * clouds(height, width, rng, 8) + 0.08 * clouds(height, width, rng, 50)
    pool = pool[..., None]
    washed = colours + 0.35 * (colours - soft)
    return washed * (1 - pool) + np.minimum(paper + 8, 255) * pool


def _gilded(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Let yellows glimmer like leaf gold."""
    colours = _array(image)
    yellow = np.clip((colours[..., 0] - colours[..., 2] - 70) / 90, 0, 1)
    shine = clouds(*_size(yellow), rng, 30) * 22 + clouds(*_size(yellow), rng, 3) * 18
    return colours + (yellow * shine)[..., None]


def _hatch(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Engrave: parallel lines, crossed in the darks, over a pale tint."""
    colours = _array(image)
    grey = _grey(colours, (0.3, 0.59, 0.11)) / max(paper.mean(), 1)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype("float32")
    bend = 6 * clouds(*_size(grey), rng, 3)
    pitch = rng.uniform(1.5, 1.9)
    first = 0.5 + 0.5 * _sin((rows * 0.8 + columns * 0.6 + bend) * pitch)
    second = 0.5 + 0.5 * _sin((rows * 0.8 - columns * 0.6 + bend) * pitch)
    lines = np.clip((first - grey * 1.25 + 0.12) * 4, 0, 1) * (grey < 0.93)
    lines = np.maximum(lines, np.clip((second - grey * 1.8) * 4, 0, 1))
    keep = rng.uniform(0.15, 0.6)
    tint = colours * keep + (paper * (0.55 + 0.45 * grey[..., None])) * (1 - keep)
    strength = np.clip(0.7 * lines + 0.9 * np.clip(0.42 - grey, 0, 0.4), 0, 1)[..., None]
    return tint * (1 - strength) + np.array([40, 34, 30], "float32") * strength


def _woodcut(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    colours = _hatch(image, paper, rng)
    return colours * (1 + 0.05 * _streaks(*_size(colours), rng, 60, False)[..., None])


def _photo(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """An albumen print: brown, soft, darker at the corners."""
    soft = _array(image.filter(ImageFilter.BoxBlur(0.9)))
    grey = _grey(soft, (0.25, 0.6, 0.15))
    height, width = grey.shape
    rows, columns = _centred(height, width)
    corner = 1 - 0.22 * np.clip(rows**2 + columns**2 - 0.6, 0, 2)
    dark, light = np.array([44, 30, 24.0]), np.array([236, 222, 196.0])
    share = (np.clip((grey - 20) / 215, 0, 1) * corner)[..., None]
    return dark + (light - dark) * share


def _oil(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Blend as a brush does, glaze warm and darken the corners."""
    soft = _array(image.filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.BoxBlur(0.5)))
    height, width = soft.shape[:2]
    strokes = clouds(height, width, rng, 45) + clouds(height, width, rng, 20)
    rows, columns = _centred(height, width)
    corner = 1 - 0.18 * np.clip(rows**2 + columns**2 - 0.5, 0, 1.5)
    return soft * (corner * (1 + 0.035 * strokes))[..., None]


def _dark(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Candlelight: all falls into brown dark away from one lit place."""
    soft = _oil(image, paper, rng)
    height, width = soft.shape[:2]
    rows, columns = _centred(height, width)
    at = rng.uniform(-0.3, 0.2, 2)
    lit = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) * rng.uniform(0.5, 1.1))[..., None]
    shade = np.array([30, 20, 13], "float32")
    return soft * (0.32 + 0.78 * lit) + shade * (1 - lit) * 0.7


def _dabs(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Build the picture of short strokes of broken colour."""
    width, height = image.size
    source = _array(image)
    under = image.filter(ImageFilter.BoxBlur(2.5))
    draw = ImageDraw.Draw(under)
    count = int(width * height / rng.uniform(16, 24))
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    field = clouds(height, width, rng, 4) * 1.6 + rng.uniform(0, np.pi)
    angle = field[rows, columns] + rng.normal(0, 0.25, count)
    length = rng.uniform(2.0, 4.2, count)
    colours = source[rows, columns] + rng.normal(0, 11, (count, 3))
    colours = np.clip(colours, 0, 255).astype(int).tolist()
    across, down = cos(angle) * length, sin(angle) * length
    ends = np.stack([columns - across, rows - down, columns + across, rows + down], 1).tolist()
    for line, colour in zip(ends, colours, strict=True):
        draw.line(line, fill=tuple(colour), width=2)
    return 0.68 * _array(under) + 0.32 * source


def _tesserae(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Set the picture in small uneven stones with grout between."""
    colours = _array(image)
    height, width = colours.shape[:2]
    cell = rng.uniform(4.2, 5.6)
    rows, columns = np.mgrid[:height, :width].astype("float32")
    down = rows / cell + 0.35 * clouds(height, width, rng, 6)
    across = columns / cell + 0.35 * clouds(height, width, rng, 6)
    across = across + 0.5 * (np.floor(down) % 2)
    middle_row = np.clip(rows + (np.floor(down) + 0.5 - down) * cell, 0, height - 1).astype(int)
    middle_column = np.clip(columns + (np.floor(across) + 0.5 - across) * cell, 0, width - 1)
    stones = colours[middle_row, middle_column.astype(int)]
    tone = rng.normal(1, 0.075, 4096).astype("float32")
    number = (np.floor(down) * 131 + np.floor(across)).astype(int) % 4096
    edge = np.minimum(down % 1, across % 1)
    edge = np.minimum(edge, np.minimum(1 - down % 1, 1 - across % 1)) < 0.11
    stones = stones * tone[number][..., None] * 0.8 + colours * 0.2
    grout = np.array([112, 98, 80], "float32") * 0.5 + paper * 0.25
    return np.where(edge[..., None], 0.45 * stones + 0.55 * grout, stones)


def _weave(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Knot the picture into a cloth, thread by thread."""
    width, height = image.size
    cell = int(rng.integers(3, 5))
    small = image.resize((width // cell, height // cell), Image.Resampling.BOX)
    big = _array(small.resize((width, height), Image.Resampling.NEAREST))
    rows, columns = np.mgrid[:height, :width].astype("float32")
    lean = _sin((columns + rows % cell * 1.0) * 2 * np.pi / cell)
    ribs = 1 + 0.1 * _sin(rows * 2 * np.pi / cell) + 0.05 * lean
    return (0.75 * big + 0.25 * _array(image)) * ribs[..., None]


def _brick_finish(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Courses of glazed brick."""
    colours = _array(image)
    height, width = colours.shape[:2]
    course, length = rng.uniform(26, 34), rng.uniform(60, 80)
    rows, columns = np.mgrid[:height, :width].astype("float32")
    number = np.floor(rows / course)
    along = columns / length + 0.5 * (number % 2)
    joint = ((rows % course) < 1.6) | ((along % 1) * length < 1.6)
    tone = rng.normal(1, 0.06, 512)[(number * 37 + np.floor(along)).astype(int) % 512]
    colours = colours * tone[..., None]
    return np.where(joint[..., None], colours * 0.62 + 22, colours)


def _batik_finish(image: Image.Image, paper: np.ndarray, rng: Rng) -> np.ndarray:
    """Wax cracks let the dye through in fine veins."""
    colours = _array(image.filter(ImageFilter.BoxBlur(0.5)))
    height, width = colours.shape[:2]
    depth = np.abs(clouds(height, width, rng, 9) + 0.3 * clouds(height, width, rng, 30))
    veins = (depth < 0.02)[..., None] * 0.45
    return colours * (1 - veins) + paper * veins


_FINISHES = {
    "flat": _flat, "worn": _worn, "glaze": _glaze_finish, "crackle": _crackle, "ink": _ink_finish,
    "bokashi": _bokashi, "wash": _wash, "gilded": _gilded, "hatch": _hatch, "woodcut": _woodcut,
    "photo": _photo, "oil": _oil, "dark": _dark, "dabs": _dabs, "tesserae": _tesserae,
    "weave": _weave, "brick": _brick_finish, "batik": _batik_finish,
}  # fmt: skip
