import re
from dataclasses import replace
from functools import partial

import cross_validate
import decision_rules as rules
import heads
import numpy as np
import pytest
import stores
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score
from small_data import DIM, NUM_CLASSES, NUM_IMAGES, make_data, write_collection

from imet_utils.encoders import encode_images
from imet_utils.features import FeatureBatches
from imet_utils.metrics import sample_scores
from imet_utils.models import LinearClassifier, weighted_bce
from imet_utils.tables import load_tables
from imet_utils.training import TrainConfig, cross_fit

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


def draw_store(names):
    """Make arrays of features, as many as there are images in `tables`."""
    random = np.random.default_rng(0)
    arrays = {name: random.random((12, 6, 5), dtype=np.float32) for name in names}
    return lambda *_: (arrays, arrays)


def test_every_row_has_a_head_that_its_loss_can_train_and_one_name():
    listed = flatten(cross_validate.list_rows(TARGETS))
    rows = dict(listed)
    assert all(rows[name].config == row.config for name, row in listed)
    assert all(rows[name].inputs == row.inputs for name, row in listed)
    votes = [name for name, row in rows.items() if row.build is None]
    others = [f"{heads.NEIGHBOURS}, {kind}" for kind in stores.installed_others()]
    assert votes == [cross_validate.TEXTURED, heads.NEIGHBOURS, *others]
    assert stores.LITE0_288 in stores.installed_others()
    for _, weights in flatten(cross_validate.list_means()):
        assert weights.keys() <= rows.keys()
        assert sum(weights.values()) == pytest.approx(1)
    for name in rows.keys() - votes:
        row = rows[name]
        inputs = {
            key: torch.rand((4, 9, DIMS[key]) if key == "maps" else (4, DIMS[key]))
            for key in row.inputs
            if key != "images"
        }
        if row.store == stores.PIXELS:
            inputs["images"] = torch.randint(256, (4, 3, 64, 64)).to(torch.uint8)
        model = row.build({key: DIMS.get(key, 64) for key in row.inputs}, 7)
        row.loss(model(**inputs), torch.from_numpy(TARGETS[:4])).backward()
        trained = [w for w in model.parameters() if w.requires_grad]
        assert all(w.grad.abs().sum() > 0 for w in trained), name


def test_predictions_are_kept_and_those_of_another_collection_refused(
    tables, tmp_path, monkeypatch
):
    monkeypatch.setattr(stores, "open_store", draw_store(["pooled"]))
    mlp = cross_validate.list_rows(tables.targets)["Heads"]["MLP on pooled features"]
    rows = {"a row": replace(mlp, config=replace(heads.STRONG, epochs=2))}
    given = (tables, np.arange(12) % 3, tmp_path)
    first = cross_validate.predict_rows(rows, *given)["a row"]
    assert first.shape == (12, 5)
    assert first.std(axis=0).min() > 0
    monkeypatch.delattr(cross_validate, "cross_predict")
    assert (cross_validate.predict_rows(rows, *given)["a row"] == first).all()
    np.save(tmp_path / "a row.npy", first[:, 1:])
    with pytest.raises(ValueError, match="is of another collection"):
        cross_validate.predict_rows(rows, *given)


def test_the_command_prints_a_table_of_the_rows_asked_for(tables, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stores, "open_store", draw_store(["pooled", "style"]))
    folders = ["--data", str(tables.data_dir), "--work", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["cross_validate", *folders, "--only", "linear"])
    cross_validate.main()
    printed = capsys.readouterr().out
    assert re.search(r"\| linear † \| 0\.\d{3} \|", printed)
    assert re.search(r"\| nearest neighbours \| 0\.\d{3} \|", printed)


