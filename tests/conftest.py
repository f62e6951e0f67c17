"""Shared by all tests."""

import importlib
import os
import shutil
import subprocess
import sys

import pytest
import torch
from filelock import FileLock

from imet_utils.runs import PROJECT_DIR

# Tensors in tests are tiny: with more threads they spend their time waiting for one another.
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever looks at the shared run of all notebooks is slow."""
    for item in items:
        if "smoke" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


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
    """Run all notebooks once for all workers, in a process of its own; no test writes there."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    output_dir, console = shared / "smoke", shared / "smoke.txt"
    with FileLock(shared / "smoke.lock"):
        if not console.exists():
            command = [sys.executable, "-m", "imet_tools.pipeline", "--profile", "smoke"]
            command += ["--output", str(output_dir)]
            options = {"cwd": PROJECT_DIR, "capture_output": True, "text": True, "timeout": 900}
            result = subprocess.run(command, **options)
            assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
            console.write_text(result.stdout)
    return output_dir, console.read_text()
