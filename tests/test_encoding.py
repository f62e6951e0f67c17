import numpy as np
import pytest
from PIL import Image

from imet_utils.encoders import build_encoder, encode_images
from imet_utils.encoding import choose_outputs, encode_datasets
from imet_utils.views import ViewDataset

ENCODER = "efficientnet_lite0"


@pytest.fixture
def datasets(tmp_path):
    """Three images of 64 pixels for training and one for validation, two views each."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    options = {"train": True, "size": 64, "num_views": 2}
    return {
        "train": ViewDataset(paths[:3], ["0", "1", "2"], [True] * 3, **options),
        "val": ViewDataset(paths[3:], ["3"], [False], **options),
    }


def test_maps_are_stored_only_if_all_of_them_fit(datasets):
    encoder = build_encoder(ENCODER, "none")
    size = 4 * 2 * (2 * 2 * 1280) * 2 / 1e9  # images, views, positions and channels, bytes
    assert choose_outputs(encoder, datasets, size) == ["maps", "pooled", "style"]
    assert choose_outputs(encoder, datasets, 0.99 * size) == ["pooled", "style"]


def test_stores_of_every_split_on_one_process_or_two(datasets, tmp_path):
    statistics = ([0.5, 0.4, 0.3], [0.2, 0.2, 0.2])
    settings = (ENCODER, "none", statistics)
    stores = encode_datasets(datasets, tmp_path / "one", *settings, num_workers=0)
    images = datasets["train"][1]
    wanted = encode_images(build_encoder(ENCODER, "none"), images, *statistics)
    for name, values in wanted.items():
        # The encoder computes in bfloat16 where the device is fast at it.
        np.testing.assert_allclose(stores["train"][name][1], values.float(), atol=0.02, rtol=0.05)
    again = encode_datasets(
        datasets, tmp_path / "two", *settings, cache_gb=0, num_workers=0, num_processes=2
    )
    assert set(again["val"]) == {"pooled", "style"}
    for split, arrays in again.items():
        for name, array in arrays.items():
            np.testing.assert_allclose(array, stores[split][name], atol=0.02, rtol=0.05)
