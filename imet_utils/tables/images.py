"""The image files of a collection: found by id, whatever the suffix; ids to predict."""

import filecmp
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from imet_utils.tables.csv_files import (
    PLAIN_NAME,
    add_id,
    file_key,
    is_plain_name,
    list_faults,
    parse_rows,
    read_csv,
)

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # by the content, whatever the suffix
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")  # in any case
NO_IMAGE = f"none of {', '.join(SUFFIXES)}. Save it as one of them"
IGNORED = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders


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
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > limit:
                    raise Image.DecompressionBombError
                yield image
            return
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            fault = f"more than {limit:,} pixels. Scale the image down"
        except UnidentifiedImageError:
            names = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            fault = f"not an image in {names} format. Replace it by one"
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many types on damaged files
            fault = f"damaged, cut short or not readable ({error}). Fetch or save it again"
    raise ValueError(f"{path}: {fault}")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Make an image upright RGB, 16 bits cut to 8, transparency composited on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        raise OSError("32 bits a pixel, where 8 or 16 are read")
    if image.mode.startswith("I;16"):  # which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
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
        some = files.get(file_key(image_id)) or _find_named(files, image_id)
        images = [path for path in some if is_image(path)]
        names = sorted(path.name for path in images or some)
        suffix = "" if is_image(Path(image_id)) else ".png or the like"
        fault = f"no image {image_id}. Add {image_id}{suffix}"
        if len(images) > 1:
            fault = f"several files: {', '.join(names)}. Keep one"
        elif names:
            fault = f"no image {image_id}; there is {names[0]}, which is {NO_IMAGE}"
        found.append((images[0], "") if len(images) == 1 else (None, fault))
    return found


def _find_named(files: dict[str, list[Path]], image_id: str) -> list[Path]:
    """Find the file whose whole name, with its suffix in any case, is the id."""
    stem, suffix = Path(image_id).stem, Path(image_id).suffix.lower()
    return [path for path in files.get(file_key(stem), []) if path.suffix.lower() == suffix]


def list_files(folder: Path) -> dict[str, list[Path]]:
    """List the files of a folder, but hidden and `IGNORED` ones, by `file_key` without suffix."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: it must be the folder of the images")
    files: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name.lower() not in IGNORED:
            files.setdefault(file_key(path.stem), []).append(path)
    return files


def first_equal(paths: Sequence[Path], hashes: Iterable[str]) -> list[int]:
    """Return for each file the number of the first that is equal to it, byte by byte.

    Only files of equal `hashes`, which may be of some of their bytes, are compared.
    """
    found: list[int] = []
    alike: dict[str, list[int]] = {}  # the different files of each hash
    for number, (path, file_hash) in enumerate(zip(paths, hashes, strict=True)):
        known = alike.setdefault(file_hash, [])
        equal = (k for k in known if filecmp.cmp(paths[k], path, shallow=False))
        found.append(next(equal, number))
        if found[-1] == number:
            known.append(number)
    return found


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
