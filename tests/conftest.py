"""Shared by all tests."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from imet_utils.runs import PROJECT_DIR

# Tensors in tests are tiny: with more threads they spend their time waiting for one another.
torch.set_num_threads(1)

# The same examples on every run, however long one takes.
settings.register_profile(
    "same",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever looks at the run of all notebooks is slow; files with slow tests come first.

    So several processes are busy to the end, and none waits for that run before it must.
    """
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))
    looking = [item for item in items if "smoke" in getattr(item, "fixturenames", ())]
    for item in looking:
        item.add_marker(pytest.mark.slow)
    look = {item.path for item in looking}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    first = PROJECT_DIR / "tests/test_notebooks.py"
    items.sort(key=lambda item: (item.path != first, item.path not in slow, item.path in look))


@pytest.fixture(autouse=True)
def own_random_state():
    """Start each test from a seed, and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def float32(monkeypatch):
    """Let encoders and heads compute in full precision, so that results may be compared."""
    monkeypatch.setattr("imet_utils.encoders.encoder.autocast_dtype", lambda device: None)


@pytest.fixture(scope="module")
def browser():
    """Start Chromium; of a module, since other tests have an event loop of their own."""
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no browser is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


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
