"""Multi-label classification of museum objects: HOG, visual attention and an order-free RNN."""

import os

__version__ = "0.1.0"

# OpenMP's idle threads spin for a while, which slows two trainings side by side twentyfold. It
# reads this when torch is loaded, so it must be set before; a user's own choice stands.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
