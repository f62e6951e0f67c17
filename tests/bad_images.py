"""Faults of image files, done to image `b`, which is on line 3 of train.csv."""

import io
import os
import struct
import zlib
from collections.abc import Callable

import numpy as np
from bad_inputs import BadInput, Damage
from PIL import Image

from imet_utils.tables.images import read_image
from imet_utils.views import make_views, plan_views

DEEP = np.array([0, 257, 32896, 65535])  # 16-bit levels; in 8 bits 0, 1, 128, 255
GREY = np.array([0, 1, 128, 255])
NOT_AN_IMAGE = "not an image in PNG, JPEG, WEBP, GIF, BMP or TIFF format. Replace it by one"
DAMAGED = "damaged, cut short or not readable (…). Fetch or save it again"
BOMB = "more than 89,478,485 pixels. Scale the image down"


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


def replace_b(content: bytes, name: str = "b.png", folder: str = "train") -> Damage:
    """Return what puts a file in the place of image `b`."""

    def damage(collection):
        (collection / folder / "b.png").unlink(missing_ok=True)
        (collection / folder / name).write_bytes(content)

    return damage


def refused(fault: str, how: str, content: bytes, message: str, name: str = "b.png") -> BadInput:
    """Refuse a file."""
    happens = f"train/{name}: {message}"
    return BadInput(fault, how, replace_b(content, name), happens)


def broken(fault: str, how: str, damage: Damage, message: str, name: str = "/b.png") -> BadInput:
    """Refuse what `damage` leaves in the folder."""
    return BadInput(fault, how, damage, f"train{name}: {message}")


def read(
    fault: str, how: str, content: bytes, pixels: object, name: str = "b.png", tolerance: int = 0
) -> BadInput:
    """Accept a file, with these pixels: (H, W, 3), or (H, W) where they are grey."""
    wanted = np.asarray(pixels)
    if wanted.ndim == 2:
        wanted = np.repeat(wanted[..., None], 3, axis=2)
    happens = "read with the right pixels" + f" (to {tolerance} levels: JPEG)" * bool(tolerance)
    damage = replace_b(content, name)
    return BadInput(fault, how, damage, happens, has_pixels(wanted, name, tolerance))


def has_pixels(wanted: np.ndarray, name: str, tolerance: int = 0) -> Callable:
    """Check size and pixels of image `b`, and that its first view is the whole of it."""

    def check(folder, collection):
        image = read_image(folder / "train" / name)
        assert image.mode == "RGB"
        assert collection.sizes[1].tolist() == [*wanted.shape[1::-1]] == [*image.size]
        assert np.abs(np.asarray(image).astype(int) - wanted).max() <= tolerance
        views = make_views(image, plan_views(image.size, "b", crop=True, augment=False))
        squeezed = image.resize((224, 224), Image.Resampling.BILINEAR)
        assert np.array_equal(views[0].permute(1, 2, 0), squeezed)

    return check


