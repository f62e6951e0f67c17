from functools import partial
from itertools import groupby

import numpy as np
import pytest
import torch
from separable_data import DIM, NUM_CLASSES, NUM_IMAGES, make_data

from imet_utils.cross_fitting import cross_fit
from imet_utils.features import FeatureBatches
from imet_utils.losses import weighted_bce
from imet_utils.models import LinearClassifier
from imet_utils.training import TrainConfig


@pytest.fixture
def data():
    return make_data()


def _batches(data):
    return FeatureBatches(*data, batch_size=8)


FOLD_OF = np.arange(NUM_IMAGES) % 4


def test_cross_fit_predicts_each_image_with_a_head_that_has_not_seen_it(data):
    seen = []

    class Recorder(LinearClassifier):
        def forward(self, pooled):
            seen.append((self.training, {tuple(row) for row in pooled[:, :2].tolist()}))
            return super().forward(pooled)

    config = TrainConfig(epochs=2, learning_rate=0.05)
    build = partial(Recorder, DIM, NUM_CLASSES)
    probs = cross_fit(build, _batches(data), weighted_bce, config, FOLD_OF)
    assert probs.shape == (NUM_IMAGES, NUM_CLASSES)
    assert probs.dtype == np.float32
    folds = [
        (training, set().union(*(rows for _, rows in calls)))
        for training, calls in groupby(seen, key=lambda call: call[0])
    ]
    assert [training for training, _ in folds] == [True, False] * 4
    for fold, ((_, trained), (_, predicted)) in enumerate(
        zip(folds[::2], folds[1::2], strict=True)
    ):
        rows = data[0]["pooled"][fold == FOLD_OF, 0, :2]
        assert predicted == {tuple(row) for row in rows.tolist()}
        assert not trained & predicted
        assert len(trained | predicted) == NUM_IMAGES


def test_cross_fit_is_repeatable_and_learns_what_holds_for_new_images(data):
    targets = data[1][:, 0]
    config = TrainConfig(epochs=20, learning_rate=0.05)
    build = partial(LinearClassifier, DIM, NUM_CLASSES)
    probs = cross_fit(build, _batches(data), weighted_bce, config, FOLD_OF)
    assert ((probs > 0.5) == targets).mean() > 0.1 + max(targets.mean(), 1 - targets.mean())
    again = cross_fit(build, _batches(data), weighted_bce, config, FOLD_OF)
    np.testing.assert_array_equal(again, probs)


def test_cross_fit_predicts_the_held_out_views_where_they_are_given(data):
    """A head learns from the training views alone and averages the probabilities of the others."""
    heads = []

    def build():
        heads.append(LinearClassifier(DIM, NUM_CLASSES))
        return heads[-1]

    rng = np.random.default_rng(1)
    others = rng.normal(size=(NUM_IMAGES, 2, DIM)).astype(np.float16)  # another number of views
    held_out = FeatureBatches({"pooled": others}, None, 8, "all", shuffle=False)
    config = TrainConfig(epochs=2, learning_rate=0.05)
    probs = cross_fit(build, _batches(data), weighted_bce, config, FOLD_OF, held_out)
    weights = [head.fc.weight.detach().clone() for head in heads]
    for fold, head in enumerate(heads):
        with torch.no_grad():
            logits = head(torch.from_numpy(others[fold == FOLD_OF]).float().flatten(0, 1))
        wanted = logits.unflatten(0, (-1, 2)).sigmoid().mean(dim=1)
        # The head computes in bfloat16 where the device is fast at it.
        np.testing.assert_allclose(probs[fold == FOLD_OF], wanted, atol=0.02)
    heads.clear()
    plain = cross_fit(build, _batches(data), weighted_bce, config, FOLD_OF)
    assert all(torch.equal(head.fc.weight, own) for head, own in zip(heads, weights, strict=True))
    assert np.abs(plain - probs).max() > 0.1


@pytest.mark.parametrize("fold_of", [np.zeros(NUM_IMAGES, int), FOLD_OF[:-1], FOLD_OF[:, None]])
def test_cross_fit_refuses_folds_of_other_images_or_only_one(data, fold_of):
    build = partial(LinearClassifier, DIM, NUM_CLASSES)
    with pytest.raises(ValueError, match="at least two folds"):
        cross_fit(build, _batches(data), weighted_bce, TrainConfig(epochs=1), fold_of)
