"""Skies, fields, mountains and water of the sample collection, and what lives in them."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.borders import background
from imet_tools.sample.motifs import BUILDINGS, MOTIFS, PEOPLE, WATER, Scene
from imet_tools.sample.pen import Frame, mix, moved, shift
from imet_tools.sample.people import WORN, choose_cast, person_drawer

_FLOATING = (  # smallest and largest height (shares of the scene), and fewer than how many
    ("ships", 0.34, 0.56, 3),
    ("boats", 0.22, 0.38, 4),
    ("swans", 0.12, 0.2, 4),
    ("ducks", 0.1, 0.16, 4),
)


def paint_sky(scene: Scene, horizon: float) -> None:
    """Paint the sky down to the horizon, by day or by night."""
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    colours = style.colours["sky"]
    top, low = colours[0], colours[1 % len(colours)]
    if scene.tags & {"night", "stars", "moon"}:
        dark = mix(style.colour("ink"), (24, 34, 70), 0.6)
        top, low = mix(top, dark, 0.85), mix(low, dark, 0.5)
    elif rng.random() < 0.25:
        low = mix(low, style.colour("bloom"), 0.3)
    background(canvas, top, low, 0.0, (scene.top + horizon * scene.height) / canvas.height + 0.02)


def paint_ground(scene: Scene, horizon: float) -> None:
    """Paint the ground from the horizon down, with tufts of grass and flowers."""
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    near = style.pick("earth", rng)
    if "snow" in scene.tags or "winter" in scene.tags:
        near = mix(near, (240, 242, 246), 0.8)
    far = mix(near, style.colours["sky"][-1], 0.35)
    start = (scene.top + horizon * scene.height) / canvas.height
    background(canvas, far, shift(near, -0.12), start, 1.0)
    if not style.profile:
        _fields(scene, horizon, near)
    for _ in range(int(rng.integers(10, 26))):
        x, y = rng.uniform(0, 1), rng.uniform(horizon + 0.05, 1)
        size = 0.02 + 0.05 * (y - horizon)
        f = canvas.frame(
            scene.left + x * scene.width,
            scene.top + y * scene.height,
            1.6 * size * scene.width,
            size * scene.height,
        )
        tuft = shift(style.pick("leaf", rng), -0.1)
        for dx in (0.0, 0.3, 0.6):
            f.ink([(0.3 + dx * 0.5, 1.0), (dx, -0.4)], 0.8, fill=tuft)
        if rng.random() < 0.25 and "snow" not in scene.tags:
            f.oval(0.4, -0.5, 0.16, 0.35, style.pick("bloom", rng), line=0)


def _fields(scene: Scene, horizon: float, near: tuple) -> None:
    """Rolling fields of different greens, and now and then a path."""
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    x = np.linspace(-0.05, 1.05, 16)
    for depth in (0.12, 0.34, 0.62):
        top = horizon + (1 - horizon) * (
            depth + 0.09 * sin(x * rng.uniform(2, 5) + rng.uniform(0, 6))
        )
        green = mix(
            near,
            style.pick("leaf", rng),
            rng.uniform(0.15, 0.45) * (0.2 if "snow" in scene.tags else 1),
        )
        tone = mix(green, style.colours["sky"][-1], 0.3 * (1 - depth))
        f = canvas.frame(scene.left, scene.top, scene.width, scene.height)
        f.shape(
            [(-0.05, 1.05), *np.stack([x, top], 1).tolist(), (1.05, 1.05)],
            tone,
            smooth=False,
            line=0.35,
        )
    if rng.random() < 0.4 and not scene.tags & WATER:
        f = canvas.frame(scene.left, scene.top, scene.width, scene.height)
        _ribbon(
            f,
            horizon + 0.05,
            rng.uniform(0.3, 0.7),
            0.13,
            mix(style.colour("earth"), (250, 240, 215), 0.45),
        )


def _ribbon(f: Frame, top: float, at: float, wide: float, fill: tuple) -> None:
    """Draw a river or path that winds from far away towards us, wider and wider."""
    t = np.linspace(0, 1, 22)
    middle = at + f.rng.choice([-1, 1]) * 0.16 * sin(t * 5.2) * (0.15 + t)
    half = 0.008 + wide * t**1.6
    y = top + (1.06 - top) * t
    left, right = np.stack([middle - half, y], 1), np.stack([middle + half, y], 1)
    f.shape([*left.tolist(), *right[::-1].tolist()], fill, smooth=False, line=0.6)


def paint_distance(scene: Scene, horizon: float) -> None:
    """Paint a hazy line of woods and fields along the horizon."""
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    sky = style.colours["sky"][-1]
    for fade, low in ((0.72, 0.0), (0.5, 0.035)):
        f = canvas.frame(
            scene.left - 4,
            scene.top + (horizon - 0.06 + low) * scene.height,
            scene.width + 8,
            0.09 * scene.height,
        )
        x = np.linspace(0, 1, 22)
        top = (
            0.45
            + 0.28 * sin(x * rng.uniform(4, 9) + rng.uniform(0, 6))
            + rng.uniform(-0.13, 0.13, 22)
        )
        tone = mix(style.pick("leaf", rng), sky, fade)
        f.shape([(0, 1), *np.stack([x, top], 1).tolist(), (1, 1)], tone, smooth=False, line=0)


def paint_mountains(scene: Scene, horizon: float, tag: str = "mountains") -> None:
    """Paint two ranges of mountains (or hills) behind the horizon."""
    style, rng = scene.canvas.style, scene.canvas.rng
    sky = style.colours["sky"][-1]
    for layer, fade in ((0, 0.55), (1, 0.25)):
        count = int(rng.integers(2, 5))
        f = scene.region(
            tag, -0.05, horizon - rng.uniform(0.22, 0.36) / (1 + 0.5 * layer), 1.05, horizon + 0.02
        )
        points = [(0.0, 1.0)]
        for k in range(count):
            x = (k + 0.5 + rng.normal(0, 0.12)) / count
            points += [
                ((k + 0.02) / count, rng.uniform(0.55, 0.8)),
                (x - 0.05, 0.3),
                (x, rng.uniform(0.0, 0.25)),
                (x + 0.06, 0.36),
            ]
        stone = mix(mix(style.pick("stone", rng), style.colour("water"), 0.35), sky, fade)
        if tag == "hills":
            stone = mix(style.pick("leaf", rng), sky, fade * 0.8)
            points = [(0.0, 1.0)] + [
                ((k + 0.5) / count, rng.uniform(0.3, 0.7)) for k in range(count)
            ]
        f.shape(
            [*points, (1.0, 0.7), (1.0, 1.0)], shift(stone, -0.1), smooth=tag == "hills", shade=0.3
        )
        if tag == "mountains" and rng.random() < 0.6:
            for x, y in points[3::4]:
                f.shape(
                    moved(x, y, "-3.5 20, 0 0, 4 22, 1.2 16, -1 24"),
                    shift(sky, 0.7),
                    smooth=False,
                    line=0,
                )


def _heavens(scene: Scene, horizon: float) -> None:
    """Sun, moon, stars and clouds."""
    rng, style, tags = scene.canvas.rng, scene.canvas.style, scene.tags
    square = scene.width / scene.height
    if "stars" in tags or ("night" in tags and rng.random() < 0.6):
        for x, y in rng.uniform((0.05, 0.04), (0.95, horizon * 0.7), (int(rng.integers(9, 18)), 2)):
            r = rng.uniform(0.012, 0.03)
            f = scene.region("stars", x - r / square / 1, y - r, x + r / square, y + r)
            t = np.linspace(0, 2 * np.pi, 10, endpoint=False)
            spikes = 0.5 * (1 - 0.6 * (np.arange(10) % 2))
            f.shape(
                np.stack([0.5 + spikes * cos(t), 0.5 + spikes * sin(t)], 1),
                (250, 240, 200),
                smooth=False,
                line=0,
            )
    for tag in ("sun", "moon"):
        if tag in tags:
            r = rng.uniform(0.06, 0.10) * min(1.0, square)
            x, y = rng.uniform(0.15, 0.85), rng.uniform(0.10, max(0.14, horizon * 0.45))
            f = scene.region(tag, x - r / square, y - r, x + r / square, y + r)
            (_sun if tag == "sun" else _moon)(f)
    if "clouds" in tags or rng.random() < 0.3:
        for _ in range(int(rng.integers(2, 5))):
            x, y, wide = (
                rng.uniform(0.05, 0.8),
                rng.uniform(0.03, horizon * 0.5),
                rng.uniform(0.16, 0.34),
            )
            f = scene.region("clouds", x, y, x + wide, y + 0.09)
            white = mix(style.colours["sky"][-1], (255, 255, 252), 0.65)
            f.shape("0 90, 10 50, 26 50, 36 10, 58 5, 68 40, 86 40, 100 90", white, line=0.6)
    if "air transports" in tags:
        scene.put("air transports", rng.uniform(0.2, 0.8), horizon * 0.75, 0.26)


def _sun(f: Frame) -> None:
    for a in np.arange(12) * np.pi / 6:
        f.stroke(
            [
                (0.5 + 0.36 * cos(a), 0.5 + 0.36 * sin(a)),
                (0.5 + 0.62 * cos(a), 0.5 + 0.62 * sin(a)),
            ],
            (244, 200, 90),
            0.09,
            0.3,
        )
    f.oval(0.5, 0.5, 0.33, 0.33, mix(f.style.colour("bloom"), (250, 190, 70), 0.65))


def _moon(f: Frame) -> None:
    pale = (246, 240, 214)
    if f.rng.random() < 0.5:
        f.oval(0.5, 0.5, 0.5, 0.5, pale, line=0.7)
        for x, y, r in ((0.36, 0.4, 0.08), (0.6, 0.6, 0.11), (0.62, 0.3, 0.06)):
            f.oval(x, y, r, r, shift(pale, -0.12), line=0)
    else:
        t = np.linspace(0.5 * np.pi, 1.5 * np.pi, 14)
        outer = np.stack([0.62 + 0.5 * cos(t), 0.5 + 0.5 * sin(t)], 1)
        inside = np.stack([0.62 + 0.22 * cos(t[::-1]), 0.5 + 0.5 * sin(t[::-1])], 1)
        f.shape([*map(tuple, outer), *map(tuple, inside)], pale, smooth=False, line=0.7)


def paint_landscape(scene: Scene) -> None:
    """Paint a landscape: sky, far things, water, trees, then people and animals."""
    rng, tags = scene.canvas.rng, scene.tags
    horizon = rng.uniform(0.40, 0.60)
    paint_sky(scene, horizon)
    _heavens(scene, horizon)
    if "mountains" in tags:
        paint_mountains(scene, horizon)
    if "hills" in tags:
        paint_mountains(scene, horizon, "hills")
    if not tags & {"seas", "ships", "waves"}:
        paint_distance(scene, horizon)
    paint_ground(scene, horizon)
    square = min(1.0, scene.width / scene.height) ** 0.8
    if "waterfalls" in tags:
        _waterfall(scene, horizon)
    free = list(rng.permutation([0.07, 0.93, 0.22, 0.78, 0.5]))  # where trees may grow
    far = sorted(tags & BUILDINGS)
    spots = rng.permutation(np.linspace(0.16, 0.84, max(3, len(far))))
    for x, tag in zip(spots, far, strict=False):
        free = [at for at in free if abs(at - x) > 0.16] or [0.04]
        for k in range(int(rng.integers(1, 4)) if tag == "houses" else 1):
            scene.put(
                tag,
                float(x) + 0.12 * k,
                horizon + rng.uniform(0.02, 0.12),
                rng.uniform(0.24, 0.40) * square * (0.75 if tag == "houses" else 1),
            )
    if tags & WATER:
        _paint_water(scene, horizon)
    grown = [tag for tag in ("trees", "bamboo") if tag in tags]
    for tag in grown:
        for x in free[: rng.integers(2, 5)]:
            near = rng.uniform(0.15, 0.9) ** 1.4
            scene.put(
                tag,
                float(x) + rng.normal(0, 0.03),
                horizon + (0.97 - horizon) * near,
                (0.28 + 0.5 * near) * square,
            )
    rest = sorted(
        tag
        for tag in tags
        if tag in MOTIFS
        and tag not in BUILDINGS | WATER | {"trees", "bamboo", "air transports"} | WORN
    )
    _staffage(scene, rest, horizon, square)
    if "snow" in tags or "rain" in tags:
        _weather(scene)


def _staffage(scene: Scene, rest: list[str], horizon: float, square: float) -> None:
    """Put people and animals on the ground of a landscape, larger the nearer they are."""
    rng, tags = scene.canvas.rng, scene.tags
    spots = iter(rng.permutation(np.linspace(0.12, 0.88, 9)))
    wet = bool(tags & WATER)
    for one in choose_cast(tags, rng) if tags & PEOPLE else []:
        for _ in range(int(rng.integers(1, 3))):
            tall = rng.uniform(0.26, 0.42) * square * (0.7 if one.child else 1)
            draw = person_drawer(one, bool(rng.random() < 0.5))
            scene.put(one.label, float(next(spots)), rng.uniform(0.86, 0.99), tall, None, draw, 0.5)
    for tag in rest:
        _, _, size = MOTIFS[tag]
        if tag == "birds" and rng.random() < 0.6:
            _flock(scene, horizon)
            continue
        count = int(rng.integers(2, 5)) if tag in ("human figures", "sheep", "cows") else 1
        for _ in range(count):
            tall = (0.15 + 0.36 * size) * square * rng.uniform(0.75, 1.15)
            if tag == "human figures":
                tall = rng.uniform(0.09, 0.17) * square
            low = max(horizon + 0.1, 0.82) if wet and tag != "human figures" else horizon + 0.08
            scene.put(tag, float(next(spots, rng.uniform(0.1, 0.9))), rng.uniform(low, 0.98), tall)


def _flock(scene: Scene, horizon: float) -> None:
    rng = scene.canvas.rng
    dark = shift(scene.canvas.style.colour("ink"), 0.1)
    x, y = rng.uniform(0.15, 0.7), rng.uniform(0.08, horizon * 0.6)
    flock = scene.region("birds", x, y, x + 0.26, y + 0.16)
    for dx, dy in rng.uniform((0.0, 0.0), (0.8, 0.8), (int(rng.integers(4, 8)), 2)):
        part = flock.inner(dx, dy, 0.22, 0.22)
        part.stroke("50 70, 25 20, 0 40", dark, 0.14, 0.3)
        part.stroke("50 70, 75 20, 100 40", dark, 0.14, 0.3)


def _waterfall(scene: Scene, horizon: float) -> None:
    """Stepped cliffs to both sides, and water that falls between them into a pool."""
    rng, style = scene.canvas.rng, scene.canvas.style
    x, half = rng.uniform(0.35, 0.65), rng.uniform(0.36, 0.5)
    f = scene.region(
        "waterfalls",
        x - half,
        max(0.03, horizon - rng.uniform(0.30, 0.42)),
        x + half,
        horizon + 0.2,
    )
    stone = shift(style.pick("stone", rng), -0.22)
    fall = mix(style.colour("water"), (250, 252, 255), 0.72)
    f.shape("34 5, 66 5, 70 90, 30 90", shift(stone, -0.35), smooth=False, line=0)
    f.shape("44 5, 57 5, 58 42, 64 90, 37 90, 42 42", fall, smooth=False, line=0.5)
    for k in range(7):
        dx = 0.445 + 0.018 * k
        f.ink(
            [(dx, 0.06), (dx + (dx - 0.5) * 0.3, 0.45), (dx + (dx - 0.5) * 1.2, 0.88)],
            0.8,
            fill=mix(style.colour("water"), fall, 0.35),
        )
    for side in (-1, 1):
        steps = np.sort(rng.uniform(0.12, 0.5, 4))
        edge = [(0.5 + side * 0.055, 0.02)]
        for k, out in enumerate(steps):
            edge += [
                (0.5 + side * (out - 0.03), 0.02 + 0.17 * k),
                (0.5 + side * out, 0.15 + 0.17 * k),
            ]
        edge += [(0.5 + side * 0.52, 0.92), (0.5 + side * 0.13, 0.95), (0.5 + side * 0.09, 0.5)]
        f.shape(edge, shift(stone, 0.07 * side), smooth=False, shade=0.5)
        for _ in range(7):
            a, b = rng.uniform(0.1, 0.34), rng.uniform(0.15, 0.8)
            f.ink([(0.5 + side * a, b), (0.5 + side * (a + 0.03), b + 0.1)], 0.8)
        for out in steps[:3]:
            f.oval(
                0.5 + side * out * 0.9,
                0.06 + 0.5 * out,
                0.06,
                0.07,
                style.pick("leaf", rng),
                line=0.6,
            )
    f.oval(0.5, 0.93, 0.3, 0.08, style.colour("water"), line=0.5)
    for dx in (-0.12, -0.04, 0.05, 0.12):
        f.oval(0.5 + dx, 0.895, 0.05, 0.035, fall, line=0)


def _paint_water(scene: Scene, horizon: float) -> None:
    """A sea to the horizon, or a river that winds towards us; with what floats on it."""
    rng, style, tags = scene.canvas.rng, scene.canvas.style, scene.tags
    blue = style.pick("water", rng)
    sea = bool(tags & {"seas", "ships", "waves"}) or (
        "rivers" not in tags and "bridges" not in tags and rng.random() < 0.5
    )
    low = rng.uniform(0.84, 0.98) if sea else 1.0
    top = horizon if sea else horizon + 0.06
    f = scene.region("bodies of water", -0.02, top, 1.02, low)
    if sea:
        f.shape("0 0, 100 0, 100 94, 70 100, 30 92, 0 100", blue, smooth=False, line=0.6)
    else:
        at = rng.uniform(0.35, 0.65)
        _ribbon(f, 0.0, at, rng.uniform(0.28, 0.42), blue)
    scene.frames.append(("seas" if sea else "rivers", f))
    light = mix(blue, (255, 255, 255), 0.45)
    middle = 0.5 if sea else at
    for _ in range(26 if sea else 14):
        y = rng.uniform(0.05, 0.95)
        x = rng.uniform(0, 0.9) if sea else middle + rng.normal(0, 0.02 + 0.14 * y)
        wide = 0.04 + 0.06 * y
        f.ink([(x, y), (x + wide / 2, y + 0.012), (x + wide, y)], 0.8, fill=light)
    if "waves" in tags:
        _waves(scene, top, low)
    _afloat(scene, (top, low), None if sea else at)


def _afloat(scene: Scene, span: tuple[float, float], at: float | None) -> None:
    """Put the bridge over the water and boats and birds on it; a river runs around x = `at`."""
    rng, tags = scene.canvas.rng, scene.tags
    top, deep = span[0], span[1] - span[0]
    aspect = scene.width / scene.height
    if "bridges" in tags:
        wide = rng.uniform(0.4, 0.6) if at is None else rng.uniform(0.55, 0.95)
        base = top + deep * rng.uniform(0.35, 0.6)
        scene.put("bridges", 0.5 + rng.normal(0, 0.06), base, min(wide * aspect / 2.4, 0.34))
    for tag, small, large, most in _FLOATING:
        if tag not in tags:
            continue
        for _ in range(int(rng.integers(1, most))):
            near = rng.uniform(0.12, 0.85)
            x = rng.uniform(0.15, 0.85) if at is None else at + rng.normal(0, 0.12)
            tall = rng.uniform(small, large) * (0.6 + 0.5 * near) * min(1.0, aspect)
            scene.put(tag, float(x), top + deep * near + 0.03, tall)


def _waves(scene: Scene, top: float, low: float) -> None:
    rng, style = scene.canvas.rng, scene.canvas.style
    for row in range(2):
        y = top + (low - top) * (0.35 + 0.4 * row)
        for x in np.arange(-0.1, 1.0, 0.34) + rng.uniform(0, 0.2):
            f = scene.region("waves", x, y - 0.10, x + 0.36, y + 0.08)
            f.shape(
                "0 100, 20 60, 42 10, 72 5, 92 30, 86 46, 70 34, 66 60, 100 100",
                style.pick("water", rng),
            )
            f.stroke("34 30, 50 8, 74 6, 93 32, 84 46", (250, 250, 246), 0.1, 0.5)


def _weather(scene: Scene) -> None:
    rng, canvas = scene.canvas.rng, scene.canvas
    f = canvas.frame(scene.left, scene.top, scene.width, scene.height)
    for x, y in rng.uniform(0, 1, (170 if "snow" in scene.tags else 110, 2)):
        if "snow" in scene.tags:
            r = rng.uniform(0.003, 0.008)
            f.oval(x, y, r * scene.height / scene.width, r, (250, 251, 253), line=0)
        else:
            f.ink([(x, y), (x - 0.02, y + 0.06)], 0.6, smooth=False, fill=(120, 130, 145))
