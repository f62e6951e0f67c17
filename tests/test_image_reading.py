"""What is read of faulty files is in `test_bad_inputs.py`."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from imet_utils.image_reading import measure_image, read_image


def noise(width, height):
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_measured_is_the_size_of_what_is_read(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise(50, 20).save(tmp_path / f"a.{suffix}", exif=exif)
    assert measure_image(tmp_path / f"a.{suffix}") == read_image(tmp_path / f"a.{suffix}").size


def test_measuring_fails_on_every_part_of_a_file_that_reading_fails_on(tmp_path):
    path = tmp_path / "a.jpg"
    for progressive in (False, True):
        noise(90, 70).save(path, progressive=progressive)
        whole = path.read_bytes()
        for length in range(0, len(whole), 97):
            path.write_bytes(whole[:length])
            for read in (read_image, measure_image):
                with pytest.raises(ValueError, match=r"a\.jpg: "):
                    read(path)


def test_too_little_memory_is_no_fault_of_the_image(tmp_path, monkeypatch):
    noise(9, 9).save(tmp_path / "a.png")

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    noise(9, 9).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(ValueError, match=r"a\.png: .*Permission denied"):
        read_image(tmp_path / "a.png")


def test_filters_of_warnings_are_as_before_when_threads_have_read(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (400, 400)).save(path)
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read_image, [path] * 100))
    assert list(warnings.filters) == before
