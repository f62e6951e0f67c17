"""The benchmarks of folds: their rows, heads, stores and losses."""

import math
import re
from functools import partial

import alternatives
import cross_validate
import heads
import numpy as np
import pytest
import stores
import torch
from small_data import DIM, NUM_CLASSES, NUM_IMAGES, make_data, write_collection

from imet_utils.decoding import predict
from imet_utils.encoders import encode_images
from imet_utils.features import FeatureBatches
from imet_utils.models import LinearClassifier, weighted_bce
from imet_utils.tables import load_tables
from imet_utils.training import TrainConfig, cross_fit, train_to_the_end

DIMS = {"maps": 6, "pooled": 5, "style": 4, "hog": 8}
TARGETS = np.random.default_rng(0).random((12, 7)) < 0.4
FOLD_OF = np.arange(NUM_IMAGES) % 4


@pytest.fixture
def tables(tmp_path):
    """A collection of twelve images of noise, 30 by 60 pixels, with labels of their own."""
    rows = {f"{number}": f"{number % 3} {3 + number % 2}" for number in range(12)}
    names = ["culture::a", "culture::b", "culture::c", "tag::d", "tag::e"]
    return load_tables(write_collection(tmp_path / "data", rows, names, (30, 60)))


def flatten(listed):
    return [(name, row) for rows in listed.values() for name, row in rows.items()]


def test_every_row_has_a_head_that_its_loss_can_train_and_one_name():
    listed = flatten(cross_validate.list_rows(TARGETS))
    rows = dict(listed)
    for name, row in listed:
        assert (row.config, row.inputs) == (rows[name].config, rows[name].inputs)
    votes = [name for name, row in rows.items() if row.build is None]
    others = [f"{heads.NEIGHBOURS}, {kind}" for kind in stores.installed_others()]
    assert votes == [cross_validate.TEXTURED, heads.NEIGHBOURS, *others]
    assert stores.LITE0_288 in stores.installed_others()
    for _, weights in flatten(cross_validate.list_means()):
        assert weights.keys() <= rows.keys()
        assert sum(weights.values()) == pytest.approx(1)
    for name in rows.keys() - votes:
        row = rows[name]
        inputs = {"images": torch.randint(256, (4, 3, 64, 64)).to(torch.uint8)}
        inputs |= {key: torch.rand(4, dim) for key, dim in DIMS.items()}
        inputs["maps"] = torch.rand(4, 9, DIMS["maps"])
        model = row.build({key: DIMS.get(key, 64) for key in row.inputs}, 7)
        logits = model(**{key: inputs[key] for key in row.inputs})
        row.loss(logits, torch.from_numpy(TARGETS[:4])).backward()
        trained = [w for w in model.parameters() if w.requires_grad]
        assert all(w.grad.abs().sum() > 0 for w in trained), name


