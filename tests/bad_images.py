"""Image files put in the place of image `b` of a sound collection: refused, or read right."""

import io
import os
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from bad_inputs import BadInput
from PIL import Image
from small_data import noise

from imet_utils.tables import read_image
from imet_utils.tables.images import FORMATS


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """Write an image in a format of Pillow; a JPEG close to the image."""
    buffer = io.BytesIO()
    if kind in ("JPEG", "MPO"):
        options = {"quality": 98, "subsampling": 0} | options
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep_png(row: np.ndarray) -> bytes:
    """Write a row of 16-bit levels (W, 3 or 4) as a PNG, which Pillow cannot."""
    color = {3: 2, 4: 6}[row.shape[1]]  # RGB, RGBA
    header = struct.pack(">IIBBBBB", len(row), 1, 16, color, 0, 0, 0)
    content = zlib.compress(b"\0" + row.astype(">u2").tobytes())
    written = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", content), (b"IEND", b"")):
        checksum = zlib.crc32(kind + data)
        written += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
    return written


def tiff(levels: np.ndarray, kind: str = "minisblack", planes: str = "contig", **options) -> bytes:
    """Write a TIFF as scanners do; `kind` is its photometric interpretation."""
    buffer = io.BytesIO()
    planes = planes if levels.ndim == 3 else None
    tifffile.imwrite(buffer, levels, photometric=kind, planarconfig=planes, **options)
    return buffer.getvalue()


def refused(fault: str, content, kind: str, name: str = "b.png") -> BadInput:
    """Refuse a file."""
    files = {"train/b.png": Path.unlink, f"train/{name}": content}
    return BadInput(fault, files, (f"train/{name}: ", kind, 'ON_BAD_IMAGE = "skip"'))


def read(fault: str, content: bytes, pixels, name: str = "b.png", tolerance: int = 0) -> BadInput:
    """Accept a file, with these pixels: (H, W, 3), or (H, W) where they are grey."""
    wanted = np.atleast_3d(pixels)

    def check(folder, collection, _):
        image = read_image(folder / "train" / name)
        assert image.mode == "RGB"
        assert collection.sizes[1].tolist() == [*wanted.shape[1::-1]] == [*image.size]
        assert np.abs(np.asarray(image).astype(int) - wanted).max() <= tolerance

    return BadInput(fault, {"train/b.png": Path.unlink, f"train/{name}": content}, check=check)


refused_tiff, read_tiff = partial(refused, name="b.tif"), partial(read, name="b.tif")

