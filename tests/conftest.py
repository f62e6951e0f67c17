"""Shared by all tests."""

import importlib
import shutil
import subprocess
import sys

import pytest
import torch

from imet_utils.runs import PROJECT_DIR

# Tensors in tests are tiny: with more threads they spend their time waiting for one another.
torch.set_num_threads(1)


@pytest.fixture
def own_random_state():
    """Start from a seed, and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def load(monkeypatch):
    """Import a module of `benchmarks`, which is no package."""
    monkeypatch.syspath_prepend(PROJECT_DIR / "benchmarks")
    return importlib.import_module


@pytest.fixture(scope="module")
def module_path(request, tmp_path_factory):
    """A folder for what the tests of a module share, removed after the last of them."""
    folder = tmp_path_factory.mktemp(request.module.__name__)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """Run all notebooks once, in a process of their own and from another folder."""
    output_dir = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "imet_tools.pipeline", "--profile", "smoke"]
    command += ["--output", str(output_dir)]
    result = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    return output_dir, result.stdout
