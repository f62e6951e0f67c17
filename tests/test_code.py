"""The hash of the code that a result depends on."""

import os
import pickle
import shutil
import subprocess
import sys

import pytest
from joblib import wrap_non_picklable_objects

from imet_utils import code


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the package that may be edited; what was read before is forgotten."""
    shutil.copytree(code.ROOT / "imet_utils", tmp_path / "imet_utils")
    monkeypatch.setattr(code, "ROOT", tmp_path)

    def digest(*modules):
        code.code_digest.cache_clear()
        code._imports.cache_clear()
        return code.code_digest(*modules)

    yield tmp_path / "imet_utils", digest
    code.code_digest.cache_clear()
    code._imports.cache_clear()


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("edited", "changes"),
    [("hog.py", False), ("views.py", True), ("files.py", True), ("plots/style.py", False)],
)
def test_an_edit_counts_where_the_module_is_imported(copied, edited, changes):
    package, digest = copied
    before = digest("imet_utils.features.store")
    edit(package / edited)
    assert (digest("imet_utils.features.store") != before) == changes


def test_a_neighbour_behind_the_same_door_does_not_count(copied):
    package, digest = copied
    (package / "one.py").write_text("from imet_utils.metrics import bootstrap_mean\n")
    before = digest("imet_utils.one")
    edit(package / "metrics/pointing.py")
    assert digest("imet_utils.one") == before
    edit(package / "metrics/results.py")
    assert digest("imet_utils.one") != before


def test_the_digest_is_that_of_a_set_of_modules_and_missing_ones_are_refused():
    names = ("imet_utils.hog", "imet_utils.progress")
    assert code.code_digest(*names) == code.code_digest(*reversed(names))
    assert code.code_digest(*names) != code.code_digest("imet_utils.hog")
    with pytest.raises(FileNotFoundError, match="no_such"):
        code.code_digest("imet_utils.no_such")


def test_a_readers_function_is_described_alike_in_every_process():
    """In which sets of texts have other orders."""
    source = "def is_known(name):\n    return name in {'men', 'boats', 'urns'}"
    command = "from imet_utils.code import describe_code; " + repr(source).join(("exec(", "); "))
    command += "print(describe_code(is_known))"
    said = set()
    for seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        said.add(subprocess.check_output([sys.executable, "-c", command], env=environment))
    assert len(said) == 1


READERS = """
from torch import nn

SCALE, SETTINGS = 2.0, {"power": 1}

def helper(values):
    return values * SCALE ** SETTINGS["power"]

class Head(nn.Module):
    bias = True

    def __init__(self, dims, num_classes):
        super().__init__()
        self.fc = nn.Linear(dims["pooled"], num_classes, bias=self.bias)

    def forward(self, pooled):
        return helper(self.fc(pooled))

    @staticmethod
    def unused():
        return 0
"""


EDITS = [("SCALE, SET", "# first\nSCALE, SET"), ("2.0", "3.0"), ("1}", "2}"), ("* SC", "+ SC")]
EDITS += [("bias = True", "bias = False"), ("return 0", "return 1")]


@pytest.mark.parametrize("edit", EDITS)
def test_a_readers_class_is_described_with_what_it_uses(edit):
    """In a cell: a class that calls `super` refers to itself, and its code to names around it."""
    assert READERS.replace(*edit) != READERS
    found = []
    for source in (READERS, READERS, READERS.replace(*edit)):
        names = {"__name__": "__main__"}
        exec(source, names)
        found.append(code.describe_code(names["Head"]))
    assert found[0] == found[1]
    assert (found[2] == found[0]) == edit[1].startswith("#")


def test_a_readers_class_is_described_alike_in_a_process_that_it_was_sent_to(tmp_path):
    names = {"__name__": "__main__"}
    exec(READERS, names)
    sent = wrap_non_picklable_objects((names["Head"],), keep_wrapper=False)
    (tmp_path / "sent").write_bytes(pickle.dumps(sent))
    command = "import pathlib, pickle, sys; from imet_utils.code import describe_code; "
    command += "print(describe_code(*pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())))"
    arguments = [sys.executable, "-c", command, str(tmp_path / "sent")]
    described = subprocess.check_output(arguments, text=True, cwd=code.ROOT)
    assert described.strip() == str(code.describe_code(names["Head"]))