def test_means_are_made_where_all_members_are_there():
    probs = {"MLP": np.array([[0.0, 1.0]]), heads.NEIGHBOURS: np.array([[1.0, 1.0]])}
    assert cross_validate.add_means(probs).keys() == {*probs, "MLP, with neighbours"}
    found = cross_validate.add_means(probs | {"AttnCNN-RNN": np.array([[0.5, 0.0]])})
    np.testing.assert_allclose(found["MLP and AttnCNN-RNN"], [[0.25, 0.5]])
    np.testing.assert_allclose(found["AttnCNN-RNN, with neighbours"], [[0.65, 0.3]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PADDED", "TEXTURE", "LITE0_288"])
def test_stores_hold_what_their_encoder_makes_of_their_views(tables, tmp_path, kind):
    kind = getattr(stores, kind)
    number, size = stores.OTHERS.get(kind, (0, 224))
    encoder = stores.build_lite(number, size)
    train, held_out = stores.open_store(tables, tmp_path, kind)
    places = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("features/*/*")}
    assert places == {f"features/{part}/{kind}" for part in stores.VIEWS}
    assert train.keys() == held_out.keys() == {"pooled", "style"}
    views = stores.make_dataset(tables, kind, train=False)[3]  # (V, 3, H, W)
    assert views.shape[2:] == (size, size)
    for name, wanted in encode_images(encoder, views, outputs=("pooled", "style")).items():
        found = held_out[name][3, :, : wanted.shape[1]]
        np.testing.assert_allclose(found, wanted, atol=0.05)
    if kind == stores.TEXTURE:
        assert held_out["style"].shape[2] == encoder.style_dim + 64 * 65 // 2


@pytest.mark.slow
def test_an_encoder_is_unfrozen_on_the_images_themselves(tables):
    rows = dict(flatten(cross_validate.list_rows(tables.targets)))
    row = rows[f"{cross_validate.SHORT_MLP}, two stages of the encoder unfrozen"]
    row = replace(row, config=replace(cross_validate.SHORT, epochs=1))
    train, held_out = stores.open_store(tables, "none", row.store)
    probs = heads.cross_predict(row, train, held_out, tables.targets, np.arange(12) % 2)
    assert probs.shape == (12, 5)
    assert probs.std(axis=0).min() > 0


def draw(num_images=40, num_classes=6, seed=0, levels=100, dtype=np.float32):
    """Probabilities that lie on the cuts, where rounding would show, and targets."""
    rng = np.random.default_rng(seed)
    probs = (rng.integers(0, levels + 1, (num_images, num_classes)) / levels) ** 2
    probs = np.round(probs * levels) / levels
    return probs.astype(dtype), rng.random(probs.shape) < probs


def first_best(candidates, score):
    """Take the first candidate of the highest score, equal but for rounding."""
    scores = np.array([score(candidate) for candidate in candidates])
    return candidates[int(np.argmax(scores >= scores.max() - 1e-12))]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_thresholds_and_shares_are_the_best_of_all(monkeypatch, dtype):
    probs, targets = draw(dtype=dtype)
    probs[0] = 0
    is_culture = np.array([0, 1, 1, 0, 0, 1], dtype=bool)
    by_threshold, relative = rules.decide_by_threshold, rules.relative_to_highest(probs)
    monkeypatch.setattr(rules, "CUTS", rules.CUTS[4::12])
    pairs = [np.where(is_culture, *dtype([a, b])) for a in rules.CUTS for b in rules.CUTS]
    decided = {
        "one threshold": [by_threshold(probs, cut) for cut in rules.CUTS],
        "share of the highest": [by_threshold(relative, cut) for cut in rules.CUTS],
        "culture and tag thresholds": [by_threshold(probs, pair) for pair in pairs],
    }
    for name, sets in decided.items():
        wanted = first_best(sets, lambda preds: sample_scores(preds, targets)["f2"])
        decide = rules.RULES[name](probs, targets, is_culture)
        np.testing.assert_array_equal(decide(probs), wanted)


@settings(max_examples=12)
@given(st.integers(1, 20), st.sampled_from([2, 5, 100]), st.integers(0, 10_000))
def test_class_thresholds_have_the_best_f2_of_each_class(images, levels, seed):
    probs, targets = draw(images, num_classes=3, seed=seed, levels=levels)
    own, shrunk = (
        rules.fit_class_thresholds(probs, targets, None, shrinkage).keywords["threshold"]
        for shrinkage in (0.0, 3.0)
    )
    for prob, target, value in zip(probs.T, targets.T, own, strict=True):
        if target.any():
            best = max(fbeta_score(target, prob >= cut, beta=2) for cut in prob)
            assert fbeta_score(target, prob >= value, beta=2) == pytest.approx(best)
    positives, shared = targets.sum(axis=0), rules.best_threshold(probs, targets, rules.CUTS)
    np.testing.assert_allclose(shrunk, (positives * own + 3 * shared) / (positives + 3))


@pytest.mark.parametrize("rule", rules.RULES)
def test_every_rule_is_fitted_to_other_images_and_gives_each_image_a_label(monkeypatch, rule):
    monkeypatch.setattr(rules, "CUTS", rules.CUTS[4::12])
    probs, targets = draw(levels=20)
    probs[0] = 0
    is_culture, part_of = np.arange(6) < 2, np.arange(len(probs)) % 3
    preds = rules.decide_unseen(rule, probs, targets, is_culture, part_of)
    assert preds.dtype == bool
    assert preds.any(axis=1).all()
    for part in range(3):
        mine = part == part_of
        decide = rules.RULES[rule](probs[~mine], targets[~mine], is_culture)
        alone = np.concatenate([decide(row[None]) for row in probs[mine]])
        np.testing.assert_array_equal(preds[mine], alone)


@pytest.fixture
def data():
    return make_data()


def test_each_image_is_predicted_in_its_own_views_by_a_head_that_has_not_seen_it(data):
    """A head learns from the training views alone and averages the probabilities of the others."""
    built, seen = [], []

    class Recorder(LinearClassifier):
        def forward(self, pooled):
            if self.training:
                seen[-1] |= {tuple(row) for row in pooled[:, :2].tolist()}
            return super().forward(pooled)

    def build():
        built.append(Recorder(DIM, NUM_CLASSES))
        seen.append(set())
        return built[-1]

    config = TrainConfig(epochs=2, learning_rate=0.05)
    found = cross_fit(build, FeatureBatches(*data, batch_size=8), weighted_bce, config, FOLD_OF)
    rows, learned = data[0]["pooled"][:, 0, :2], [frozenset(found) for found in seen]
    for fold, (head, known) in enumerate(zip(built, learned, strict=True)):
        assert known == {tuple(row) for row in rows[fold != FOLD_OF].tolist()}
        views = torch.from_numpy(data[0]["pooled"][fold == FOLD_OF]).float()  # (n, V, E)
        with torch.no_grad():
            wanted = head(views.flatten(0, 1)).unflatten(0, views.shape[:2]).sigmoid().mean(dim=1)
        # The head computes in bfloat16 where the device is fast at it.
        np.testing.assert_allclose(found[fold == FOLD_OF], wanted, atol=0.02)


@pytest.mark.parametrize("fold_of", [np.zeros(NUM_IMAGES, int), FOLD_OF[:-1], FOLD_OF[:, None]])
def test_cross_fit_refuses_folds_of_other_images_or_only_one(data, fold_of):
    build, batches = partial(LinearClassifier, DIM, NUM_CLASSES), FeatureBatches(*data)
    with pytest.raises(ValueError, match=r"wanted (a fold of each|at least two folds)"):
        cross_fit(build, batches, weighted_bce, TrainConfig(epochs=1), fold_of)
