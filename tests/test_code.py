"""The hash of the code that a result depends on."""

import os
import pickle
import shutil
import subprocess
import sys

import pytest
from joblib import wrap_non_picklable_objects

from imet_utils import code

EDITS = [  # of a file, and whether it counts for a module; of metrics, it imports `bootstrap_mean`
    ("imet_utils.features.store", "plots/style.py", False),
    ("imet_utils.features.store", "views.py", True),
    ("imet_utils.one", "metrics/pointing.py", False),
    ("imet_utils.one", "metrics/results.py", True),
]


def test_an_edit_counts_for_what_imports_it_and_not_for_its_neighbours(tmp_path, monkeypatch):
    package = shutil.copytree(code.ROOT / "imet_utils", tmp_path / "imet_utils")
    (package / "one.py").write_text("from imet_utils.metrics import bootstrap_mean\n")
    monkeypatch.setattr(code, "ROOT", tmp_path)
    for name in ("code_digest", "_imports", "_source"):  # which read a file once
        monkeypatch.setattr(code, name, getattr(code, name).__wrapped__)
    for module, edited, counts in EDITS:
        before = code.code_digest(module)
        with (package / edited).open("a") as file:
            file.write("\n# edited\n")
        assert (code.code_digest(module) != before) == counts, edited


READERS = """
from torch import nn

SCALE, SETTINGS, FUNCTIONS = 2.0, {"power": 1}, {"half": lambda values: values / 2}
KINDS = {"painting", "urn"}

def helper(values, *, shift=5, act=nn.functional.relu):
    return act(values * SCALE ** SETTINGS["power"] + FUNCTIONS["half"](shift) + len(KINDS))

class Head(nn.Module):
    bias = True

    def __init__(self, dims, num_classes):
        super().__init__()
        self.fc = nn.Linear(dims["pooled"], num_classes, bias=self.bias)

    def forward(self, pooled):
        return helper(self.fc(pooled))

    @staticmethod
    def unused(name):
        return name in {"men", "boats", "urns"}
"""

READERS_EDITS = [
    ("SCALE, SET", "# first\nSCALE, SET"),
    ("2.0", "3.0"),
    ("1}", "2}"),
    ("* SC", "+ SC"),
    ("bias = True", "bias = False"),
    ("urns", "vases"),
    ("/ 2", "/ 3"),
    ("shift=5", "shift=6"),
    ("relu", "silu"),
    ('"urn"}', '"jug"}'),
]


def make_head(source=READERS, module="__main__"):
    """Define the class as a cell does: it refers to itself by `super`, and to names around it."""
    names = {"__name__": module}
    exec(source, names)
    return names["Head"]


@pytest.mark.parametrize("edit", READERS_EDITS)
def test_a_readers_class_is_described_with_what_it_uses(edit):
    sources = (READERS, READERS, READERS.replace(*edit))
    first, again, edited = (code.describe_code(make_head(source)) for source in sources)
    assert first == again == code.describe_code(make_head(module="mine"))
    assert (edited == first) == edit[1].startswith("#")


@pytest.mark.parametrize("seed", "12")
def test_a_readers_class_is_described_alike_in_a_process_that_it_was_sent_to(tmp_path, seed):
    """In which sets of texts have another order, by the seed."""
    sent = wrap_non_picklable_objects((make_head(),), keep_wrapper=False)
    (tmp_path / "sent").write_bytes(pickle.dumps(sent))
    command = "import pathlib, pickle, sys; from imet_utils.code import describe_code; "
    command += "print(describe_code(*pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())))"
    arguments = [sys.executable, "-c", command, str(tmp_path / "sent")]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    described = subprocess.check_output(arguments, text=True, cwd=code.ROOT, env=environment)
    assert described.strip() == str(code.describe_code(make_head()))
