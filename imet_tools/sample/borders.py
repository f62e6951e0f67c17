"""Border ornaments of the sample collection: Greek key, arabesque, seigaiha and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Canvas, Frame, mix, shift


def draw_border(kind: str, canvas: Canvas, wide: float) -> None:
    """Draw a border `wide` picture pixels wide around the canvas."""
    if kind == "none":
        return
    if kind not in _BORDERS:
        raise ValueError(f"no border {kind!r}; there are {', '.join(sorted(_BORDERS))}, none")
    base, tile = _BORDERS[kind]
    role, tone = base
    colour = shift(canvas.style.colour(role), tone)
    for side in _sides(canvas, wide):
        side.box(0, 0, 1, 1, colour, line=0)
    if tile is not None:
        choices = [canvas.style.pick("cloth", canvas.rng) for _ in range(3)]
        for side in _sides(canvas, wide):
            count = max(3, round(float(np.hypot(*side.across)) / wide))
            for k in range(count):
                tile(side.inner(k / count, 0, 1 / count, 1), choices, k)
    for inset in (0.0, 1.0) if tile else (0.35, 0.85, 1.0):
        _outline(canvas, wide * inset)


def _sides(canvas: Canvas, wide: float) -> Iterator[Frame]:
    width, height = canvas.width, canvas.height
    for origin, across, down in (
        ((0, 0), (width, 0), (0, wide)),
        ((width, height), (-width, 0), (0, -wide)),
        ((0, height), (0, -height), (wide, 0)),
        ((width, 0), (0, height), (-wide, 0)),
    ):
        yield Frame(canvas, np.array(origin, float), np.array(across, float), np.array(down, float))


def _outline(canvas: Canvas, inset: float) -> None:
    f = canvas.frame(inset, inset, canvas.width - 2 * inset, canvas.height - 2 * inset)
    f.ink("0 0, 100 0, 100 100, 0 100, 0 0", 1.3, smooth=False)


Colours = list[tuple[int, ...]]


def _key(f: Frame, colours: Colours, k: int) -> None:
    path = [(0.0, 0.86), (0.0, 0.16), (0.82, 0.16), (0.82, 0.64), (0.40, 0.64), (0.40, 0.42)]
    f.stroke(path, f.style.colour("hair"), 0.13, smooth=False)
    f.stroke("0 86, 100 86", f.style.colour("hair"), 0.13, smooth=False)


def _palmette(f: Frame, colours: Colours, k: int) -> None:
    for angle in np.linspace(-1.3, 1.3, 7):
        f.stroke(
            [(0.5, 0.86), (0.5 + 0.40 * sin(angle), 0.82 - 0.66 * cos(angle))],
            f.style.colour("hair"),
            0.11,
            1.2,
        )
    f.ink("0 93, 100 93", 1.2)


def _frieze(f: Frame, colours: Colours, k: int) -> None:
    if k % 4 == 3:
        f.box(0.1, 0.1, 0.9, 0.9, shift(f.style.colour("paper"), 0.2), line=0)
        f.stroke("50 88, 50 50", f.style.colour("leaf"), 0.08)
        for angle in (-0.8, 0.0, 0.8):
            f.stroke(
                [(0.5, 0.6), (0.5 + 0.34 * sin(angle), 0.6 - 0.45 * cos(angle))],
                colours[0],
                0.16,
                0.3,
            )
    else:
        for j in range(3):
            f.box(0.08 + 0.28 * j, 0.08, 0.30 + 0.28 * j, 0.92, colours[(k + j) % 3], line=0.6)


def _wave(f: Frame, colours: Colours, k: int) -> None:
    t = np.linspace(0, 1.6 * np.pi, 14)
    curl = np.stack(
        [0.55 + 0.32 * (1 - t / 7) * cos(t + 2.6), 0.52 - 0.32 * (1 - t / 7) * sin(t + 2.6)],
        1,
    )
    f.stroke([(0.0, 0.84), (0.16, 0.70), *map(tuple, curl)], colours[0], 0.12, 0.5)
    f.stroke("0 88, 100 88", colours[0], 0.10)


def _seigaiha(f: Frame, colours: Colours, k: int) -> None:
    for row, offset in ((0, 0.5), (1, 0.0), (2, 0.5)):
        for x in (offset, offset + 1.0):
            for r, tone in ((0.52, 0.0), (0.38, 0.75), (0.26, 0.0), (0.13, 0.75)):
                colour = shift(f.style.colour("water"), tone)
                t = np.linspace(np.pi, 2 * np.pi, 9)
                y = 0.42 + 0.34 * row
                f.shape(
                    np.stack([x + r * cos(t), y + r * 0.85 * sin(t)], 1),
                    colour,
                    smooth=False,
                    line=0,
                )


def _arabesque(f: Frame, colours: Colours, k: int) -> None:
    t = np.linspace(0, 1, 9)
    sign = 1 if k % 2 else -1
    f.stroke(np.stack([t, 0.5 + sign * 0.26 * sin(np.pi * t)], 1), f.style.colour("metal"), 0.07)
    f.stroke(
        [(0.5, 0.5 + sign * 0.24), (0.66, 0.5), (0.5, 0.5 - sign * 0.08)],
        f.style.colour("metal"),
        0.06,
        0.4,
    )
    for a in range(5):
        f.oval(
            0.5 + 0.15 * cos(a * 1.26),
            0.5 - sign * 0.14 + 0.15 * sin(a * 1.26),
            0.10,
            0.10,
            f.style.colours["bloom"][k % len(f.style.colours["bloom"])],
            line=0,
        )
    f.oval(0.5, 0.5 - sign * 0.14, 0.07, 0.07, f.style.colour("metal"), line=0)
    for x in (0.12, 0.88):
        f.oval(x, 0.5 + sign * 0.1, 0.09, 0.05, f.pick("leaf"), tilt=0.6 * sign, line=0)


def _gilt(f: Frame, colours: Colours, k: int) -> None:
    gold = f.style.colour("metal")
    for y, tone in (
        (0.0, -0.45),
        (0.14, 0.2),
        (0.30, -0.15),
        (0.58, 0.35),
        (0.74, -0.25),
        (0.90, 0.15),
    ):
        f.box(0, y, 1.02, y + 0.18, shift(gold, tone), line=0)
    f.oval(0.5, 0.44, 0.36, 0.13, shift(gold, 0.28), line=0.3)
    f.stroke("20 50, 50 36, 80 50", shift(gold, -0.4), 0.05)


def _ebony(f: Frame, colours: Colours, k: int) -> None:
    for y, tone in ((0.0, 0.02), (0.2, 0.14), (0.36, 0.03), (0.70, 0.1)):
        f.box(0, y, 1.02, y + 0.34, shift((26, 20, 16), tone), line=0)
    f.box(0, 0.86, 1.02, 1.0, shift(f.style.colour("metal"), -0.15), line=0)


def _quilt(f: Frame, colours: Colours, k: int) -> None:
    f.shape("0 100, 50 0, 100 100", colours[k % 2], smooth=False, line=0.5)
    f.shape("25 100, 50 50, 75 100", shift(f.style.colour("paper"), 0.3), smooth=False, line=0.3)


def _star(f: Frame, colours: Colours, k: int) -> None:
    f.box(0.0, 0.0, 1.0, 1.0, shift(f.style.colour("paper"), 0.1), line=0.4)
    t = np.linspace(0, 2 * np.pi, 16, endpoint=False) + np.pi / 8
    spikes = 0.46 * (1 - 0.28 * (np.arange(16) % 2))
    f.shape(
        np.stack([0.5 + spikes * cos(t), 0.5 + spikes * sin(t)], 1),
        colours[k % 2],
        smooth=False,
        line=0.7,
    )
    f.oval(0.5, 0.5, 0.2, 0.2, f.style.colour("paper"), line=0.6)
    f.oval(0.5, 0.5, 0.1, 0.1, f.style.colour("bloom"), line=0)


def _pearls(f: Frame, colours: Colours, k: int) -> None:
    if k % 3:
        f.oval(0.5, 0.5, 0.32, 0.32, shift(f.style.colour("paper"), 0.75), line=0.7)
    else:
        f.shape("50 6, 96 50, 50 94, 4 50", f.style.colour("bloom"), smooth=False, line=0.8)


def _rosettes(f: Frame, colours: Colours, k: int) -> None:
    for a in np.arange(10) * 2 * np.pi / 10:
        f.oval(
            0.5 + 0.26 * cos(a),
            0.5 + 0.26 * sin(a),
            0.15,
            0.075,
            shift(f.style.colour("bloom"), 0.2),
            tilt=a,
            line=0.4,
        )
    f.oval(0.5, 0.5, 0.12, 0.12, f.style.colour("metal"), line=0.5)


def _scallop(f: Frame, colours: Colours, k: int) -> None:
    f.oval(0.5, 1.0, 0.5, 0.62, colours[k % 2], line=0.6)
    f.oval(0.5, 1.0, 0.30, 0.38, shift(f.style.colour("metal"), 0.2), line=0.5)
    f.oval(0.5, 0.24, 0.10, 0.10, f.style.colour("bloom"), line=0.4)


def _tumpal(f: Frame, colours: Colours, k: int) -> None:
    pale = f.style.colour("leaf")
    f.shape("2 98, 50 4, 98 98", colours[k % 2], smooth=False, line=0)
    for y in (0.9, 0.66, 0.42):
        for x in np.linspace(-0.4, 0.4, 3) * (y - 0.04):
            f.oval(0.5 + x, y, 0.05, 0.05, pale, line=0)
    f.ink("2 98, 50 4, 98 98", 1.0, smooth=False, fill=pale)


def _fret(f: Frame, colours: Colours, k: int) -> None:
    path = [
        (0.06, 0.9),
        (0.06, 0.12),
        (0.94, 0.12),
        (0.94, 0.7),
        (0.36, 0.7),
        (0.36, 0.4),
        (0.66, 0.4),
    ]
    f.stroke(path, colours[0], 0.14, smooth=False)


def _steps(f: Frame, colours: Colours, k: int) -> None:
    f.box(0, 0, 1, 1, colours[(k + 1) % 3], line=0)
    f.shape(
        "0 100, 0 10, 28 10, 28 40, 56 40, 56 70, 84 70, 84 100",
        colours[k % 3],
        smooth=False,
        line=0.8,
    )


def _brocade(f: Frame, colours: Colours, k: int) -> None:
    tone = shift(f.style.colour("water"), 0.3)
    t = np.linspace(0, 2 * np.pi, 12)
    f.ink(np.stack([0.5 + 0.34 * cos(t), 0.5 + 0.34 * sin(t)], 1), 0.8, fill=tone)
    for a in range(4):
        f.oval(0.5 + 0.17 * cos(a * 1.57), 0.5 + 0.17 * sin(a * 1.57), 0.09, 0.09, tone, line=0)


def _arch(f: Frame, colours: Colours, k: int) -> None:
    gold = f.style.colour("metal")
    f.box(0.0, 0.0, 1.02, 1.0, shift(gold, -0.1), line=0)
    f.oval(0.5, 0.5, 0.40, 0.36, shift(gold, 0.3), line=0.5)
    f.oval(0.5, 0.5, 0.20, 0.18, colours[k % 2], line=0.4)


_Tile = Callable[[Frame, Colours, int], None]
_BORDERS: dict[str, tuple[tuple[str, float], _Tile | None]] = {
    "key": (("paper", 0.0), _key), "palmette": (("paper", 0.0), _palmette),
    "frieze": (("ink", 0.0), _frieze), "wave": (("paper", 0.15), _wave),
    "seigaiha": (("water", -0.1), _seigaiha), "arabesque": (("water", -0.55), _arabesque),
    "gilt": (("metal", 0.0), _gilt), "ebony": (("ink", 0.0), _ebony),
    "quilt": (("paper", 0.2), _quilt), "star": (("paper", 0.0), _star),
    "pearls": (("ink", 0.1), _pearls), "rosettes": (("paper", -0.2), _rosettes),
    "scallop": (("roof", -0.3), _scallop), "tumpal": (("paper", -0.2), _tumpal),
    "fret": (("paper", 0.1), _fret), "steps": (("paper", 0.0), _steps),
    "brocade": (("water", -0.35), _brocade), "arch": (("metal", 0.0), _arch),
    "rule": (("paper", 0.1), None),
}  # fmt: skip


def background(
    canvas: Canvas, top: tuple, bottom: tuple, start: float = 0.0, end: float = 1.0
) -> None:
    """Fill the canvas between two heights (shares of its height) with a vertical gradient."""
    steps = 24
    for k in range(steps):
        low, high = start + (end - start) * k / steps, start + (end - start) * (k + 1) / steps
        f = canvas.frame(0, low * canvas.height, canvas.width, (high - low) * canvas.height + 1)
        f.box(0, 0, 1, 1, mix(top, bottom, k / (steps - 1)), line=0)
