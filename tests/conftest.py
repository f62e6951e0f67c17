"""Shared by all tests."""

import torch

# Tensors in tests are tiny: with more threads they spend their time waiting for one another.
torch.set_num_threads(1)
