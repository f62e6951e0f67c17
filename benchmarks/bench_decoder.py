"""Time the order-free RNN of `imet_utils` against the same net written as its description reads.

    python benchmarks/bench_decoder.py [--rounds 5] [--threads 1] [--page]

A training step is forward, loss, backward, clipping and AdamW, with dropout. Both versions have
the same weights and optimizer; the rows of short floats run both under autocast. The last column
compares our outputs in evaluation with the direct version's in float32.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from direct_decoder import DirectDecoder, direct_beam_search, direct_loss
from page import clock_of, find_devices, format_table, make_parser, publish, time_in_turns
from torch import Tensor

from imet_utils.decoding import Paths, beam_search
from imet_utils.encoders import autocast_dtype
from imet_utils.models import AttnDecoder, order_free_loss, positive_weights

BATCH, POSITIONS, CHANNELS, CLASSES, LABELS_PER_IMAGE = 32, 49, 2048, 1103, 3


@dataclass(frozen=True)
class Case:
    """A decoder and what it is given, on one device, in one float type."""

    ours: AttnDecoder
    direct: DirectDecoder
    maps: Tensor
    probs: Tensor
    targets: Tensor
    dtype: torch.dtype = torch.float32

    def autocast(self) -> torch.autocast:
        """Compute in the case's float type."""
        short = None if self.dtype == torch.float32 else self.dtype
        return torch.autocast(self.maps.device.type, short, enabled=short is not None)


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
        with case.autocast():
            outputs = model(case.maps, case.probs)
        if isinstance(model, DirectDecoder):
            logits = [values.float() for values in outputs[0]]
            loss = direct_loss(logits, case.targets, pos_weight)
        else:
            loss = order_free_loss(outputs.float(), case.targets, pos_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def search(case: Case, model: AttnDecoder) -> Paths:
    """Run the beam search of either version."""
    function = direct_beam_search if isinstance(model, DirectDecoder) else beam_search
    with case.autocast():
        return function(model, case.maps, case.probs)


@torch.no_grad()
def compare_logits(case: Case, reference: Case) -> str:
    """Compare our logits with those of the direct version of the reference case."""
    wanted = torch.stack(reference.direct(reference.maps, reference.probs)[0], dim=1)  # (B, T, C)
    with case.autocast():
        logits = case.ours(case.maps, case.probs)
    return f"logits {(logits - wanted).abs().max():.0e}"


def compare_paths(case: Case, reference: Case) -> str:
    """Compare our beams with those of the direct version of the reference case."""
    paths, wanted = search(case, case.ours).cpu(), search(reference, reference.direct)
    same = (paths.labels == wanted.labels).double().mean()
    error = (paths.path_probs - wanted.path_probs).abs().max()
    return f"{same:.1%} of labels equal, path probabilities {error:.0e}"


def time_cases(device: torch.device, rounds: int) -> list[tuple[str, ...]]:
    """Make the table's rows of a device: of float32, and of the short floats that it has."""
    reference, rows = make_case(device), []
    for dtype in dict.fromkeys([torch.float32, autocast_dtype(device) or torch.float32]):
        case = replace(reference, dtype=dtype)
        models = (case.direct, case.ours)
        steps = [training_step(case, model) for model in models]
        searches = [partial(search, case, model) for model in models]
        tasks = {"training step": (steps, compare_logits), "beam search": (searches, compare_paths)}
        for task, (versions, compare) in tasks.items():
            ways = dict(zip(("direct", "ours"), versions, strict=True))
            slow, fast = time_in_turns(ways, clock_of(device), rounds).values()
            times = (f"{1000 * slow:,.1f}", f"{1000 * fast:,.1f}", f"{slow / fast:.1f}")
            floats = str(dtype).removeprefix("torch.")
            rows.append((task, device.type.upper(), floats, *times, compare(case, reference)))
    return rows


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "decoder")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--threads", type=int, default=1, help="threads on the CPU")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    head = ["Task", "Device", "Floats", "Direct (ms)", "`imet_utils` (ms)", "Times faster"]
    head += ["Largest difference from direct, float32"]
    rows = [row for device in find_devices() for row in time_cases(device, arguments.rounds)]
    publish(
        arguments.page,
        "# Order-free RNN: training and beam search",
        "`python benchmarks/bench_decoder.py --page`",
        f"{BATCH} images, {CLASSES:,} labels, {CHANNELS:,} channels, 7 x 7 positions, 10 steps, "
        "5 beams, attention and LSTM 512 wide. The direct version has the same weights, as first "
        "drawn, and is written as the description reads (`direct_decoder.py`). Processor time of "
        "one thread on the CPU, else time on the clock; medians of "
        f"{arguments.rounds} rounds in turns.",
        format_table(head, rows),
    )


if __name__ == "__main__":
    main()
