"""The image files of a collection: found by id, whatever the suffix; ids to predict."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError, features

from imet_utils.tables.csv_files import (
    PLAIN_NAME,
    add_id,
    file_key,
    is_plain_name,
    list_faults,
    parse_rows,
    printable,
    read_csv,
)

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]  # by the content, whatever the suffix
SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"]  # in any case
if "avif" in features.modules and features.check("avif"):  # as in Pillow's wheels from 11.3 on
    FORMATS, SUFFIXES = [*FORMATS, "AVIF"], [*SUFFIXES, ".avif"]
with suppress(ImportError):  # a plugin that is no requirement
    from pillow_heif import register_heif_opener

    register_heif_opener()
    FORMATS, SUFFIXES = [*FORMATS, "HEIF"], [*SUFFIXES, ".heic", ".heif"]
NO_IMAGE = f"none of {', '.join(SUFFIXES)}. Save it as one of them"
SAMPLE_FORMAT = 339  # the tag of a TIFF: 1 unsigned, 2 signed, 3 floats
TIFF_KINDS = {"MINISWHITE": "L", "MINISBLACK": "L", "RGB": "RGB"}  # that tifffile is asked for
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
IGNORED = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders


class UnreadImage(ValueError):
    """An intact image of a kind that is not read; the message says which."""


def read_image(path: Path | str | Image.Image) -> Image.Image:
    """Read the first image of a file, or take one, as upright RGB composited on white.

    Raises:
        ValueError: naming the file, what is wrong with it, and what to do.
    """
    if isinstance(path, Image.Image):
        return _to_rgb(path)
    with _open_image(Path(path)) as image:
        return _to_rgb(image)


def read_thumbnail(path: Path | str, side: int) -> Image.Image:
    """Read an image scaled down to sides of at most `side` pixels, a JPEG decoded coarsely."""
    with _open_image(Path(path)) as image:
        image.draft(None, (side, side))
        small = _to_rgb(image)
    small.thumbnail((side, side))
    return small


def measure_image(path: Path | str) -> tuple[int, int]:
    """Read all of a file, a JPEG at an eighth of its size; return upright width and height."""
    with _open_image(Path(path)) as image:
        width, height = image.size
        image.draft(None, (1, 1))
        _to_rgb(image)
        turned = image.getexif().get(ExifTags.Base.Orientation) in range(5, 9)
        return (height, width) if turned else (width, height)


@contextmanager
def _open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image; turn whatever a bad file raises into a ValueError with advice."""
    # Of metadata: the pixels are right. For good, as filters are not of one thread alone.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    limit = Image.MAX_IMAGE_PIXELS or np.inf
    if not path.exists():
        fault = "there is no such file. Add it"
    elif not path.is_file():  # to open a pipe would wait for ever
        fault = "not a plain file. Put the image itself there"
    elif not path.stat().st_size:
        fault = "an empty file of 0 bytes. Fetch it again"
    else:
        try:
            with _open_file(path) as image:
                if image.width * image.height > limit:
                    raise Image.DecompressionBombError
                if image.format == "TIFF" and _is_misread(image):
                    image = _read_tiff(path)
                yield image
            return
        except UnreadImage as error:
            fault = str(error)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            fault = f"more than {limit:,} pixels. Scale the image down"
        except UnidentifiedImageError:
            names = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            fault = f"not an image in {names} format. Replace it by one"
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many types on damaged files
            reason = " ".join(str(error).split())
            fault = f"damaged, cut short or not readable ({reason}). Fetch or save it again"
    raise ValueError(f"{path}: {fault}")


def _open_file(path: Path) -> Image.Image:
    """Open an image with Pillow, or a TIFF that it does not know with tifffile."""
    try:
        return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        with path.open("rb") as file:
            if file.read(4) not in TIFF_STARTS:
                raise
        return _read_tiff(path)


def _is_misread(image: Any) -> bool:  # noqa: ANN401
    """Tell whether Pillow would misread a TIFF: signed levels, or raw planes of 16 bits."""
    tags = image.tag_v2
    raw_planes = (
        tags.get(ExifTags.Base.PlanarConfiguration) == 2 and image.tile[0].codec_name == "raw"
    )
    return any(kind != 1 for kind in tags.get(SAMPLE_FORMAT, ())) or (
        raw_planes and max(tags.get(ExifTags.Base.BitsPerSample, [8])) > 8
    )


def _read_tiff(path: Path) -> Image.Image:
    """Read the first image of a TIFF of 8 or 16 bits, grey or RGB, with tifffile."""
    import tifffile  # which comes with scikit-image; here, since few images need it

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages.first
        if page.imagewidth * page.imagelength > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise Image.DecompressionBombError
        kind = tifffile.PHOTOMETRIC(page.photometric).name
        if kind not in TIFF_KINDS or page.sampleformat != 1 or page.bitspersample not in (8, 16):
            number = tifffile.SAMPLEFORMAT(page.sampleformat).name
            raise UnreadImage(
                f"a TIFF of {page.bitspersample} bits a channel ({number}, {kind}), where 8 or 16 "
                "bits (UINT), grey or RGB, are read. Save it so"
            )
        try:
            levels = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            packing = tifffile.COMPRESSION(page.compression).name
            raise UnreadImage(f"a TIFF of a rare layout, packed by {packing}. Unpack it") from error
        planes = np.moveaxis(levels.reshape(page.shaped), 4, 1)[:, :, 0]  # (S, S', H, W)
        orientation = page.tags.valueof(ExifTags.Base.Orientation, default=1)
        alpha = {1: "a", 2: "A"}.get(next(iter(page.extrasamples), 0), "")  # 1: premultiplied
    mode = TIFF_KINDS[kind] + alpha
    levels = planes.reshape(-1, *planes.shape[2:])[: len(mode)]  # (S, H, W)
    if levels.dtype == np.uint16:
        levels = levels // 257
        _check_depth(int(levels[: len(TIFF_KINDS[kind])].max()))
    if kind == "MINISWHITE":
        levels[0] = 255 - levels[0]
    bands = [Image.fromarray(plane.astype(np.uint8)) for plane in levels]
    image = Image.merge(mode, bands).convert(mode.upper())
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return image


