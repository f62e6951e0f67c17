import re

import pytest
import torch

from imet_utils.decoding.beam_search import beam_search, greedy_decode
from imet_utils.models.decoder import AttnDecoder
from imet_utils.models.losses import order_free_loss, positive_weights

pytestmark = pytest.mark.usefixtures("own_random_state")


@pytest.fixture
def direct(load):
    return load("direct_decoder")


@pytest.fixture
def page(load, monkeypatch, tmp_path):
    module = load("page")
    monkeypatch.setattr(module, "PAGE", tmp_path / "README.md")
    return module


def make_case(direct, num_classes=11):
    """Both versions of a decoder over 3 x 3 positions; weights tripled, so that steps differ."""
    ours = AttnDecoder(num_classes, 6, attn_dim=5, decoder_dim=4, dropout=0.0).double().eval()
    with torch.no_grad():
        for weights in ours.parameters():
            weights.mul_(3)
    maps, probs = torch.rand(4, 9, 6).double(), torch.rand(4, num_classes).double()
    return ours, direct.DirectDecoder.from_decoder(ours), maps, probs


def sum_patches(attention):
    """Add up each 2 x 2 patch of a 6 x 6 map: (..., 36) to (..., 9)."""
    return attention.unflatten(-1, (3, 2, 3, 2)).sum((-1, -3)).flatten(-2)


@pytest.mark.parametrize("num_steps", [1, 5, 99])
def test_direct_decoder_gives_our_logits_and_attention(direct, num_steps):
    ours, other, maps, probs = make_case(direct)
    logits, attention = other(maps, probs, num_steps)
    wanted = ours(maps, probs, num_steps)
    torch.testing.assert_close(torch.stack(logits, dim=1), wanted, atol=1e-5, rtol=0)
    paths = greedy_decode(ours, maps, probs, num_steps)
    torch.testing.assert_close(sum_patches(torch.from_numpy(attention)), paths.attention[:, 0])


def test_direct_loss_has_our_value_and_gradients(direct):
    ours, other, maps, probs = make_case(direct)
    targets = (torch.rand(4, 11) < 0.3).double()
    weights = positive_weights(targets)
    loss = order_free_loss(ours(maps, probs, 5), targets, weights)
    direct_loss = direct.direct_loss(other(maps, probs, 5)[0], targets, weights)
    torch.testing.assert_close(direct_loss, loss)
    loss.backward()
    direct_loss.backward()
    wanted = {k.removeprefix("attention."): w.grad for k, w in ours.named_parameters()}
    for name, values in other.named_parameters():
        torch.testing.assert_close(values.grad, wanted[name])


@pytest.mark.parametrize(("beam_size", "max_steps"), [(1, 4), (3, 1), (5, 6), (4, 99)])
def test_direct_beam_search_finds_our_paths(direct, beam_size, max_steps):
    ours, other, maps, probs = make_case(direct)
    found = direct.direct_beam_search(other, maps, probs, beam_size, max_steps)
    wanted = beam_search(ours, maps, probs, beam_size, max_steps)
    assert torch.equal(found.labels, wanted.labels)
    torch.testing.assert_close(found.step_probs, wanted.step_probs)
    torch.testing.assert_close(found.path_probs, wanted.path_probs)
    torch.testing.assert_close(sum_patches(found.attention), wanted.attention)


def test_direct_beam_search_refuses_dropout(direct):
    _, other, maps, probs = make_case(direct)
    with pytest.raises(ValueError, match="eval mode"):
        direct.direct_beam_search(other.train(), maps, probs)


def test_table_has_two_rows_a_float_type(load, monkeypatch):
    bench = load("bench_decoder")
    for name, size in {"BATCH": 2, "POSITIONS": 4, "CHANNELS": 8, "CLASSES": 12}.items():
        monkeypatch.setattr(bench, name, size)
    reference, *_ = bench.make_cases("cpu")
    training, search = bench.time_case(reference, reference, rounds=1)
    assert training[:3] == ("training step", "CPU", "float32")
    assert search[:3] == ("beam search", "CPU", "float32")
    assert float(training[-1].removeprefix("logits ")) < 1e-5
    assert search[-1].startswith("100.0% of labels equal")


def test_write_section_makes_the_page_with_its_introduction(page):
    page.write_section("decoder", "a table")
    text = page.PAGE.read_text()
    assert text.startswith("# Benchmarks\n")
    assert text.endswith("<!-- decoder:begin -->\n\na table\n\n<!-- decoder:end -->\n")


def test_write_section_replaces_only_its_own_section(page):
    page.write_section("decoder", "old")
    page.write_section("hog", "other")
    page.PAGE.write_text(page.PAGE.read_text() + "\nLast words.\n")
    before = page.PAGE.read_text()
    page.write_section("decoder", "new")
    assert page.PAGE.read_text() == before.replace("old", "new")
    page.write_section("decoder", "new")
    assert page.PAGE.read_text() == before.replace("old", "new")
    assert [path.name for path in page.PAGE.parent.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("name", "text"), [("a b", "text"), ("", "text"), ("hog", "<!-- hog:end -->")]
)
def test_write_section_refuses_what_it_could_not_find_again(page, name, text):
    with pytest.raises(ValueError, match="plain name"):
        page.write_section(name, text)


def test_write_section_refuses_a_section_without_its_end(page):
    page.PAGE.write_text("<!-- hog:begin -->\n")
    with pytest.raises(ValueError, match="without"):
        page.write_section("hog", "text")
    assert page.PAGE.read_text() == "<!-- hog:begin -->\n"


def test_describe_machine_names_torch_threads_and_date(page):
    text = page.describe_machine()
    assert f"torch {torch.__version__}" in text
    assert re.search(r"\d+ thread\(s\), .*\d{4}-\d\d-\d\d$", text)
