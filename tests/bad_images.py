"""Image files put in the place of image `b` of a sound collection: refused, or read right."""

import io
import os
import struct
import zlib

import numpy as np
import tifffile
from bad_inputs import BadInput, both, give, remove
from PIL import Image

from imet_utils.tables import read_image
from imet_utils.tables.images import FORMATS


def noise(width: int = 40, height: int = 30) -> Image.Image:
    """Draw an image of smooth noise, which JPEG keeps well."""
    coarse = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """Write an image in a format of Pillow; a JPEG close to the image."""
    buffer = io.BytesIO()
    if kind in ("JPEG", "MPO"):
        options = {"quality": 98, "subsampling": 0} | options
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def animate(image: Image.Image, kind: str, **options) -> bytes:
    """Write an image and a red one after it."""
    red = Image.new("RGB", image.size, "red")
    return encode(image, kind, save_all=True, append_images=[red], **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, row: bytes, *chunks: bytes) -> bytes:
    """Write a PNG file by hand; color 0 is grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" + row))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + b"".join(chunks) + body + chunk(b"IEND", b"")


def words(*levels: int) -> bytes:
    """Write 16-bit numbers as PNG has them."""
    return struct.pack(f">{len(levels)}H", *levels)


def tiff(levels: np.ndarray, kind: str = "minisblack", **options) -> bytes:
    """Write a TIFF as scanners do; `kind` is its photometric interpretation."""
    buffer = io.BytesIO()
    options = ({"planarconfig": "contig"} if levels.ndim == 3 else {}) | options
    tifffile.imwrite(buffer, levels, photometric=kind, **options)
    return buffer.getvalue()


def packed_tiff(*levels: int) -> bytes:
    """Write levels of 12 bits, two in three bytes."""
    bits = "".join(f"{level:012b}" for level in levels)
    row = np.array([[int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]], dtype=np.uint8)
    depth, width = struct.pack("<HHIH", 258, 3, 1, 8), struct.pack("<HHII", 256, 4, 1, row.size)
    content = tiff(row).replace(depth, struct.pack("<HHIH", 258, 3, 1, 12))
    return content.replace(width, struct.pack("<HHII", 256, 4, 1, len(levels)))


def refused(fault: str, content: bytes, kind: str, name: str = "b.png", place="") -> BadInput:
    """Refuse a file."""
    damage = both(remove("train/b.png"), give(f"train/{name}", content))
    return BadInput(fault, damage, (place or f"train/{name}: ", kind))


def replaced(fault: str, kind: str, put) -> BadInput:
    """Refuse what `put` makes of the path of image `b`, whose file is removed."""
    damage = both(remove("train/b.png"), lambda folder: put(folder / "train/b.png"))
    return BadInput(fault, damage, ("train/b.png: ", kind))


def read(fault: str, content: bytes, pixels, name: str = "b.png", tolerance: int = 0) -> BadInput:
    """Accept a file, with these pixels: (H, W, 3), or (H, W) where they are grey."""
    wanted = np.asarray(pixels)
    if wanted.ndim == 2:
        wanted = np.repeat(wanted[..., None], 3, axis=2)

    def check(folder, collection):
        image = read_image(folder / "train" / name)
        assert image.mode == "RGB"
        assert collection.sizes[1].tolist() == [*wanted.shape[1::-1]] == [*image.size]
        assert np.abs(np.asarray(image).astype(int) - wanted).max() <= tolerance

    damage = both(remove("train/b.png"), give(f"train/{name}", content))
    return BadInput(fault, damage, check=check)


TWELVE = "of 65,535, as of 12 or fewer bits stored in 16"
DAMAGED, NOT_AN_IMAGE, BOMB = "damaged, cut short", "not an image", "more than 89,478,485 pixels"
DEEP = np.array([0, 257, 32896, 65535])  # 16-bit levels
GREY = np.array([0, 1, 128, 255])  # the same in 8 bits
DEEP_GREY = DEEP[np.newaxis].astype(np.uint16)  # (1, 4)
COLOURS = np.array([[[160, 90, 80], [40, 90, 200]]], dtype=np.uint8)  # (1, 2, 3)
DEEP_COLOURS = COLOURS * np.uint16(257)
PLANES = {"kind": "rgb", "planarconfig": "separate"}
HALF = DEEP_GREY * 0 + 32896  # alpha, which makes grey of white and black
PNG, JPEG = encode(noise(), "PNG"), encode(noise(), "JPEG")
HALF_A_PNG = encode(noise(300, 200), "PNG")[:17_000]
UPRIGHT, ONE_BIT, INDEXED = np.asarray(noise()), noise().convert("1"), noise().quantize(16)
CLEAR = Image.new("RGBA", (2, 1), (10, 10, 10, 255))
CLEAR.putpixel((1, 0), (10, 10, 10, 0))
ON_WHITE = [[[10] * 3, [255] * 3]]

REFUSED_IMAGES = [
    refused("suffix of another format", PNG, "no image b; there is b.jxl", "b.jxl", "train: "),
    BadInput("no file", remove("train/b.png"), ("train: no image b. Add b.png",)),
    BadInput("two files of one id", give("train/b.jpg", JPEG),
             ("train: ", "several files: b.jpg, b.png")),
    replaced("link that leads nowhere", "no such file", lambda path: path.symlink_to("gone.png")),
    replaced("folder for a file", "not a plain file", lambda path: path.mkdir()),
    replaced("named pipe, which a reader waits on for ever", "not a plain file", os.mkfifo),
    refused("zero bytes", b"", "empty file of 0 bytes"),
    refused("PNG, cut", HALF_A_PNG, DAMAGED),
    refused("changed bytes in the pixels of a PNG", HALF_A_PNG + HALF_A_PNG, DAMAGED),
    refused("PostScript, which could run programs",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NOT_AN_IMAGE),
    refused("TIFF of 32-bit integers", tiff(DEEP_GREY.astype(np.uint32)), "32 bits", "b.tif"),
    refused("TIFF of signed 16 bits", tiff(DEEP_GREY.astype(np.int16)),
            "TIFF of 16 bits a channel (INT, MINISBLACK)", "b.tif"),
    refused("TIFF of floats, RGB", tiff(COLOURS.astype(np.float32), "rgb"),
            "TIFF of 32 bits a channel (IEEEFP, RGB)", "b.tif"),
    refused("TIFF in CMYK, planes of 16 bits", tiff(np.stack([DEEP_GREY] * 4), "separated",
            planarconfig="separate"), "TIFF of 16 bits a channel (UINT, SEPARATED)", "b.tif"),
    refused("TIFF of 12 bits in 16, grey", tiff(DEEP_GREY // 16), TWELVE, "b.tif"),
    refused("TIFF of 12 bits in 16, RGB", tiff(DEEP_COLOURS // 16, "rgb"), TWELVE, "b.tif"),
    refused("TIFF of 12 bits in 16, planes",
            tiff(np.moveaxis(DEEP_COLOURS // 16, 2, 0), **PLANES), TWELVE, "b.tif"),
    refused("PNG of 12 bits in 16", png(4, 1, 16, 2, words(*np.repeat(DEEP // 16, 3))), TWELVE),
    refused("TIFF of 16 bits with alpha, cut",
            tiff(np.dstack([DEEP_GREY, HALF]))[:-5], DAMAGED, "b.tif"),
    refused("bomb: a PNG of 30,000 x 30,000 pixels", png(30_000, 30_000, 8, 0, b""), BOMB),
]  # fmt: skip

READ_IMAGES = [
    read("CMYK", encode(noise().convert("CMYK"), "JPEG"), UPRIGHT, "b.jpg", 6),
    read("palette with a transparent colour", encode(CLEAR.convert("P"), "PNG"), ON_WHITE),
    read("one bit a pixel", encode(ONE_BIT, "PNG"), np.asarray(ONE_BIT) * 255),
    read("16 bits, grey", png(4, 1, 16, 0, words(*DEEP)), [GREY]),
    read("16 bits, RGBA", png(2, 1, 16, 6, words(32896, 32896, 32896, 65535, 0, 0, 0, 0)),
         [[128, 255]]),
    read("alpha", encode(CLEAR, "PNG"), ON_WHITE),
    read("RGB with a transparent colour",
         png(2, 1, 8, 2, bytes([10, 10, 10, 9, 9, 9]), chunk(b"tRNS", words(9, 9, 9))), ON_WHITE),
    read("animated GIF", animate(INDEXED, "GIF"), INDEXED.convert("RGB")),
    read("several pictures in a JPEG", animate(noise(), "MPO"), UPRIGHT, "b.jpg", 6),
    read("EXIF that ends early",
         encode(noise(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), UPRIGHT, "b.jpg", 6),
    read("one pixel", png(1, 1, 8, 0, b"\5"), [[5]]),
    read("JPEG named `.png`", JPEG, UPRIGHT, "b.png", 12),
    read("TIFF of several pages", animate(noise(), "TIFF"), UPRIGHT, "b.tif"),
    read("TIFF of 16 bits, white as zero", tiff(65535 - DEEP_GREY, "miniswhite"), [GREY], "b.tif"),
    read("the same, big-endian", tiff(65535 - DEEP_GREY, "miniswhite", byteorder=">"), [GREY],
         "b.tif"),
    read("TIFF of 16 bits, RGB in planes and turned",
         tiff(np.moveaxis(DEEP_COLOURS, 2, 0), **PLANES, extratags=[(274, "H", 1, 6, True)]),
         np.rot90(COLOURS, -1), "b.tif"),
    read("TIFF of 16 bits, grey and alpha",
         tiff(np.dstack([DEEP_GREY, HALF]), extrasamples=["unassalpha"]), [[127, 128, 191, 255]],
         "b.tif"),
    read("TIFF of 16 bits, premultiplied by alpha",
         tiff(np.dstack([DEEP_GREY // 2, HALF]), extrasamples=["assocalpha"]),
         [[127, 127, 191, 255]], "b.tif", 1),
    read("TIFF of 16 bits, RGB and two more", tiff(np.dstack([DEEP_COLOURS] * 2), "rgb"), COLOURS,
         "b.tif"),
    read("TIFF of 12 bits", packed_tiff(0, 16, 2055, 4095), [GREY], "b.tif"),
    read("WebP", encode(noise(), "WEBP", lossless=True), UPRIGHT, "b.webp"),
    read("BMP", encode(noise(), "BMP"), UPRIGHT, "b.bmp"),
]  # fmt: skip

if "AVIF" in FORMATS:  # as this Pillow reads them
    AVIF = encode(noise(), "AVIF", quality=100, subsampling="4:4:4")
    READ_IMAGES.append(read("AVIF", AVIF, UPRIGHT, "b.avif", 6))
if "HEIF" in FORMATS:
    HEIC = encode(noise(), "HEIF", quality=100, chroma=444)
    READ_IMAGES.append(read("HEIC", HEIC, UPRIGHT, "b.heic", 6))
