"""Time the order-free RNN of `imet_utils` against the same net written as its description reads.

    python benchmarks/bench_decoder.py [--rounds 5] [--page]

A training step is forward, loss, backward, clipping and AdamW, with dropout. Both versions have
the same weights and optimizer, in float32. The last column compares their outputs in evaluation.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from direct_decoder import DirectDecoder, direct_beam_search, direct_loss
from page import clock_of, find_devices, format_table, make_parser, publish, time_in_turns
from torch import Tensor

from imet_utils.decoding import Paths, beam_search
from imet_utils.models import AttnDecoder, order_free_loss, positive_weights

BATCH, POSITIONS, CHANNELS, CLASSES, LABELS_PER_IMAGE = 32, 49, 2048, 1103, 3


@dataclass(frozen=True)
class Case:
    """A decoder and what it is given, on one device."""

    ours: AttnDecoder
    direct: DirectDecoder
    maps: Tensor
    probs: Tensor
    targets: Tensor


def make_case(device: torch.device) -> Case:
    """Draw weights and inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = AttnDecoder(CLASSES, CHANNELS).eval()
        maps, probs = torch.rand(BATCH, POSITIONS, CHANNELS), torch.rand(BATCH, CLASSES)
        labels = torch.rand(BATCH, CLASSES).topk(LABELS_PER_IMAGE).indices
    targets = torch.zeros(BATCH, CLASSES).scatter(1, labels, 1.0)
    inputs = [values.to(device) for values in (maps, probs, targets)]
    return Case(ours.to(device), DirectDecoder.from_decoder(ours), *inputs)


def training_step(case: Case, model: AttnDecoder) -> Callable[[], None]:
    """Make a function that takes one training step on a copy of the model, dropout on."""
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=1e-5, fused=True)
    pos_weight = positive_weights(case.targets)

    def step() -> None:
        outputs = model(case.maps, case.probs)
        if isinstance(model, DirectDecoder):
            loss = direct_loss(outputs[0], case.targets, pos_weight)
        else:
            loss = order_free_loss(outputs, case.targets, pos_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def search(case: Case, model: AttnDecoder) -> Paths:
    """Run the beam search of either version."""
    function = direct_beam_search if isinstance(model, DirectDecoder) else beam_search
    return function(model, case.maps, case.probs)


@torch.no_grad()
def compare_logits(case: Case) -> str:
    """Compare the logits of both versions."""
    wanted = torch.stack(case.direct(case.maps, case.probs)[0], dim=1)  # (B, T, C)
    return f"logits {(case.ours(case.maps, case.probs) - wanted).abs().max():.0e}"


def compare_paths(case: Case) -> str:
    """Compare the beams of both versions."""
    paths, wanted = search(case, case.ours).cpu(), search(case, case.direct)
    same = (paths.labels == wanted.labels).double().mean()
    error = (paths.path_probs - wanted.path_probs).abs().max()
    return f"{same:.1%} of labels equal, path probabilities {error:.0e}"


def time_case(device: torch.device, rounds: int) -> list[tuple[str, ...]]:
    """Make the table's rows of a device."""
    case, rows = make_case(device), []
    models = {"direct": case.direct, "ours": case.ours}
    for task, way, compare in (
        ("training step", training_step, compare_logits),
        ("beam search", lambda *given: partial(search, *given), compare_paths),
    ):
        ways = {name: way(case, model) for name, model in models.items()}
        slow, fast = time_in_turns(ways, clock_of(device), rounds).values()
        times = (f"{1000 * slow:,.1f}", f"{1000 * fast:,.1f}", f"{slow / fast:.1f}")
        rows.append((task, device.type.upper(), *times, compare(case)))
    return rows


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "decoder")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head = ["Task", "Device", "Direct (ms)", "`imet_utils` (ms)", "Times faster"]
    head += ["Largest difference"]
    rows = [row for device in find_devices() for row in time_case(device, arguments.rounds)]
    publish(
        arguments.page,
        "Order-free RNN: training and beam search",
        f"{BATCH} images, {CLASSES:,} labels, {CHANNELS:,} channels, 7 x 7 positions, 10 steps, "
        "5 beams, attention and LSTM 512 wide. The direct version has the same weights, as first "
        "drawn, and is written as the description reads (`direct_decoder.py`). Processor time of "
        "one thread on the CPU, else time on the clock; medians of "
        f"{arguments.rounds} rounds in turns.",
        format_table(head, rows),
    )


if __name__ == "__main__":
    main()
