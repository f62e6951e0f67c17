"""Manners of painting of the sample collection: palettes, grounds, borders, line and finish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, ...]


@dataclass(frozen=True)
class Style:
    """How one culture's pictures look.

    `colours` maps a role (paper, ink, skin, cloth, leaf, ...) to its choices; `line` is the width
    of the ink line in pixels (0 none), `wobble` its tremor, `shading` how much forms are modelled;
    `profile` means faces from the side and no depth; `dress` is what people wear.
    """

    colours: dict[str, tuple[Colour, ...]]
    grounds: tuple[str, ...]
    borders: tuple[str, ...]
    finishes: tuple[str, ...]
    line: float
    wobble: float = 0.0
    shading: float = 0.0
    profile: bool = False
    dress: str = "robe"
    temple: str = "temples"
    trees: tuple[str, ...] = ("round",)

    def colour(self, role: str) -> Colour:
        """Return the first colour of a role."""
        return self.colours[role][0]

    def pick(self, role: str, rng: np.random.Generator) -> Colour:
        """Choose one of the colours of a role."""
        choices = self.colours[role]
        return choices[int(rng.integers(len(choices)))]


_ROLES = [
    "paper",
    "ink",
    "skin",
    "hair",
    "cloth",
    "leaf",
    "bloom",
    "sky",
    "water",
    "earth",
    "stone",
    "roof",
    "wood",
    "metal",
    "coat",
]


def _style(
    palette: str,
    grounds: str,
    borders: str,
    finishes: str,
    line: float,
    wobble: float = 0.0,
    shading: float = 0.0,
    profile: bool = False,
    dress: str = "robe",
    ware: str = "c8b090|3a2c20",
    temple: str = "temples",
    trees: str = "round",
) -> Style:
    groups = palette.split()
    if len(groups) != len(_ROLES):
        raise ValueError(f"a palette has {len(_ROLES)} groups of colours, this one {len(groups)}")
    colours = {
        role: tuple(tuple(bytes.fromhex(code)) for code in group.split(","))
        for role, group in zip(_ROLES, groups, strict=True)
    }
    for role, group in zip(("vessel", "glaze"), ware.split("|"), strict=True):
        colours[role] = tuple(tuple(bytes.fromhex(code)) for code in group.split(","))
    return Style(
        colours,
        tuple(grounds.split()),
        tuple(borders.split()),
        tuple(finishes.split()),
        line,
        wobble,
        shading,
        profile,
        dress,
        temple,
        tuple(trees.split()),
    )


# One group of colours a role, in the order of _ROLES.
STYLES = {
    "egyptian": _style(
        "e0c592 3a2414 9c5230,a85c34,c88a50 17130f,221a14 f3ead2,2c6e8f,b8452c,2f7d6b,d79b2e "
        "4f7d4a,2f6b55 2c6e8f,b8452c,f3ead2 ead6a8,d9bd85 4a93a8,2f7187 c9a566,b98d52 "
        "d8c39a,b89a68 b8452c,2c6e8f 7a4e2a d9a032,c98f2a 8a5a34,c9a36a,3a2a20",
        "papyrus papyrus stone",
        "frieze frieze none",
        "flat worn",
        1.3,
        0.25,
        0.0,
        True,
        dress="kilt",
        ware="5fa8a4,3f8f9a,d8c49a,8fbcae|1d3a54,3a2414,b8452c",
        trees="palm palm round",
    ),
    "greek": _style(
        "c8743c 2a1710 1d1512,241915 1d1512 1d1512,241915,7d2f22,f0e2c6 1d1512,3a2418 "
        "f0e2c6,7d2f22 c8743c,bf6a35 1d1512,5a3020 8f4a28,1d1512 e3c9a0,1d1512 7d2f22,1d1512 "
        "1d1512 f0e2c6,7d2f22 1d1512,2a1a14",
        "clay",
        "key key palmette",
        "flat glaze worn",
        0.9,
        0.2,
        0.0,
        True,
        dress="tunic",
        ware="c8743c,1d1512,b8632c|1d1512,f0e2c6,7d2f22",
        trees="round cypress",
    ),
    "roman": _style(
        "d9c4a0 4a3026 d9a27c,c98d66 4a2c1e,6b4630 a63d2f,e9dcc0,c98b3a,3f6f7a,7a3b52 "
        "5f7a48,7d8f52 b5453a,e7c46a,f1e6d0 b9cdd0,e6d9bb 5a94a0,3f7788 b59a6e,9f7f55 "
        "e0d3bb,c4b296 b0593a,96452d 6e4a30 c79a45 7d5a42,d8c5a8,4c3b32",
        "plaster stone",
        "wave rule none",
        "tesserae tesserae worn",
        0.9,
        0.2,
        0.5,
        dress="tunic",
        ware="b9c8b4,a89a78,c07848,8fb0a8|5a3a26,e0d3bb,7a3b52",
        trees="round cypress pine",
    ),
    "japan": _style(
        "ece0c4 22262e f2dfc4,ecd3b2 16181d,1f2026 27446e,a63a3a,6d7f5a,d8a24a,5b4a72,e7d9bb "
        "4f6b4a,6d7f5a,2f5148 c9485b,e8b8b4,f2e6d8 d9d4bd,7f9fb0 3a638f,234a78 b9a77c,8fa07a "
        "b8b0a0,8e8a82 4a5666,6b5a50 6e5138 c9a24a d8cbb0,4a403a,8a6444",
        "washi",
        "rule seigaiha none",
        "bokashi flat",
        1.1,
        0.15,
        dress="robe",
        ware="e8e2d2,7f8f80,4a3a34,c8b89a|2a4a7a,a63a3a,2a2a2e",
        temple="pagodas",
        trees="pine pine bare round",
    ),
    "china": _style(
        "dccfae 2b2a28 ead6b6,dfc5a0 1f1e1d,2c2a28 5f7180,8a4a3c,a89468,6d7a5c,3e4a58 "
        "4b5a4a,6f7d64 b5584e,d9b3a0,ede0c8 d6c9a9,c6bb9e 9faea9,84968f b5a684,9a8d6e "
        "8f897b,6d6a62 4c4a46,6a5a4c 6b563f b08d4a 8a7a62,4a453e,b8a888",
        "silk silk washi",
        "brocade none rule",
        "ink flat",
        0.9,
        0.35,
        0.25,
        dress="robe",
        ware="dfe6e0,a8b8a4,e8e4d8,8a3a30|2b4d96,4b5a4a,b5584e",
        temple="pagodas",
        trees="pine bare pine",
    ),
    "porcelain": _style(
        "eef1f0 1f3a78 dfe8f2,d3dff0 1f3a78 2b4d96,5b7fc0,8fabd9 2b4d96,4468ac 3558a0,7f9fd4 "
        "e9eff4,d7e3f2 8fabd9,5b7fc0 b9cbe6,d5e0f0 a9c0e2,7f9fd4 2b4d96,1f3a78 3558a0 5b7fc0 "
        "c9d8ee,5b7fc0,2b4d96",
        "glaze",
        "fret brocade rule",
        "glaze",
        1.0,
        0.3,
        dress="robe",
        ware="eef2f5,e4ebf2|2b4d96,1f3a78,4468ac",
        temple="pagodas",
        trees="pine bare",
    ),
    "islamic": _style(
        "f1eee4 1d2f4e edd3b4,e2c19c 2a2320 1f5fa0,1d8f94,c2402c,2f7a4a,e9dfc8 2f7a4a,1d8f94 "
        "c2402c,1f5fa0,6f4aa0 dbe8ea,eef0e8 6fb4c4,3a8fae d9cfb0,b9c29a e4dcc8,b9b4a6 "
        "1d8f94,1f5fa0 7a5638 c79b3c 9a6c44,e8dcc4,4a3a30",
        "glaze silk",
        "star star arabesque",
        "flat glaze",
        1.2,
        0.1,
        dress="robe",
        ware="f1eee4,1d8f94,e8e4d0|1f5fa0,c2402c,2f7a4a",
        temple="mosques",
        trees="cypress palm round",
    ),
    "iran": _style(
        "e8d7b0 33241c f0d3ae,e6c298 1b1614,3a2a22 c2452f,20589a,d79a2a,3f7f52,8f4a86,e8863a "
        "4f8a52,2f6a4a,8fae5a d84a4a,f0b8b0,f4ead0 d9a83a,b9d3d8 8fb6bf,5f8fa4 "
        "c9b8d8,d8b98a,a9c08a d0c4d4,b9a98a 20589a,2f8f8a 7d5232 d8a62e,e2b84a "
        "a9683a,f0e2c8,5a4a6a",
        "washi gold",
        "arabesque arabesque rule",
        "flat gilded",
        0.8,
        0.1,
        dress="robe",
        ware="6fb8b8,e8dcc0,c79b3c|20589a,2a2320,c2452f",
        temple="mosques",
        trees="cypress bare round",
    ),
    "india": _style(
        "ead9ae 3a1f1c b9794a,a8683c,9a5c34 1a1412 d9622b,c22f4a,e8b02e,2f7d5a,7a2f6a,f3e8d0 "
        "3f7d42,2c5f3a d8437a,f2a8b8,f4e4c8 f2d9a0,b9d6c8 6fa8a0,4a8590 b8a860,8fa04f "
        "f2e8d8,d9b8a0 c25a3a,f0e6d6 7d4a2a e0ac2c 8d8a88,a9683a,f0e4cc",
        "washi silk",
        "scallop scallop arabesque",
        "flat gilded",
        1.0,
        0.15,
        0.2,
        dress="robe",
        ware="c79a45,e8e0d0,a8683c|7a2f6a,2f7d5a,c22f4a",
        temple="mosques",
        trees="round palm round",
    ),
    "italian": _style(
        "d8b25c 4a2e1e e8bd94,dca97e 6b4426,8a5a30,4a2f1e b03a2e,2a4f8a,4f7046,d9a441,8a4a5e "
        "55703f,3f5a38 c8554a,f0d8c8,e8c060 a9c4d0,e6d5a8 6d9aa8,4f7f92 a8905a,7f8a4f "
        "d9cbb0,b3a184 b3623f,9a4f34 6d4628 d8a83c,e6bf5a 8a5e3a,e2d3ba,4f3a2a",
        "plaster gold plaster",
        "gilt arch gilt",
        "oil worn",
        0.5,
        0.1,
        1.0,
        dress="coat",
        ware="f0e8d4,d8a83c,a85a34,e4dcc8|2a4f8a,d9822a,4f7046",
        trees="cypress pine round",
    ),
    "french": _style(
        "d9cfc0 5a4a4e f0cdb4,e8c0a4 7a5236,a87c4c,4f3a30 "
        "8fa8c8,d8a0ac,e8dcc0,9fb48a,b08ab0,e0b070 8aa468,6a8a58,a8b878 "
        "e8909c,f4d4c8,f0e0a0,b0a0d0 b8cfe0,f0dcd0 8fb4c8,a8c4c0 c8b98a,a8b080 dcd0c4,b8aca8 "
        "b0806c,8f8090 8f6a4a d0a858 a88060,efe4d4,6a5448",
        "canvas",
        "gilt none none",
        "dabs dabs oil",
        0.0,
        0.0,
        0.5,
        dress="coat",
        ware="f4f0ec,8fb0d0,e8b8c0,f0e8dc|c07890,5f80b0,d0a858",
        trees="round round poplar",
    ),
    "dutch": _style(
        "3a2c20 1a120c e6b88e,d8a67a 5a3a20,8a5f34,2a1c12 2a2420,e8e0d0,7a3a28,3a4a3a,a8803c "
        "4a5a34,5f6a3a d8a070,e8d8c0,b84a38 8f9aa0,c9b890 6a7f88,4f656f 6a5434,7a6a40 "
        "a89a84,857662 8f4f34,5f3a28 5a3a22 d0a048,b8bcc0 6a4a30,d8c8b0,3a2a20",
        "canvas",
        "ebony ebony none",
        "dark",
        0.3,
        0.1,
        1.4,
        dress="coat",
        ware="e8e8e4,6a4a34,b8bcc0,8f9a7f|2f4a8a,3a2a20,d0a048",
        trees="round round bare",
    ),
    "british": _style(
        "ebe3d0 4a4a48 ecc8ac,e2b898 6a4a30,9a7850,40302a 7a3a3a,4a6080,d8cba8,5f7058,8a7a90 "
        "6f8a5a,8a9a68,50704f c87878,e8d0b0,d8c060 bccad0,e8e0cc 9fb8c0,84a0ac b0a878,98a870 "
        "c8c0b0,a09a90 9a6a54,7a7070 7a5a40 b09858 8a6a4c,e0d8c8,4a4440",
        "laid",
        "rule rule none",
        "wash wash hatch",
        0.7,
        0.35,
        0.4,
        dress="coat",
        ware="e4dcc8,5f7fa8,b8bcc0,c8a880|f4f0e4,7a3a3a,5f7058",
        trees="round round poplar",
    ),
    "american": _style(
        "ddd3bb 2e3a44 e8c0a0,dcae8a 4a3422,8a6238,2a2422 a83a34,2f4f74,e8dcc0,5a6f52,c8963c "
        "56704a,3f5f48,8a8a4a b8403c,e8c468,eee4d0 a8c0c8,dfe0d0 5f8ea4,47748c 9a9a5c,b8a468 "
        "cfc6b4,a0988a a8483c,4a5a60 74502f b88f40 7a4f30,e8e0d0,3a302a",
        "laid canvas",
        "quilt rule none",
        "flat photo",
        0.9,
        0.1,
        0.3,
        dress="coat",
        ware="a8703c,c8ccd0,e4dcc4,7f8f74|2f4f74,5a3a20,a83a34",
        trees="round fir fir",
    ),
    "german": _style(
        "e6d8b8 1c1814 ead2b0,e0c4a0 2c241c,6a5034 8a3a2c,d8c8a0,4f5f52,a8843c,3f4a5a "
        "66703f,4f5a3a 9a4438,d8b8a0 e0d4b4,cfc6ac a9b0a4,8f9a90 b8a678,9a8f64 c4b89c,9c927c "
        "8f5038,5a5248 6a4e34 b08f48 7f6248,d8ccb0,3a322a",
        "laid",
        "rule none rule",
        "hatch hatch woodcut",
        1.9,
        0.3,
        0.9,
        dress="coat",
        ware="b8a888,7f7a74,e8e4dc,8f6a44|2c4a7a,4a3a2c,9a4438",
        trees="fir round bare",
    ),
    "byzantine": _style(
        "d6a93e 3f2415 c8935f,b98250 3a2416,5a3a24 7a2436,24457a,e8dcc0,3f6a4a,a8682c "
        "4a6b40,2f5a44 a83a3a,f0e4c8 d9ae42,c9982f 4f86a0,2f6a8a b08a3a,8a8a4a d8c8a8,b09a78 "
        "8a3a2a,24457a 6a4426 f0cf6a,e0b848 7a5236,e0d0b0,4a3020",
        "gold",
        "pearls pearls arch",
        "tesserae gilded",
        1.2,
        0.15,
        0.4,
        dress="robe",
        ware="d6a93e,a8763c,8fb0a0|7a2436,24457a,5a3a24",
        trees="cypress round",
    ),
    "indonesia": _style(
        "20305c 12182e d8b88a,c8a474 141a30,20263a 8a4a2a,e8dcc0,4a6aa0,b87a3a e8dcc0,8fa8cc "
        "e8dcc0,c88a4a,8a4a2a 2a3c6c,344a80 4a6aa0,8fa8cc 3a4a78,6a4a3a c8b48c,6f86b0 "
        "8a4a2a,b87a3a 8a4a2a e8c878 c8a878,8a5a34,e8dcc0",
        "batik",
        "tumpal tumpal pearls",
        "batik",
        1.2,
        0.2,
        dress="robe",
        ware="8a5a34,c8a878,3a4a78|12182e,e8dcc0,b87a3a",
        temple="pagodas",
        trees="palm round",
    ),
    "korea": _style(
        "a9b8a0 3a4a44 e0d8c0,d4ccb0 2a3430,3a4440 eef0e4,7f9a90,5a7068,c8b48c,8a6a5a "
        "6f8a74,54705f f2f2e8,b8786a b4c2ac,c4cdb8 8faea4,77998f 94a48a,a8ac8c c4c8b8,8a9a90 "
        "54605c,7a6a5c 6a5a48 c0a868 e6e8dc,8a7a68,4a544e",
        "celadon",
        "none fret brocade",
        "crackle",
        0.8,
        0.25,
        dress="robe",
        ware="b4c4b0,a0b4a0,c4ccb8,eef0e8|5a7068,e8ece0,3a4a44",
        temple="pagodas",
        trees="pine bare",
    ),
    "mexican": _style(
        "d4ad78 3a1a14 b8683c,a85a34 1c1412 b8321f,1f7f7a,e8a82c,e8dcbc,3f5a2f 3f7a42,1f6a5a "
        "b8321f,e8a82c,e8dcbc d9b98a,e0c494 2f8f94,1f7080 b8844a,a06a3c c8a884,9a7a5c "
        "b8321f,8a4a2a 7a4426 e8b43a 9a5a34,d8bc8c,3a241c",
        "amate",
        "fret steps steps",
        "flat worn",
        2.0,
        0.25,
        0.0,
        True,
        dress="kilt",
        ware="b8683c,d8a868,8a3a24|1c1412,e8dcbc,b8321f",
        temple="pyramids",
        trees="palm round",
    ),
    "babylonian": _style(
        "2f5f8f 16283f d8a45a,c8924a 1c2430,e8dcc0 e0b050,e8e4d4,7fb0b8,b8763a 6fa090,8fb49a "
        "e8e4d4,e0b050 34689a,2c5a88 5a90b0,7fb0c0 b08a4a,8a9a6a d8b878,c8a060 e0b050,b8763a "
        "8a5a34 e8bc50 e0b860,e8e4d4,c89048",
        "brick",
        "rosettes rosettes none",
        "brick",
        1.1,
        0.15,
        0.5,
        True,
        dress="robe",
        ware="c8a070,7fb0b8,b88a58|2f5f8f,5a3a20,e8e4d4",
        trees="palm",
    ),
    "paracas": _style(
        "7a2a2a 2a1418 d8a050,c88a44 1c1418 e0b040,2f5a5a,c8603c,e8d8b8,4a3a6a 5f8a4a,2f6a5a "
        "e0b040,c8603c,e8d8b8 8a3434,702424 2f6a7a,4a8a94 a8643c,c88a44 c8a070,8a5a44 "
        "c8603c,e0b040 8a4a2a e8bc50 c88a44,e8d8b8,4a3a6a",
        "textile",
        "steps fret steps",
        "weave",
        1.4,
        0.0,
        0.0,
        True,
        dress="kilt",
        ware="c8603c,e0b040,e8d8b8|2a1418,4a3a6a,2f5a5a",
        trees="round",
    ),
    "plain": _style(
        "d8d0c0 3c3834 d8c4ac,ccb69c 4a4238,6a6054 8f8a80,b8a890,6f7478,c8beac,84705f "
        "7f8470,98967c b09488,d4c8b4 cfcabc,dedaca b0b6b4,98a0a0 aca48c,b8ae98 bcb4a4,949086 "
        "7f7468,94847a 76695a a89878 84786a,ccc4b4,4c463e",
        "laid canvas washi",
        "none rule none",
        "flat photo hatch",
        0.9,
        0.4,
        0.6,
        dress="coat",
        ware="c8bca4,a8a094,d8d0c0|5a5248,84705f,6f7478",
        trees="round round fir pine",
    ),
}
