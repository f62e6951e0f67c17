"""What suits a number of training images: the one place where settings follow the size.

A hidden layer of twice the width loses on 4,000 images and pays on 11,050. The nearest of many
images are nearer, so fewer of them should count: a temperature of 0.06 gains the mean of heads and
neighbours 0.006 on 11,050 and loses 0.005 on 1,000. The rest stays: a dropout of 0.8 gains 0.004 on
1,000 images and loses 0.014 on 11,050, one of 0.5 loses 0.026 on 4,000 and gains nothing on 11,050;
a wider LSTM and more steps have not won where they were tried. The poster's attention loses 0.011
and 0.006, and wins 0.009 on 11,050, but cannot say where each label is seen, so that ours stays
(`benchmarks/learning_curves.py`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    """Settings for collections up to a number of training images.

    Attributes:
        name: of the size.
        most: training images up to which it holds.
        measured: numbers of training images that it was chosen on.
        mlp: arguments of `MlpClassifier`, alone and as the AttnCNN-RNN's classifier.
        temperature: of the neighbours' votes, see `NeighbourIndex`.
    """

    name: str
    most: float
    measured: tuple[int, ...]
    mlp: Mapping[str, Any]
    temperature: float


SIZES = (
    Size("small", 6_500, (1_000, 4_000), {"hidden_dim": 1_024, "dropout": 0.7}, 0.1),
    Size("large", math.inf, (11_050,), {"hidden_dim": 2_048, "dropout": 0.7}, 0.06),
)


def choose_size(num_images: int) -> Size:
    """Choose the settings for a number of training images."""
    return next(size for size in SIZES if num_images <= size.most)


def describe_size(num_images: int) -> str:
    """Say which size a number of training images is, and how far from what was measured.

    >>> describe_size(1_436)
    '1,436 training images: small (chosen on 1,000 and 4,000)'
    """
    size = choose_size(num_images)
    measured = " and ".join(f"{number:,}" for number in size.measured)
    beyond = num_images / max(size.measured)
    far = f", {beyond:.0f} times fewer" if beyond >= 1.5 else ""
    return f"{num_images:,} training images: {size.name} (chosen on {measured}{far})"
