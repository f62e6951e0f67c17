import numpy as np
import torch

from imet_utils.decoding import beam_search, predict, predict_splits, search_views
from imet_utils.features import FeatureBatches
from imet_utils.models import AttnCnnRnn, AttnDecoder, MlpClassifier

NUM_VIEWS, DIM, NUM_CLASSES = 3, 8, 4


def test_predict_uses_no_dropout_restores_the_mode_and_splits_are_written(float32, tmp_path):
    model = AttnDecoder(NUM_CLASSES, DIM, attn_dim=4, decoder_dim=4)
    maps = np.random.default_rng(0).normal(size=(5, NUM_VIEWS, 6, DIM)).astype(np.float16)
    probs = np.full((5, NUM_VIEWS, NUM_CLASSES), 0.5, np.float16)
    arrays = {"maps": maps, "probs": probs}
    model.train()
    found = predict(model, FeatureBatches(arrays, None, 4, "all", shuffle=False))
    assert model.training
    splits = predict_splits(model, {"val": arrays}, tmp_path)
    np.testing.assert_allclose(splits["val"], found, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.load(tmp_path / "probs_val.npy"), splits["val"])
    model.eval()
    with torch.no_grad():
        views = model(torch.from_numpy(maps[3]).float(), torch.full((NUM_VIEWS, NUM_CLASSES), 0.5))
    np.testing.assert_allclose(found[3], views.sigmoid().mean(dim=(0, 1)), atol=1e-6)


def test_search_views_finds_the_beams_of_each_view_in_the_order_of_the_store():
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
