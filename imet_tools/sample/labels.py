"""Draw what an image of the sample collection shows, and the labels an annotator gave it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imet_tools.sample.vocabulary import (
    CULTURES,
    FOLLOWS,
    GENRE_TAGS,
    GENRES,
    MANNERS,
    OVERLOOKED,
    RARE,
    SECOND_CULTURES,
    TASTES,
    UNNOTED,
    Weights,
)


@dataclass(frozen=True)
class Record:
    """One image before it is painted: what is drawn, in which style, and the labels noted."""

    drawn: tuple[str, ...]
    style: str
    labels: tuple[str, ...]


def draw_record(rng: np.random.Generator) -> Record:
    """Draw one image's content, style and labels (names with their `culture::` or `tag::`)."""
    culture = _choose(rng, CULTURES)
    genre = _choose(rng, GENRES[culture])
    tags = _draw_tags(rng, culture, genre)
    cultures = [culture]
    cultures += [
        name for name, share in SECOND_CULTURES.get(culture, {}).items() if rng.random() < share
    ][:1]
    style = culture
    for name, manner in MANNERS.items():
        ware = genre in ("vessel", "textile", "animal") and rng.random() < 0.6
        if name in cultures and (ware or name == "delft"):
            style = manner
    noted = [
        tag for tag in tags if tag not in UNNOTED and rng.random() >= OVERLOOKED.get(tag, 0.08)
    ]
    noted = noted or [tag for tag in tags if tag not in UNNOTED][:1]
    if noted and rng.random() < 0.11:  # nobody noted the culture
        cultures = []
        style = "plain" if rng.random() < 0.5 else style
    noted = noted[: 8 - len(cultures)]
    labels = [f"culture::{name}" for name in cultures] + [f"tag::{tag}" for tag in noted]
    return Record(tuple(tags), style, tuple(sorted(labels)))


def _choose(rng: np.random.Generator, weights: Weights) -> str:
    names = list(weights)
    share = np.cumsum(list(weights.values()))
    return names[int(np.searchsorted(share, rng.random() * share[-1], side="right"))]


def _draw_tags(rng: np.random.Generator, culture: str, genre: str) -> list[str]:
    taste = TASTES.get(culture, {})
    script = {
        "babylonian": "cuneiform",
        "islamic": "arabic",
        "iran": "arabic",
        "japan": "writing systems",
        "china": "writing systems",
    }.get(culture)
    if genre == "sacred" and culture in ("japan", "china"):
        genre = "buddhist"
    kind = GENRE_TAGS[genre]
    tags: list[str] = []
    if genre in ("portrait", "actress") and rng.random() < 0.88:
        tags.append("portraits")
    if genre in ("actress", "actor") and rng.random() < 0.9:
        tags.append("actresses" if genre == "actress" else "actors")
    for group in kind.core:
        pick = _choose(rng, {tag: w * taste.get(tag, 1) for tag, w in group.items()})
        tags += pick.split("+")
    extras = {
        tag: w * taste.get(tag, 1) for tag, w in kind.extras.items() if w * taste.get(tag, 1) > 0
    }
    for _ in range(min(int(rng.poisson(0.8 * kind.more)), 5)):
        extras = {tag: w for tag, w in extras.items() if tag not in tags}
        if extras:
            tags.append(_choose(rng, extras))
    if script and "hieroglyphs" in tags:
        tags[tags.index("hieroglyphs")] = script
    for tag in RARE:
        if rng.random() < 0.0011:
            tags.append(tag)
    if "women" in tags and "men" not in tags:
        tags = [tag for tag in tags if tag not in ("kings",)]
    if "men" in tags and "women" not in tags:
        tags = [tag for tag in tags if tag not in ("queens", "fans", "earrings", "necklaces")]
    for tag in list(tags):
        for other, share in FOLLOWS.get(tag, {}).items():
            if other not in tags and rng.random() < share:
                tags.append(other)
    if (
        "bridges" in tags
        and "boats" in tags
        and "human figures" not in tags
        and rng.random() < 0.85
    ):
        tags.append("human figures")
    return list(dict.fromkeys(tags))