def _check_depth(brightest: int) -> None:
    """Refuse 16 bits whose brightest level, cut to 8, is one that 12 bits can have."""
    if 0 < brightest < 16:
        raise UnreadImage(
            f"16 bits a channel, the brightest of {brightest * 257:,} of 65,535, as of 12 or fewer "
            "bits stored in 16: it would be nearly black. Save it with 8 bits, or stretch it to 16"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Make an image upright RGB, 16 bits cut to 8, transparency composited on white.

    Raises:
        UnreadImage: if it has more than 16 bits, or 12 in 16.
    """
    if image.mode in ("I", "F"):
        raise UnreadImage("32 bits a pixel, where 8 or 16 are read. Save it with 8")
    layout = str([tile.args for tile in getattr(image, "tile", [])])  # gone once it is loaded
    deep = image.format in ("PNG", "TIFF") and ";16" in layout
    kind = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
    image = ImageOps.exif_transpose(image)
    inverted = image.mode == "I;16" and kind == 0  # white: 8 bits are inverted by Pillow itself
    if image.mode.startswith("I;16"):  # which Pillow would clip at 255
        deep = ";12" not in layout
        levels = np.asarray(image) // (257 if deep else 16)
        image = Image.fromarray(levels.astype(np.uint8))
    if deep:
        bands = [image.getchannel(name) for name in image.getbands() if name not in "Aa"]
        _check_depth(max(int(np.asarray(band).max()) for band in bands))
    if inverted:
        image = ImageOps.invert(image)
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def find_images(folder: Path | str, ids: Sequence[str]) -> list[Path]:
    """Find the file of each id; raise ValueError if one has no file or several."""
    found = match_images(folder, ids)
    if faults := [f"{folder}: {fault}" for _, fault in found if fault]:
        raise ValueError(list_faults(faults))
    return [path for path, _ in found if path]


def match_images(folder: Path | str, ids: Sequence[str]) -> list[tuple[Path | None, str]]:
    """Find the file of each id, its name and one of `SUFFIXES`, or the reason why there is none."""
    files = list_files(Path(folder))
    found: list[tuple[Path | None, str]] = []
    for image_id in ids:
        stem, suffix = Path(image_id).stem, Path(image_id).suffix.lower()
        whole = [path for path in files.get(file_key(stem), []) if path.suffix.lower() == suffix]
        some = files.get(file_key(image_id)) or whole  # an id may be a whole name
        images = [path for path in some if is_image(path)]
        names = sorted(printable(path.name) for path in images or some)
        ending = "" if is_image(Path(image_id)) else ".png or the like"
        fault = f"no image {image_id}. Add {image_id}{ending}"
        if len(images) > 1:
            fault = f"several files: {', '.join(names)}. Keep one"
        elif names:
            fault = f"no image {image_id}; there is {names[0]}, which is {NO_IMAGE}"
        found.append((images[0], "") if len(images) == 1 else (None, fault))
    return found


def list_files(folder: Path) -> dict[str, list[Path]]:
    """List the files of a folder, but hidden and `IGNORED` ones, by `file_key` without suffix."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: it must be the folder of the images")
    files: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if not is_ignored(path):
            files.setdefault(file_key(path.stem), []).append(path)
    return files


def is_ignored(path: Path) -> bool:
    """Tell whether a file or folder is hidden, or one of `IGNORED`."""
    return path.name.startswith(".") or path.name.lower() in IGNORED


def name_files(paths: Sequence[Path]) -> list[str]:
    """Name files by their names, or where another folder has the same by their relative paths."""
    whole = [path.absolute() for path in paths]
    folders: dict[str, set[Path]] = {}
    for path in whole:
        folders.setdefault(file_key(path.stem), set()).add(path.parent)
    common = Path(os.path.commonpath([path.parent for path in whole])) if whole else Path()
    alone = [len(folders[file_key(path.stem)]) == 1 for path in whole]
    pairs = zip(whole, alone, strict=True)
    return [p.name if lone else p.relative_to(common).as_posix() for p, lone in pairs]


def is_image(path: Path) -> bool:
    """Tell by the suffix whether a file should be an image."""
    return path.suffix.lower() in SUFFIXES


def submission_ids(data_dir: Path | str) -> list[str]:
    """List the ids of the images in `test/`, in the order of `sample_submission.csv` if any."""
    folder, order = Path(data_dir) / "test", Path(data_dir) / "sample_submission.csv"
    if not folder.is_dir():
        return []
    if order.is_file():
        lines: dict[str, int] = {}
        table = read_csv(order, ["id"])
        return parse_rows(table, ["id"], lambda line, image_id: add_id(lines, image_id, line))
    ids = sorted(stem for stem, files in list_files(folder).items() if any(map(is_image, files)))
    for image_id in ids:
        if not is_plain_name(image_id):
            raise ValueError(f"{folder}: the file name {image_id!r} {PLAIN_NAME}. Rename the file")
    return ids
