import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils import views
from imet_utils.feature_batches import FeatureBatches
from imet_utils.view_arrays import ViewArray
from imet_utils.views import ViewDataset


@pytest.fixture
def dataset(tmp_path):
    """Five images of 40 pixels, three views each."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.png" for k in range(5)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    ids = [path.stem for path in paths]
    return ViewDataset(paths, ids, [True] * 5, train=True, size=32, num_views=3)


@pytest.fixture
def pixels(dataset):
    """All views, (N, V, 3, H, W)."""
    return np.stack([dataset[index].numpy() for index in range(5)])


def test_rows_are_the_views_of_the_data_set(dataset, pixels):
    array = ViewArray(dataset)
    assert array.shape == pixels.shape
    images, chosen = np.array([4, 0, 4, 2]), np.array([2, 1, 0, 2])
    np.testing.assert_array_equal(array[images, chosen], pixels[images, chosen])
    np.testing.assert_array_equal(array[(images,)], pixels[images])


def test_an_image_of_a_batch_is_decoded_once(dataset, monkeypatch):
    read = []
    monkeypatch.setattr(views, "read_image", lambda path: read.append(path) or Image.open(path))
    ViewArray(dataset)[np.array([3, 1, 3, 3]), np.array([0, 0, 2, 1])]
    assert read == [dataset.paths[1], dataset.paths[3]]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", ["random", "all", "each"])
def test_batches_read_images_as_they_would_an_array(dataset, pixels, num_workers, kind):
    stored = {"number": np.arange(15, dtype=np.float16).reshape(5, 3)}
    options = {"targets": None, "batch_size": 4, "views": kind, "seed": 1}
    streamed = {"images": ViewArray(dataset, num_workers), **stored}
    found = list(FeatureBatches(streamed, **options))
    wanted = list(FeatureBatches({"images": pixels, **stored}, **options))
    for batch, other in zip(found, wanted, strict=True):
        assert batch["images"].dtype == torch.uint8
        assert torch.equal(batch["images"], other["images"])
        assert torch.equal(batch["number"], other["number"])
