"""Build what Kaggle needs to run this project without a network: `./run_all.sh kaggle USER`.

Two folders for the `kaggle` client. The *dataset* has the notebooks and wheels, all pure Python so
that they fit any version of it: of this project, the default encoder's weights and the packages
that Kaggle's image lacks. The *kernels* are one for each notebook, which starts from the output of
the one before it, and one that runs them all. No package of the image is replaced.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import distribution, version
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from packaging.requirements import Requirement
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from imet_tools.command import run_command
from imet_tools.pipeline.parameters import Plan, find_profile, make_plan
from imet_utils.files import atomic_folder, save_json
from imet_utils.runs import PROJECT_DIR, home_dir

COMPETITION = "imet-2019-fgvc6"
BUNDLE = "imet-utils-bundle"  # the slug of the dataset
MACHINE = "NvidiaTeslaT4"
RUN_ALL = "run_all"
SOURCES = ("LICENSE", "pyproject.toml", "requirements.txt", "tests/requirements.txt")
PACKAGES = ("imet_utils", "imet_tools")
# Packages of Kaggle's image: as pinned in its own requirements (September 2025), else in Colab's
# list, on which it is built (June 2026); torch as in its version 170 (June 2026).
IMAGE = {
    "torch": "2.10.0",
    "torchvision": "0.25.0",
    "timm": "1.0.27",
    "safetensors": "0.7.0",
    "scikit-image": "0.25.2",
    "scikit-learn": "1.6.1",
    "pandas": "2.2.2",
    "numpy": "2.0.2",
    "pillow": "11.3.0",
    "matplotlib": "3.10.0",
    "seaborn": "0.12.2",
    "nbconvert": "6.4.5",
    "scipy": "1.16.3",
    "accelerate": "1.13.0",
    "ipywidgets": "8.1.5",
    "tqdm": "4.67.3",
    "psutil": "5.9.5",
    "filelock": "3.29.0",
    "requests": "2.32.4",
    "jinja2": "3.1.6",
}
LEFT_OUT = {"jupyterlab"}  # a kernel has its front end already
WITH = {"nbconvert": ["mistune"]}  # dependencies that may be too old there

INSTALL = f'''\
# Installs this project from the dataset {BUNDLE}, without a network, beside Kaggle's packages.
import os, subprocess, sys
from pathlib import Path

FOLDERS = ("*", "datasets/*/*", "notebooks/*/*")  # where Kaggle puts inputs: before 2026, and since
inputs = {{path.name: path for pattern in FOLDERS for path in Path("/kaggle/input").glob(pattern)}}
bundle, packages = inputs["{BUNDLE}"], "/tmp/imet_packages"
pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade"]
subprocess.run([*pip, "--target", packages, *bundle.glob("*.whl")], check=True)
sys.path.insert(0, packages)
os.environ["PYTHONPATH"] = os.pathsep.join([packages, os.environ.get("PYTHONPATH", "")])'''
CONTINUE = """\


# Starts from the output of the notebook before this one.
if not Path("/kaggle/working/outputs").exists():
    left = inputs["{before}"] / "outputs"
    subprocess.run(["cp", "-r", "--no-preserve=mode", left, "/kaggle/working"], check=True)"""
RUN = """\
profiles = Path("/tmp/imet/notebooks/profiles")
profiles.mkdir(parents=True, exist_ok=True)
subprocess.run(["cp", *bundle.glob("*.ipynb"), profiles.parent], check=True)
subprocess.run(["cp", *bundle.glob("*.yaml"), profiles], check=True)
command = [sys.executable, "-m", "imet_tools.pipeline", *{arguments}]
subprocess.run(command, cwd="/tmp/imet", check=True)"""
SUBMIT = """\
# Kaggle takes a submission from here.
import shutil

if Path("/kaggle/working/outputs/submission.csv").exists():
    shutil.copy("/kaggle/working/outputs/submission.csv", "/kaggle/working")"""


def main(arguments: Sequence[str]) -> int:
    """Build both folders; return the exit code: 0 built, 2 refused or failed."""
    parser = argparse.ArgumentParser(prog="run_all.sh kaggle", description=__doc__)
    add = parser.add_argument
    add("user", metavar="USER", help="your name on Kaggle, as in the address of your profile")
    add("--output", metavar="DIR", help="of both folders (default: outputs/kaggle)")
    add("--profile", metavar="NAME", default="kaggle", help="of the runs there (default: kaggle)")
    many, pair = "set a parameter; may be repeated", ("NAME", "VALUE")
    add("-p", dest="set", nargs=2, action="append", default=[], metavar=pair, help=many)
    args = parser.parse_args(arguments)
    folder = Path(args.output) if args.output else home_dir() / "outputs" / "kaggle"
    try:
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", args.user):
            raise ValueError(f"{args.user!r} is no user name: see your profile's address")
        plan = make_plan(home_dir() / "notebooks", None, None, args.profile, dict(args.set))
        dataset, kernels = folder / "dataset", folder / "kernels"
        for own in (dataset, kernels):
            if own.exists() and any(own.iterdir()) and not any(own.rglob("*-metadata.json")):
                raise ValueError(f"{own} holds other files: choose another folder with --output")
        build_dataset(args.user, dataset, plan)
        build_kernels(args.user, kernels, plan, args.set)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 2
    size = sum(path.stat().st_size for path in (folder / "dataset").iterdir())
    sys.stdout.write(
        f"{folder}: a dataset of {size / 1e6:.0f} MB, and the kernels. Then:\n"
        f"  kaggle datasets create -p {folder}/dataset\n"
        f"  kaggle kernels push -p {folder}/kernels/{RUN_ALL}\n"
    )
    return 0


def build_dataset(user: str, folder: Path, plan: Plan) -> None:
    """Write wheels, notebooks, profile and metadata into one folder: subfolders are left out."""
    requirements = (PROJECT_DIR / "requirements.txt").read_text(encoding="utf-8").splitlines()
    with atomic_folder(folder) as whole:
        fetch_wheels(find_lacking(requirements), whole)
        build_wheel(whole)
        profile = profile_of(plan)
        for path in plan.notebooks.values():
            copy(path, whole)
        copy(profile, whole / f"{profile.stem}.yaml")
        metadata = {
            "title": "iMet utils bundle",
            "id": f"{user}/{BUNDLE}",
            "description": "Wheels for kernels without a network; each has its own licence.",
            "licenses": [{"name": "other"}],
        }
        save_json(metadata, whole / "dataset-metadata.json")


def find_lacking(requirements: Iterable[str]) -> list[str]:
    """List the required packages that Kaggle's image lacks or has in another version."""
    lacking = []
    for wanted in map(Requirement, requirements):
        found = IMAGE.get(wanted.name)
        if wanted.name not in LEFT_OUT and not (found and wanted.specifier.contains(found)):
            lacking += [wanted.name, *WITH.get(wanted.name, [])]
    return lacking


