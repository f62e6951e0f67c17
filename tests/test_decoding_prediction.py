import numpy as np
import pytest
import torch

from imet_utils.decoding import beam_search, predict, predict_splits, search_views
from imet_utils.features import FeatureBatches
from imet_utils.models import AttnCnnRnn, AttnDecoder, LinearClassifier, MlpClassifier

NUM_VIEWS, DIM, NUM_CLASSES = 3, 8, 4


@pytest.fixture
def pooled():
    return np.random.default_rng(0).normal(size=(10, NUM_VIEWS, DIM)).astype(np.float16)


def test_predict_uses_no_dropout_and_restores_the_mode():
    model = AttnDecoder(NUM_CLASSES, DIM, attn_dim=4, decoder_dim=4)
    maps = np.random.default_rng(0).normal(size=(5, NUM_VIEWS, 6, DIM)).astype(np.float16)
    probs = np.full((5, NUM_VIEWS, NUM_CLASSES), 0.5, np.float16)
    batches = FeatureBatches({"maps": maps, "probs": probs}, None, 4, "all", shuffle=False)
    model.train()
    probs_of_views, probs_of_images = predict(model, batches)
    assert model.training
    assert probs_of_views.shape == (5, NUM_VIEWS, NUM_CLASSES)
    np.testing.assert_array_equal(predict(model, batches).probs, probs_of_images)
    np.testing.assert_allclose(probs_of_images, probs_of_views.mean(axis=1), rtol=1e-6)
    model.eval()
    with torch.no_grad():
        one = model(torch.from_numpy(maps[3, 1:2]).float(), torch.full((1, NUM_CLASSES), 0.5))
    # The head computes in bfloat16 where the device is fast at it.
    np.testing.assert_allclose(probs_of_views[3, 1], one.sigmoid().mean(dim=1)[0], atol=0.02)


def test_an_image_has_the_mean_probability_of_its_views(pooled):
    model = LinearClassifier(DIM, NUM_CLASSES)
    batches = FeatureBatches({"pooled": pooled}, None, 4, "all", shuffle=False)
    with torch.no_grad():
        logits = model(torch.from_numpy(pooled).flatten(0, 1).float()).unflatten(0, (10, NUM_VIEWS))
    found = predict(model, batches)
    np.testing.assert_allclose(found.probs, logits.sigmoid().mean(dim=1), atol=5e-3)
    np.testing.assert_allclose(found.view_probs, logits.sigmoid(), atol=5e-3)


def test_predict_splits_writes_what_it_returns(pooled, tmp_path):
    model = LinearClassifier(DIM, NUM_CLASSES)
    probs = predict_splits(model, {"val": {"pooled": pooled}}, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "probs_val.npy"), probs["val"])
    wanted = torch.sigmoid(model(torch.from_numpy(pooled).flatten(0, 1).float()))
    wanted = wanted.detach().unflatten(0, (10, NUM_VIEWS)).mean(dim=1)
    np.testing.assert_allclose(probs["val"], wanted, atol=5e-3)


def test_search_views_finds_the_beams_of_each_view_in_the_order_of_the_store():
    torch.manual_seed(0)
    decoder = AttnDecoder(NUM_CLASSES, DIM, attn_dim=4, decoder_dim=4, residual=True)
    model = AttnCnnRnn(MlpClassifier({"pooled": DIM}, NUM_CLASSES, hidden_dim=5), decoder)
    maps, pooled = torch.randn(5, 2, 6, DIM).half(), torch.randn(5, 2, DIM).half()
    arrays = {"maps": maps.numpy(), "pooled": pooled.numpy()}
    batches = FeatureBatches(arrays, None, 3, "all", shuffle=False)
    model.train()
    paths = search_views(model, batches, beam_size=3, max_steps=4)
    assert model.training
    assert paths.labels.shape == (10, 3, NUM_CLASSES)
    model.eval()
    with torch.no_grad():
        inputs = model.decoder_inputs(maps[3, 1:2].float(), pooled=pooled[3, 1:2].float())
        alone = beam_search(decoder, *inputs, beam_size=3, max_steps=4)
    torch.testing.assert_close(paths.labels[7], alone.labels[0])
    torch.testing.assert_close(paths.path_probs[7], alone.path_probs[0])
