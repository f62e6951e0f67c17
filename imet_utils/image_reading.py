"""Read an image file of any common kind as upright RGB, or say what is wrong with it."""

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")  # told by the content, whatever the suffix says


def read_image(path: Path | str) -> Image.Image:
    """Read an image as upright RGB, what is transparent laid over white.

    Of an animation it is the first frame.

    Raises:
        ValueError: naming the file, what is wrong with it, and what to do.
    """
    with _naming_faults(path), _open_image(path) as image:
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))


def measure_image(path: Path | str) -> tuple[int, int]:
    """Read all of an image file and return the width and height of the image, upright.

    A JPEG is decoded at an eighth of its size: one that is cut short fails there too.

    Raises:
        ValueError: as `read_image`.
    """
    with _naming_faults(path), _open_image(path) as image:
        width, height = image.size
        image.draft(None, (1, 1))
        image.load()
        _to_rgb(ImageOps.exif_transpose(image))
        turned = image.getexif().get(ExifTags.Base.Orientation) in range(5, 9)
        return (height, width) if turned else (width, height)


def _open_image(path: Path | str) -> Image.Image:
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
        raise ValueError(f"{path}: not a plain file. Put the image itself there")
    if not status.st_size:
        raise ValueError(f"{path}: an empty file of 0 bytes. Fetch it again")
    return Image.open(path, formats=FORMATS)


class _ImageWarnings:
    """Filters of warnings while images are read, by one thread or by several.

    Python has one list of filters for all threads: the first to come sets it, the last to go
    restores it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.num_readers = 0
        self.filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            self.num_readers += 1
            if self.num_readers == 1:
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter("ignore", UserWarning)  # of metadata: the pixels are right
                warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.num_readers -= 1
            if not self.num_readers:
                self.filters.__exit__(*error)


_IMAGE_WARNINGS = _ImageWarnings()


@contextmanager
def _naming_faults(path: Path | str) -> Iterator[None]:
    """Turn whatever a bad file raises into a ValueError that says what to do."""
    try:
        with _IMAGE_WARNINGS:
            yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise ValueError(f"{path}: more than {limit} pixels. Scale the image down") from error
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file. Add it") from error
    except UnidentifiedImageError as error:
        names = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise ValueError(f"{path}: not an image in {names} format. Replace it by one") from error
    except Exception as error:  # Pillow raises many types on damaged files
        if isinstance(error, MemoryError) or str(error).startswith(f"{path}: "):
            raise
        reason = f"damaged, cut short or not readable ({error})"
        raise ValueError(f"{path}: {reason}. Fetch or save it again") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip at 255
        levels = np.asarray(image).astype(np.int64).clip(0, 65535) // 257
        image = Image.fromarray(levels.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