def fetch_wheels(names: Sequence[str], folder: Path) -> None:
    """Download the wheels of packages in the versions installed here; refuse compiled ones."""
    for name in names:
        if "Root-Is-Purelib: true" not in (distribution(name).read_text("WHEEL") or ""):
            raise ValueError(
                f"{name} is compiled, so its wheel would fit one version of Python only. Lower its "
                f"bound in requirements.txt: Kaggle's image has {IMAGE.get(name, 'none')}"
            )
    wanted = [f"{name}=={version(name)}" for name in names]
    run_pip("download", "--only-binary=:all:", "--dest", str(folder), *wanted)


def build_wheel(folder: Path) -> None:
    """Build this project's wheel from a copy, since setuptools leaves files behind."""
    with TemporaryDirectory(prefix="imet_wheel_") as place:
        for name in SOURCES:
            Path(place, name).parent.mkdir(exist_ok=True)
            copy(PROJECT_DIR / name, Path(place, name))
        for name in PACKAGES:
            copytree(PROJECT_DIR / name, Path(place, name), ignore=ignore_patterns("__pycache__"))
        run_pip("wheel", "--wheel-dir", str(folder), place)


def run_pip(command: str, *arguments: str) -> None:
    """Run pip without dependencies; raise ValueError with its last lines if it fails."""
    start = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", command]
    result = subprocess.run([*start, "--no-deps", *arguments], capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr or result.stdout).strip().splitlines()[-3:]
        raise ValueError(f"pip {command} failed; is there a network? {' '.join(last)}")


def build_kernels(user: str, folder: Path, plan: Plan, overrides: Iterable[Sequence[str]]) -> None:
    """Write a folder for each notebook, and one for a kernel that runs them all.

    `overrides` are names and values of parameters that are set beside the profile.
    """
    with atomic_folder(folder) as whole:
        before: list[str] = []
        for stem, path in plan.notebooks.items():
            notebook = parameterize_notebook(load_notebook_node(str(path)), plan.values[stem])
            install = INSTALL + "".join(CONTINUE.format(before=slug) for slug in before)
            notebook.cells.insert(0, new_code_cell(install, id="kaggle-first"))
            notebook.cells.append(new_code_cell(SUBMIT, id="kaggle-last"))
            write_kernel(user, whole / stem, notebook, before)
            before = [slug_of(stem)]
        arguments = ["--profile", profile_of(plan).stem]
        arguments += [part for name, value in overrides for part in ("-p", name, value)]
        sources = [INSTALL, RUN.format(arguments=arguments), SUBMIT]
        cells = [new_code_cell(source, id=f"kaggle-{n}") for n, source in enumerate(sources)]
        run_all = new_notebook(metadata=notebook.metadata, cells=cells)
        write_kernel(user, whole / RUN_ALL, run_all, [])


def profile_of(plan: Plan) -> Path:
    """Return the file of the profile that a plan's values are from."""
    return find_profile(str(plan.profile), home_dir() / "notebooks/profiles")


def slug_of(stem: str) -> str:
    """Name a kernel, such as `imet-04-train-baseline`; Kaggle makes the slug from the title."""
    return f"imet-{stem.replace('_', '-')}"


def write_kernel(user: str, folder: Path, notebook: NotebookNode, before: Sequence[str]) -> None:
    """Write a notebook and its metadata; `before` are the kernels whose output it reads."""
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{folder.name}.ipynb")
    slug = slug_of(folder.name)
    metadata = {
        "id": f"{user}/{slug}",
        "title": slug.replace("-", " "),
        "code_file": f"{folder.name}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_internet": False,
        "machine_shape": MACHINE,
        "dataset_sources": [f"{user}/{BUNDLE}"],
        "competition_sources": [COMPETITION],
        "kernel_sources": [f"{user}/{slug}" for slug in before],
        "model_sources": [],
    }
    save_json(metadata, folder / "kernel-metadata.json")


if __name__ == "__main__":
    run_command(main, "nothing was written.")