TWELVE = "of 65,535, as of 12 or fewer bits stored in 16"
DAMAGED, NO_FILE = "damaged, cut short", "not a plain file"
GREY = np.array([[0, 1, 128, 255]])
DEEP_GREY = GREY.astype(np.uint16) * 257  # the same in 16 bits
COLOURS = np.array([[[160, 90, 80], [40, 90, 200]]], dtype=np.uint8)  # (1, 2, 3)
DEEP_COLOURS = COLOURS * np.uint16(257)
DEEP_PLANES = np.moveaxis(DEEP_COLOURS, 2, 0)  # (3, 1, 2)
HALF = DEEP_GREY * 0 + 32896  # alpha, which makes grey of white and black
WITH_ALPHA, PREMULTIPLIED = (np.dstack([grey, HALF]) for grey in (DEEP_GREY, DEEP_GREY // 2))
SMOOTH = noise(4, 4).resize((40, 30), Image.Resampling.BICUBIC)  # which JPEG keeps well
ANIMATED = {"save_all": True, "append_images": [Image.new("RGB", SMOOTH.size, "red")]}
JPEG, HALF_A_PNG = encode(SMOOTH, "JPEG"), encode(noise(90, 70), "PNG")[:9000]
PACKED = tiff(np.array([[*bytes.fromhex("000010807fff")]], dtype=np.uint8))  # made 12 bits:
PACKED = PACKED.replace(struct.pack("<HHIH", 258, 3, 1, 8), struct.pack("<HHIH", 258, 3, 1, 12))
PACKED = PACKED.replace(struct.pack("<HHIH", 256, 4, 1, 6), struct.pack("<HHIH", 256, 4, 1, 4))
LARGE_GIF = b"GIF89a" + struct.pack("<HH", 30_000, 30_000) + encode(SMOOTH, "GIF")[10:]
UPRIGHT, ONE_BIT, INDEXED = np.asarray(SMOOTH), SMOOTH.convert("1"), SMOOTH.quantize(16)
CLEAR = Image.new("RGBA", (2, 1), (10, 10, 10, 255))
CLEAR.putpixel((1, 0), (9, 9, 9, 0))
ON_WHITE = [[[10] * 3, [255] * 3]]

REFUSED_IMAGES = [
    BadInput("suffix of another format", {"train/b.png": Path.unlink, "train/b.jxl": JPEG},
             ("train: no image b; there is b.jxl", 'ON_BAD_IMAGE = "skip"')),
    BadInput("no file", {"train/b.png": Path.unlink}, ("train: no image b. Add b.png",)),
    BadInput("two files of one id", {"train/b.jpg": JPEG}, ("several files: b.jpg, b.png",)),
    refused("link that leads nowhere", lambda path: path.symlink_to("gone"), "no such", "b.jpg"),
    refused("folder for a file", Path.mkdir, NO_FILE, "b.jpg"),
    refused("named pipe, which a reader waits on for ever", os.mkfifo, NO_FILE, "b.jpg"),
    refused("zero bytes", b"", "empty file of 0 bytes"),
    refused("PNG, cut", HALF_A_PNG, DAMAGED),
    refused("changed bytes in the pixels of a PNG", HALF_A_PNG + HALF_A_PNG, DAMAGED),
    refused("PostScript, which could run programs",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    refused_tiff("TIFF of 32-bit integers", tiff(DEEP_GREY.astype(np.uint32)), "32 bits"),
    refused_tiff("TIFF of signed 16 bits", tiff(DEEP_GREY.astype(np.int16)), "(INT, MINISBLACK)"),
    refused_tiff("TIFF of floats, RGB", tiff(COLOURS.astype(np.float32), "rgb"), "(IEEEFP, RGB)"),
    refused_tiff("TIFF in CMYK, planes of 16 bits",
                 tiff(np.stack([DEEP_GREY] * 4), "separated", "separate"), "(UINT, SEPARATED)"),
    refused_tiff("TIFF of 12 bits in 16, grey", tiff(DEEP_GREY // 16), TWELVE),
    refused_tiff("TIFF of 12 bits in 16, RGB", tiff(DEEP_COLOURS // 16, "rgb"), TWELVE),
    refused_tiff("TIFF, 12 bits in 16, planes", tiff(DEEP_PLANES // 16, "rgb", "separate"), TWELVE),
    refused("PNG of 12 bits in 16", deep_png(DEEP_COLOURS[0] // 16), TWELVE),
    refused_tiff("TIFF with alpha, cut", tiff(WITH_ALPHA)[:-5], DAMAGED),
    refused("bomb: a GIF of 30,000 x 30,000 pixels", LARGE_GIF, "more than 89,478,485", "b.gif"),
]  # fmt: skip

READ_IMAGES = [
    read("CMYK", encode(SMOOTH.convert("CMYK"), "JPEG"), UPRIGHT, "b.jpg", 6),
    read("palette with a transparent colour", encode(CLEAR.convert("P"), "PNG"), ON_WHITE),
    read("one bit a pixel", encode(ONE_BIT, "PNG"), np.asarray(ONE_BIT) * 255),
    read("16 bits, grey", encode(Image.fromarray(DEEP_GREY), "PNG"), GREY),
    read("16 bits, RGBA", deep_png(np.array([[32896, 32896, 32896, 65535], [0] * 4])),
         [[128, 255]]),
    read("alpha", encode(CLEAR, "PNG"), ON_WHITE),
    read("RGB with a transparent colour",
         encode(CLEAR.convert("RGB"), "PNG", transparency=(9, 9, 9)), ON_WHITE),
    read("animated GIF", encode(INDEXED, "GIF", **ANIMATED), INDEXED.convert("RGB")),
    read("several pictures in a JPEG", encode(SMOOTH, "MPO", **ANIMATED), UPRIGHT, "b.jpg", 6),
    read("EXIF that ends early",
         encode(SMOOTH, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), UPRIGHT, "b.jpg", 6),
    read("one pixel", encode(Image.new("L", (1, 1), 5), "PNG"), [[5]]),
    read("JPEG named `.png`", JPEG, UPRIGHT, "b.png", 12),
    read_tiff("TIFF, white as zero", tiff(65535 - DEEP_GREY, "miniswhite"), GREY),
    read_tiff("big-endian TIFF", tiff(65535 - DEEP_GREY, "miniswhite", byteorder=">"), GREY),
    read_tiff("TIFF of 16 bits, RGB in planes and turned",
              tiff(DEEP_PLANES, "rgb", "separate", extratags=[(274, "H", 1, 6, True)]),
              np.rot90(COLOURS, -1)),
    read_tiff("TIFF of alpha", tiff(WITH_ALPHA, extrasamples=[2]), [[127, 128, 191, 255]]),
    read_tiff("TIFF premultiplied by alpha", tiff(PREMULTIPLIED, extrasamples=[1]),
              [[127, 127, 191, 255]], tolerance=1),
    read_tiff("TIFF of RGB and two more", tiff(np.dstack([DEEP_COLOURS] * 2), "rgb"), COLOURS),
    read_tiff("TIFF of 12 bits", PACKED, GREY),
    read("WebP", encode(SMOOTH, "WEBP", lossless=True), UPRIGHT, "b.webp"),
    read("BMP", encode(SMOOTH, "BMP"), UPRIGHT, "b.bmp"),
]  # fmt: skip

for kind, options in {"AVIF": {"subsampling": "4:4:4"}, "HEIF": {"chroma": 444}}.items():
    if kind in FORMATS:  # as this Pillow reads them
        content = encode(SMOOTH, kind, quality=100, **options)
        READ_IMAGES.append(read(kind, content, UPRIGHT, f"b.{kind.lower()}", 6))
