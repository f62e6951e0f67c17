"""Scripts of the sample collection: hieroglyphs, wedges, letters and characters."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.borders import background
from imet_tools.sample.motifs import PEOPLE, SUPERSETS, WRITING, Draw, Scene
from imet_tools.sample.pen import Frame, moved, shift


def write_page(scene: Scene) -> None:
    """Fill the picture with writing: a stele, a tablet or a leaf of a book."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    paper = style.colour("paper")
    background(canvas, shift(paper, 0.05), shift(paper, -0.15))
    tag = min(scene.tags & set(_SCRIPTS), default="writing systems")
    slab = scene.region(tag, 0.1, 0.06, 0.9, 0.94)
    rounded = rng.random() < 0.5
    corners = (
        [(0, 1), (0, 0.16), (0.2, 0.03), (0.5, 0), (0.8, 0.03), (1, 0.16), (1, 1)]
        if rounded
        else [(0, 1), (0, 0), (1, 0), (1, 1)]
    )
    slab.shape(corners, shift(style.pick("stone", rng), 0.15), smooth=False, shade=0.4)
    square = scene.width / scene.height
    if tag in ("hieroglyphs", "writing systems"):
        count = max(2, round(4 * square))
        parts = [
            slab.inner(0.06 + 0.88 * k / count, 0.18, 0.84 / count, 0.76) for k in range(count)
        ]
    else:
        count = max(3, round(5 / square))
        parts = [slab.inner(0.07, 0.14 + 0.8 * k / count, 0.86, 0.7 / count) for k in range(count)]
    for part in parts:
        _SCRIPTS[tag](part)
    scene.frames += [(other, slab) for other in sorted(scene.tags - {tag, "seals"})]
    if "seals" in scene.tags:
        _seal(scene, rng.uniform(0.2, 0.66), rng.uniform(0.6, 0.72), 0.2)


def add_writing(scene: Scene) -> None:
    """Put the written tags on labels of their own over the picture."""
    rng, style = scene.canvas.rng, scene.canvas.style
    for tag in sorted(scene.tags & WRITING):
        if tag == "writing systems" and scene.tags & SUPERSETS[tag]:
            continue
        upright = tag in ("hieroglyphs", "writing systems")
        x = rng.choice([0.02, 0.78]) if upright else rng.uniform(0.04, 0.4)
        y = rng.choice([0.04, 0.86, 0.86]) if not upright else rng.uniform(0.04, 0.2)
        if scene.tags & PEOPLE and not upright:
            y = 0.86
        if tag == "seals":
            _seal(scene, x, y, 0.11)
            continue
        if upright:
            f = scene.region(tag, x, y, x + rng.uniform(0.13, 0.20), y + rng.uniform(0.4, 0.72))
        else:
            f = scene.region(tag, x, y, x + rng.uniform(0.4, 0.56), y + rng.uniform(0.09, 0.13))
        f.box(0, 0, 1, 1, shift(style.colour("paper"), 0.3), line=0.8)
        script = "arabic" if tag == "inscriptions" and style.temple == "mosques" else tag
        _SCRIPTS[script](f)


def _seal(scene: Scene, x: float, y: float, size: float) -> None:
    """Stamp a red seal; its size is a share of the short side."""
    short = size * min(scene.width, scene.height)
    f = scene.region("seals", x, y, x + short / scene.width, y + short / scene.height)
    f.box(0, 0, 1, 1, (176, 44, 36), line=0)
    for a, b in f.rng.uniform(0.12, 0.88, (6, 2)):
        f.ink([(a, 0.15), (a, b), (0.85, b)], 1.0, False, (240, 220, 200))


def _glyphs(f: Frame) -> None:
    rows = 8
    for row in range(rows):
        for column in range(2):
            g = f.inner(0.06 + 0.47 * column, (row + 0.12) / rows, 0.40, 0.76 / rows)
            ink, kind = f.style.colour("ink"), int(f.rng.integers(8))
            if kind == 0:
                t = np.linspace(0, 1, 9)
                g.ink(np.stack([t, 0.5 + 0.22 * (-1.0) ** np.arange(9)], 1), 1.4, False)
            elif kind == 1:
                g.shape("10 70, 40 30, 70 10, 90 30, 60 80", ink, line=0)
                g.ink("50 70, 50 100", 1.2)
            elif kind == 2:
                g.oval(0.5, 0.5, 0.32, 0.32, ink, line=0)
                g.oval(0.5, 0.5, 0.16, 0.16, f.style.colour("paper"), line=0)
            elif kind == 3:
                g.shape("0 50, 50 20, 100 50, 50 75", f.style.colour("paper"), line=1)
                g.oval(0.5, 0.5, 0.13, 0.2, ink, line=0)
            elif kind == 4:
                g.stroke("50 100, 50 20", ink, 0.12)
                g.shape("50 30, 85 0, 70 50", ink, line=0)
            elif kind == 5:
                g.oval(0.5, 0.25, 0.2, 0.22, f.style.colour("paper"), line=1.2)
                g.ink("50 50, 50 100", 1.6)
                g.ink("20 60, 80 60", 1.6)
            elif kind == 6:
                g.box(0.1, 0.25, 0.9, 0.75, f.pick("cloth"), line=0.8)
            else:
                g.shape("10 90, 30 40, 50 10, 70 40, 90 90", ink, line=0)
    f.ink("50 2, 50 98", 0.8)