def test_the_command_scores_and_keeps_the_rows_asked_for(tables, tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    arrays = {name: random.random((12, 6, 5), dtype=np.float32) for name in ("pooled", "style")}
    monkeypatch.setattr(stores, "open_store", lambda *_: (arrays, arrays))
    folders = ["--data", str(tables.data_dir), "--work", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["cross_validate", *folders, "--only", "linear"])
    cross_validate.main()
    printed = capsys.readouterr().out
    assert re.search(r"\| linear † \| 0\.\d{3} \|", printed)
    assert re.search(r"\| nearest neighbours \| 0\.\d{3} \|", printed)
    probs = np.load(tmp_path / "linear.npy")
    assert probs.shape == (12, 5)
    assert probs.std(axis=0).min() > 0
    monkeypatch.delattr(cross_validate, "cross_predict")
    cross_validate.main()
    assert capsys.readouterr().out in printed
    np.save(tmp_path / "linear.npy", probs[:, 1:])
    with pytest.raises(ValueError, match="is of another collection"):
        cross_validate.main()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PADDED", "TEXTURE", "LITE0_288"])
def test_stores_hold_what_their_encoder_makes_of_their_views(tables, tmp_path, kind):
    kind = getattr(stores, kind)
    number, size = stores.OTHERS.get(kind, (0, 224))
    encoder = stores.build_lite(number, size)
    train, held_out = stores.open_store(tables, tmp_path, kind)
    assert train.keys() == held_out.keys() == {"pooled", "style"}
    views = stores.make_dataset(tables, kind, train=False)[3]  # (V, 3, H, W)
    assert views.shape[2:] == (size, size)
    for name, wanted in encode_images(encoder, views, outputs=("pooled", "style")).items():
        found = held_out[name][3, :, : wanted.shape[1]]
        np.testing.assert_allclose(found, wanted, atol=0.05)
    if kind == stores.TEXTURE:
        assert held_out["style"].shape[2] == encoder.style_dim + 64 * 65 // 2


def test_each_image_is_predicted_by_a_head_that_has_learned_from_the_other_folds():
    build, config = partial(LinearClassifier, DIM, NUM_CLASSES), TrainConfig(2, 0.05)
    pooled, targets = make_data()

    def predict_all(targets):
        batches = FeatureBatches(pooled, targets, batch_size=8)
        return batches, cross_fit(build, batches, weighted_bce, config, FOLD_OF)

    batches, found = predict_all(targets)
    for fold in range(4):
        mine = fold == FOLD_OF
        images, others = np.flatnonzero(mine), np.flatnonzero(~mine)
        head = train_to_the_end(build, batches.of_images(others), weighted_bce, config)
        wanted = predict(head, batches.of_images(images, views="all", shuffle=False))
        np.testing.assert_array_equal(found[mine], wanted)
        _, lied = predict_all(np.where(mine[:, np.newaxis, np.newaxis], ~targets, targets))
        np.testing.assert_array_equal(lied[mine], found[mine])
        assert (lied[~mine] != found[~mine]).any(axis=1).all()


@pytest.mark.parametrize("fold_of", [np.zeros(NUM_IMAGES, int), FOLD_OF[:-1], FOLD_OF[:, None]])
def test_cross_fit_refuses_folds_of_other_images_or_only_one(fold_of):
    build, batches = partial(LinearClassifier, DIM, NUM_CLASSES), FeatureBatches(*make_data())
    with pytest.raises(ValueError, match=r"wanted (a fold of each|at least two folds)"):
        cross_fit(build, batches, weighted_bce, TrainConfig(epochs=1), fold_of)


def focal(p, y, alpha, gamma):
    p_t = p if y else 1 - p
    alpha_t = 1 if alpha is None else alpha if y else 1 - alpha
    return -alpha_t * (1 - p_t) ** gamma * math.log(p_t)


def asymmetric(p, y, gamma_neg, gamma_pos, clip):
    q = max(p - clip, 0)
    return -((1 - p) ** gamma_pos) * math.log(p) if y else -(q**gamma_neg) * math.log(1 - q)


def focal_margin(p):
    odds = p / (1 - p) * math.exp(-1)
    q = odds / (1 + odds)
    return -((1 - q) ** 2) * math.log(q)


def hill(p, y, peak):
    return focal_margin(p) if y else (peak - p) * p**2


def self_paced(p, y, trusted):
    return focal_margin(p) if y or p > trusted else -math.log(1 - p)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        *((focal, (alpha, gamma)) for alpha in (None, 0, 0.3, 1) for gamma in (0, 0.5, 2)),
        *((asymmetric, (neg, pos, 0.15)) for neg in (0, 0.5, 4) for pos in (0, 1)),
        *[(asymmetric, (4, 1, 0.0)), (hill, (1.5,)), (self_paced, (0.6,))],
    ],
)
def test_losses_equal_their_formulas(formula, options):
    logits = 2 * torch.randn(20, 5, dtype=torch.float64)
    targets = torch.rand(20, 5) < 0.5
    pairs = zip(logits.sigmoid().flatten().tolist(), targets.flatten().tolist(), strict=True)
    wanted = np.mean([formula(p, y, *options) for p, y in pairs])
    loss = getattr(alternatives, f"{formula.__name__}_loss")(logits, targets, *options)
    assert loss.item() == pytest.approx(wanted, rel=1e-9)
