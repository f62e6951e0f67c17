from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils.encoders import build_encoder, encode_images
from imet_utils.tables import load_tables
from imet_utils.views import channel_stats

pytestmark = pytest.mark.usefixtures("own_random_state")

DIMS = {"maps": 6, "pooled": 5, "style": 4, "hog": 8}
TARGETS = np.random.default_rng(0).random((12, 7)) < 0.4


@pytest.fixture
def heads(load):
    return load("heads")


@pytest.fixture
def stores(load):
    return load("stores")


@pytest.fixture
def cross_validate(load):
    return load("cross_validate")


@pytest.fixture
def tables(tmp_path):
    """A collection of twelve images of noise, 30 by 60 pixels, with labels of their own."""
    folder, random = tmp_path / "data", np.random.default_rng(0)
    (folder / "train").mkdir(parents=True)
    lines = ["id,attribute_ids"]
    for number in range(12):
        pixels = random.integers(0, 255, (60, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "train" / f"{number}.png")
        lines.append(f"{number},{number % 3} {3 + number % 2}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    names = ["culture::a", "culture::b", "culture::c", "tag::d", "tag::e"]
    labels = [f"{number},{name}" for number, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["attribute_id,attribute_name", *labels]) + "\n")
    return load_tables(folder)


def flatten(listed):
    return [(name, row) for rows in listed.values() for name, row in rows.items()]


def test_every_row_has_a_head_that_its_loss_can_train(heads, stores):
    rows = dict(flatten(heads.list_rows(TARGETS)))
    assert len(rows) > 20
    for name, row in rows.items():
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


def test_rows_of_a_name_are_the_same_and_means_are_of_rows(heads):
    listed = flatten(heads.list_rows(TARGETS))
    settings = {}
    for name, row in listed:
        same = (row.inputs, row.config, row.store, row.views, row.rule)
        assert settings.setdefault(name, same) == same
    for _, weights in flatten(heads.list_means()):
        assert weights.keys() <= {*settings, heads.NEIGHBOURS}
        assert sum(weights.values()) == pytest.approx(1)


def test_one_epoch_of_all_views_has_the_steps_of_six_of_one(heads):
    assert 6 * heads.ALL_VIEWS.epochs == pytest.approx(heads.STRONG.epochs, abs=1)
    assert heads.TWICE_THE_STEPS.epochs == 2 * heads.ALL_VIEWS.epochs


def test_predictions_are_kept_and_those_of_another_collection_refused(
    cross_validate, heads, tables, tmp_path, monkeypatch
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
    with pytest.raises(ValueError, match=r"a row.npy has predictions \(12, 4\), the collection"):
        cross_validate.predict_rows(rows, *given)


def test_means_are_made_where_all_members_are_there(cross_validate, heads):
    probs = {"MLP": np.array([[0.0, 1.0]]), heads.NEIGHBOURS: np.array([[1.0, 1.0]])}
    assert cross_validate.add_means(probs).keys() == {*probs, "MLP, with neighbours"}
    found = cross_validate.add_means(probs | {"AttnCNN-RNN": np.array([[0.5, 0.0]])})
    np.testing.assert_allclose(found["MLP and AttnCNN-RNN"], [[0.25, 0.5]])
    np.testing.assert_allclose(found["AttnCNN-RNN, with neighbours"], [[0.65, 0.3]])


def test_chosen_rows_are_taken_and_unknown_ones_refused(cross_validate):
    rows = {"MLP": 1, "linear": 2}
    assert cross_validate.choose_rows(rows, None) == rows
    assert cross_validate.choose_rows(rows, ["linear"]) == {"linear": 2}
    with pytest.raises(ValueError, match=r"there are no rows \['CNN'\]; the rows are \['MLP', 'l"):
        cross_validate.choose_rows(rows, ["MLP", "CNN"])


def test_tables_compare_their_rows_with_the_first_by_the_rule_of_each(cross_validate):
    expected, threshold = np.array([0.5, 0.7]), np.array([0.25, 0.45])
    scores = {
        name: {"expected F2": expected, "one threshold": threshold} for name in ("MLP", "linear")
    }
    titles = {"Heads": ["MLP", "none", "linear"], "Means": ["none"]}
    text = cross_validate.describe_scores(titles, scores, {"linear": "one threshold"})
    assert "Means" not in text
    assert text.startswith("Heads:\n\n| | F2 | 95 % interval | difference to MLP |\n")
    assert "| MLP | 0.600 | 0.500 to 0.700 |  |" in text
    assert "| linear † | 0.350 | 0.250 to 0.450 | -0.250 (-0.250 to -0.250) |" in text


def test_a_store_of_padded_images_lies_beside_the_usual_one(stores, tables, tmp_path):
    train, held_out = stores.open_store(tables, tmp_path, stores.PADDED)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "train, padded", "eval, padded"}
    assert train.keys() == held_out.keys() == {"pooled", "style"}
    encoder = build_encoder("efficientnet_lite0")
    views = stores.make_dataset(tables, stores.PADDED, train=False)[3]  # (V, 3, H, W)
    pooled = encode_images(encoder, views)["pooled"]
    np.testing.assert_allclose(held_out["pooled"][3], pooled.numpy(), atol=0.02)


def test_an_encoder_is_thawed_on_the_images_themselves(cross_validate, heads, stores, tables):
    name, row = flatten(heads.list_rows(tables.targets))[-1]
    assert "thawed" in name
    row = replace(row, config=replace(heads.SHORT, epochs=1))
    train, held_out = stores.open_store(tables, "none", row.store)
    probs = cross_validate.cross_predict(row, train, held_out, tables.targets, np.arange(12) % 2)
    assert probs.shape == (12, 5)
    assert probs.std(axis=0).min() > 0


def test_images_are_normalised_by_the_collections_own_statistics(stores, tables):
    dataset = stores.make_dataset(tables, stores.OWN_STATISTICS, train=False)
    compute, made_by = stores.choose_features(stores.OWN_STATISTICS, dataset)
    mean, std = channel_stats(dataset)
    assert made_by["statistics"] == (mean.tolist(), std.tolist())
    encoder = build_encoder("efficientnet_lite0")
    wanted = encode_images(encoder, dataset[0], mean.tolist(), std.tolist())
    torch.testing.assert_close(compute(dataset[0])["pooled"], wanted["pooled"])
    _, usual = stores.choose_features(stores.PADDED, dataset)
    assert usual["statistics"] == (encoder.mean, encoder.std)
