"""A small data set that a linear head can learn."""

import numpy as np

NUM_IMAGES, NUM_VIEWS, DIM, NUM_CLASSES = 40, 3, 8, 4


def make_data():
    """Pooled features from which each label can be read off, and targets (N, V, C)."""
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(NUM_IMAGES, NUM_VIEWS, DIM)).astype(np.float16)
    pooled[:] = pooled[:, :1]
    targets = pooled[..., :NUM_CLASSES] > 0.3
    targets[..., 0] |= ~targets.any(axis=-1)
    return {"pooled": pooled}, targets
