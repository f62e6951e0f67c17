import pytest
import torch
from torch import nn

from imet_utils.standardise import Standardise, calibrate


class Head(nn.Module):
    """Two inputs, of which one has positions."""

    def __init__(self):
        super().__init__()
        self.maps = Standardise(3)
        self.pooled = Standardise(2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps, pooled):
        return self.dropout(self.maps(maps)).sum() + self.pooled(pooled).sum()


def make_batches(sizes=(5, 1, 4), shift=1000.0):
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "maps": shift + torch.randn(size, 6, 3, generator=generator),
            "pooled": 7 * torch.randn(size, 2, generator=generator),
        }
        for size in sizes
    ]


def test_statistics_are_those_of_all_rows_whatever_the_batches():
    head, batches = Head(), make_batches()
    calibrate(head, batches)
    for name, dim in (("maps", 3), ("pooled", 2)):
        rows = torch.cat([batch[name].reshape(-1, dim) for batch in batches]).double()
        part = getattr(head, name)
        torch.testing.assert_close(part.mean, rows.mean(dim=0).float())
        torch.testing.assert_close(part.std, rows.std(dim=0, correction=0).float())
        standard = part(rows)
        torch.testing.assert_close(standard.mean(dim=0), torch.zeros(dim), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            standard.std(dim=0, correction=0), torch.ones(dim), atol=1e-3, rtol=0
        )


def test_a_channel_that_never_changes_stays_small():
    head = Head()
    calibrate(head, [{"maps": torch.full((2, 6, 3), 5.0), "pooled": torch.ones(2, 2)}])
    assert torch.equal(head.maps(torch.full((1, 3), 5.0)), torch.zeros(1, 3))


@pytest.mark.parametrize("training", [True, False])
def test_calibration_leaves_mode_and_hooks_as_they_were(training):
    head = Head().train(training)
    calibrate(head, make_batches())
    assert head.training == training
    before = head.maps.mean.clone()
    head(**make_batches(shift=-5.0)[0])
    assert torch.equal(head.maps.mean, before)


def test_statistics_are_saved_with_the_weights():
    head, other = Head(), Head()
    calibrate(head, make_batches())
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.maps.std, head.maps.std)


def test_a_model_without_standardisation_is_not_even_run():
    calibrate(nn.Linear(2, 2), [{"no": torch.ones(1), "such": torch.ones(1)}])