def _wedges(f: Frame) -> None:
    """Press wedges with tails into three lines of clay, in groups."""
    for row in range(3):
        y, x = (row + 0.5) / 3, 0.03
        while x < 0.93:
            for _ in range(int(f.rng.integers(2, 5))):
                dy = float(f.rng.uniform(-0.07, 0.07))
                if f.rng.random() < 0.55:  # lying
                    wedge = moved(x, y + dy, "0 -6, 5 0, 0 6, 1.2 0")
                else:  # standing
                    wedge = moved(x, y + dy, "-1.6 -12, 1.6 -12, 0.4 -3, 0 12, -0.4 -3")
                f.shape(wedge, f.style.colour("ink"), line=0, smooth=False)
                x += float(f.rng.uniform(0.012, 0.03))
            x += 0.025


def _flowing(f: Frame) -> None:
    for row in (0.34, 0.74):
        x = 0.96
        while x > 0.08:
            wide = f.rng.uniform(0.05, 0.14)
            f.stroke(
                [
                    (x, row - f.rng.uniform(0.1, 0.35)),
                    (x - wide * 0.2, row),
                    (x - wide * 0.7, row + 0.06),
                    (x - wide, row - f.rng.uniform(-0.05, 0.2)),
                ],
                f.style.colour("ink"),
                0.07,
                0.4,
            )
            for _ in range(int(f.rng.integers(0, 3))):
                f.oval(
                    x - wide * f.rng.uniform(0.2, 0.8),
                    row + f.rng.choice([-0.22, 0.17]),
                    0.007,
                    0.04,
                    f.style.colour("ink"),
                    line=0,
                )
            x -= wide * 1.06


def _lines(f: Frame) -> None:
    for row in (0.32, 0.72):
        x = 0.05
        while x < 0.93:
            kind = f.rng.integers(4)
            if kind == 0:
                path = [(x, row + 0.15), (x + 0.012, row - 0.15), (x + 0.024, row + 0.15)]
            elif kind == 1:
                path = [(x, row + 0.15), (x, row - 0.15), (x + 0.02, row - 0.15), (x + 0.02, row)]
            elif kind == 2:
                path = [(x + 0.02, row - 0.12), (x, row), (x + 0.02, row + 0.14)]
            else:
                path = [(x, row - 0.15), (x, row + 0.15), (x + 0.02, row + 0.15)]
            f.ink(path, 1.1, smooth=kind == 2)
            x += 0.036 + 0.03 * (f.rng.random() < 0.2)


def _characters(f: Frame) -> None:
    rows = int(f.rng.integers(4, 8))
    for row in range(rows):
        g = f.inner(0.18, (row + 0.15) / rows, 0.64, 0.7 / rows)
        ink = f.style.colour("ink")
        for _ in range(int(f.rng.integers(2, 4))):
            y = f.rng.uniform(0.05, 0.9)
            g.stroke(
                [(f.rng.uniform(0, 0.3), y), (f.rng.uniform(0.7, 1.0), y - 0.05)], ink, 0.10, 0.6
            )
        x = f.rng.uniform(0.3, 0.7)
        g.stroke([(x, 0.0), (x, 1.0)], ink, 0.11, 0.5)
        g.stroke([(x, 0.4), (x - 0.4, 1.0)], ink, 0.09, 0.3)
        g.stroke([(x, 0.45), (x + 0.4, 0.95)], ink, 0.12, 0.4)


_SCRIPTS: dict[str, Draw] = {
    "hieroglyphs": _glyphs,
    "cuneiform": _wedges,
    "arabic": _flowing,
    "inscriptions": _lines,
    "writing systems": _characters,
}