def turned(orientation: int, how: str, wanted: np.ndarray) -> BadInput:
    """Accept a JPEG that says how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(noise(), "JPEG", exif=exif)
    return read(f"EXIF orientation {orientation}", how, content, wanted, "b.jpg", 6)


def odd_size(width: int, height: int, fault: str) -> BadInput:
    """Accept an image of an odd size."""
    image = noise(width, height)
    return read(fault, f"{width} x {height} pixels", encode(image, "PNG"), np.asarray(image))


def truncated(kind: str, how: str, name: str, keep: float, **options) -> BadInput:
    """Refuse the first part of a file."""
    content = encode(noise(300, 200), kind, **options)
    content = content[: int(keep * len(content))]
    return refused(f"{kind} cut short", how, content, DAMAGED, name)


def flip_a_byte(content: bytes, place: float = 0.5) -> bytes:
    """Change one byte."""
    changed = bytearray(content)
    changed[int(place * len(content))] ^= 0xFF
    return bytes(changed)


def save_two_files(folder):
    """Save image `b` again in another format."""
    Image.open(folder / "train/b.png").save(folder / "train/b.jpg")


def link_nowhere(folder):
    """Replace image `b` by a link to a file that does not exist."""
    (folder / "train/b.png").unlink()
    (folder / "train/b.png").symlink_to(folder / "gone.png")


def make_folder(folder):
    """Replace image `b` by a folder."""
    (folder / "train/b.png").unlink()
    (folder / "train/b.png").mkdir()


def make_pipe(folder):
    """Replace image `b` by a named pipe, which a reader waits on for ever."""
    (folder / "train/b.png").unlink()
    os.mkfifo(folder / "train/b.png")


UPRIGHT = np.asarray(noise())
LEVELS = np.asarray(noise().convert("L"))
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (40, 30), "red")]}
INDEXED = noise().quantize(16)
CLEAR = Image.new("RGBA", (2, 1), (10, 10, 10, 255))
CLEAR.putpixel((1, 0), (10, 10, 10, 0))
ON_WHITE = [[[10] * 3, [255] * 3]]
BIG_TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))

REFUSED_IMAGES = [
    broken("no file", "removed", lambda folder: (folder / "train/b.png").unlink(),
           "no image b. Add b.png or the like", ""),
    broken("suffix of another format", "named `b.heic`",
           lambda folder: (folder / "train/b.png").rename(folder / "train/b.heic"),
           "no image b; there is b.heic, which is none of .png, .jpg, .jpeg, .webp, .gif, .bmp, "
           ".tif, .tiff. Save it as one of them", ""),
    broken("two files of one id", "`b.jpg` beside `b.png`", save_two_files,
           "several files: b.jpg, b.png. Keep one", ""),
    broken("link that leads nowhere", "`b.png` links to a file that is gone", link_nowhere,
           "there is no such file. Add it"),
    broken("folder for a file", "`b.png` is a folder", make_folder,
           "not a plain file. Put the image itself there"),
    broken("named pipe", "`b.png` is one", make_pipe,
           "not a plain file. Put the image itself there"),
    refused("zero bytes", "emptied", b"", "an empty file of 0 bytes. Fetch it again"),
    truncated("JPEG", "its first half", "b.jpg", 0.5),
    truncated("JPEG", "all but its last hundredth", "b.jpg", 0.99),
    truncated("JPEG", "progressive, its first half", "b.jpg", 0.5, progressive=True),
    truncated("PNG", "its first half", "b.png", 0.5),
    truncated("WEBP", "its first half", "b.png", 0.5),
    truncated("GIF", "its first half", "b.png", 0.5),
    truncated("TIFF", "its first half", "b.tif", 0.5),
    refused("JPEG with zeros at the end", "its second half is zeros, as a download leaves it",
            (lambda data: data[: len(data) // 2] + bytes(len(data) // 2))(
                encode(noise(300, 200), "JPEG")), DAMAGED, "b.jpg"),
    refused("only the start of a header", "the first 20 bytes of a PNG",
            encode(noise(), "PNG")[:20], DAMAGED),
    refused("changed byte in the pixels of a PNG", "a byte in its middle",
            flip_a_byte(encode(noise(300, 200), "PNG")), DAMAGED),
    refused("changed byte in the header of a PNG", "its width, but not its checksum",
            png(1, 1, 8, 0, b"\5").replace(b"IHDR\0\0\0\1", b"IHDR\0\0\0\2"), NOT_AN_IMAGE),
    refused("PNG without pixels", "no chunk of them",
            png(3, 3, 8, 0, b"")[:33] + chunk(b"IEND", b""), DAMAGED),
    refused("PNG of no width", "0 x 5 pixels", png(0, 5, 8, 0, b""), NOT_AN_IMAGE),
    refused("text", "`no image`", b"no image", NOT_AN_IMAGE),
    refused("page of an error", "HTML", b"<!DOCTYPE html><title>404</title>", NOT_AN_IMAGE),
    refused("SVG", "a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>", NOT_AN_IMAGE),
    refused("PDF", "its first line", b"%PDF-1.7\n", NOT_AN_IMAGE),
    refused("PostScript, which could run programs", "EPS",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NOT_AN_IMAGE),
    refused("TIFF of 32 bits a pixel", "floating point", encode(noise().convert("F"), "TIFF"),
            DAMAGED, "b.tif"),
    refused("TIFF of 32 bits a pixel", "whole numbers", encode(noise().convert("I"), "TIFF"),
            DAMAGED, "b.tif"),
    refused("pointer of Git LFS", "its text", b"version https://git-lfs.github.com/spec/v1\n",
            NOT_AN_IMAGE),
    refused("decompression bomb", "a PNG of 300 bytes that says 30,000 x 30,000 pixels",
            png(30_000, 30_000, 8, 0, b""), BOMB),
    refused("image too large", "a PNG that says 10,000 x 9,000 pixels",
            png(10_000, 9_000, 8, 0, b""), BOMB),
    refused("bomb in a comment", "5 MB of zeros, compressed, in a chunk of text",
            png(1, 1, 8, 0, b"\5", BIG_TEXT), DAMAGED),
]  # fmt: skip

READ_IMAGES = [
    read("CMYK", "JPEG in CMYK", encode(noise().convert("CMYK"), "JPEG"), UPRIGHT,
         "b.jpg", 6),
    read("palette", "PNG of 16 colours", encode(INDEXED, "PNG"),
         np.asarray(INDEXED.convert("RGB"))),
    read("palette with a transparent colour", "PNG", encode(CLEAR.convert("P"), "PNG"), ON_WHITE),
    read("one bit a pixel", "PNG", encode(noise().convert("1"), "PNG"),
         np.asarray(noise().convert("1")) * 255),
    read("two bits a pixel", "PNG, levels 0 to 3", png(4, 1, 2, 0, bytes([0b00011011])),
         [[0, 85, 170, 255]]),
    read("grey", "PNG", encode(noise().convert("L"), "PNG"), LEVELS),
    read("grey JPEG", "JPEG", encode(noise().convert("L"), "JPEG"), LEVELS, "b.jpg", 4),
    read("16 bits, grey", "PNG", png(4, 1, 16, 0, words(*DEEP)), [GREY]),
    read("16 bits, RGB", "PNG", png(4, 1, 16, 2, words(*np.repeat(DEEP, 3))), [GREY]),
    read("16 bits, grey and alpha", "PNG, the second pixel clear",
         png(2, 1, 16, 4, words(32896, 65535, 0, 0)), [[128, 255]]),
    read("16 bits, RGBA", "PNG, the second pixel clear",
         png(2, 1, 16, 6, words(257, 257, 257, 65535, 0, 0, 0, 0)), [[1, 255]]),
    read("alpha", "RGBA PNG", encode(CLEAR, "PNG"), ON_WHITE),
    read("grey and alpha", "PNG", encode(CLEAR.convert("LA"), "PNG"), ON_WHITE),
    read("RGB with a transparent colour", "PNG",
         png(2, 1, 8, 2, bytes([10, 10, 10, 9, 9, 9]), chunk(b"tRNS", words(9, 9, 9))), ON_WHITE),
    read("animated GIF", "two frames, the first is taken", encode(INDEXED, "GIF", **FRAMES),
         np.asarray(INDEXED.convert("RGB"))),
    read("animated PNG", "two frames, the first is taken", encode(noise(), "PNG", **FRAMES),
         UPRIGHT),
    read("animated WebP", "two frames, the first is taken",
         encode(noise(), "WEBP", lossless=True, **FRAMES), UPRIGHT),
    read("several pictures in a JPEG", "MPO of a camera, the first is taken",
         encode(noise(), "MPO", **FRAMES), UPRIGHT, "b.jpg", 6),
    turned(2, "mirrored", UPRIGHT[:, ::-1]),
    turned(3, "upside down", UPRIGHT[::-1, ::-1]),
    turned(4, "mirrored, upside down", UPRIGHT[::-1]),
    turned(5, "mirrored, a quarter turned", UPRIGHT.transpose(1, 0, 2)),
    turned(6, "a quarter turned", np.rot90(UPRIGHT, -1)),
    turned(7, "mirrored, a quarter turned back", UPRIGHT.transpose(1, 0, 2)[::-1, ::-1]),
    turned(8, "a quarter turned back", np.rot90(UPRIGHT)),
    turned(9, "no such orientation", UPRIGHT),
    read("damaged EXIF", "JPEG whose EXIF ends early",
         encode(noise(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), UPRIGHT,
         "b.jpg", 6),
    odd_size(1, 1, "a single pixel"),
    odd_size(3, 900, "a side of 3 pixels"),
    odd_size(223, 223, "sides under 224 pixels"),
    odd_size(1000, 40, "aspect ratio 25:1"),
    odd_size(40, 1000, "aspect ratio 1:25"),
    odd_size(7500, 300, "aspect ratio 25:1, large"),
    read("suffix in upper case", "`b.PNG`", encode(noise(), "PNG"), UPRIGHT, "b.PNG"),
    read("suffix in mixed case", "`b.JpEg`", encode(noise(), "JPEG"), UPRIGHT,
         "b.JpEg", 12),
    read("JPEG named `.png`", "`b.png`", encode(noise(), "JPEG"), UPRIGHT, "b.png", 12),
    read("WebP named `.jpg`", "`b.jpg`", encode(noise(), "WEBP", lossless=True), UPRIGHT, "b.jpg"),
    read("BMP named `.png`", "`b.png`", encode(noise(), "BMP"), UPRIGHT),
    read("TIFF", "`b.tif`", encode(noise(), "TIFF"), UPRIGHT, "b.tif"),
    read("TIFF, suffix in upper case", "`b.TIFF`", encode(noise(), "TIFF"), UPRIGHT, "b.TIFF"),
    read("TIFF named `.png`", "`b.png`", encode(noise(), "TIFF"), UPRIGHT),
    read("TIFF of several pages", "the first is taken", encode(noise(), "TIFF", save_all=True,
         append_images=[Image.new("RGB", (40, 30), "red")]), UPRIGHT, "b.tif"),
    read("TIFF of 16 bits, grey", "`b.tif`", encode(Image.fromarray(DEEP[None].astype(np.uint16)),
         "TIFF"), [GREY], "b.tif"),
    read("compressed TIFF", "LZW", encode(noise(), "TIFF", compression="tiff_lzw"), UPRIGHT,
         "b.tif"),
    read("WebP", "`b.webp`", encode(noise(), "WEBP", lossless=True), UPRIGHT, "b.webp"),
    read("GIF", "`b.Gif`", encode(INDEXED, "GIF"), np.asarray(INDEXED.convert("RGB")), "b.Gif"),
    read("BMP", "`b.bmp`", encode(noise(), "BMP"), UPRIGHT, "b.bmp"),
    read("PNG without its end", "cut after the last pixel", encode(noise(), "PNG")[:-12], UPRIGHT),
]  # fmt: skip
