"""Set-up by `run_all.sh`, with a stand-in for Python that notes what is asked of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from imet_utils.runs import PROJECT_DIR

SCRIPT = PROJECT_DIR / "run_all.sh"

# Answers the version check, makes environments that hold a copy of itself, reports $MISSING as
# the packages that it lacks until they are installed, and writes every other call to $NOTES.
STAND_IN = """#!/bin/bash
case "$*" in
  "-c import sys; sys.exit"*) exit "${TOO_OLD:-0}" ;;
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "venv" >>"$NOTES" ;;
  "-P -c import imet_utils") exit "${WITHOUT_PROJECT:-0}" ;;
  "-m pip "*) [ "${PIP_USER:-0}${PIP_TARGET:-}" = 0 ] || exit 1 ;;& # as in an environment
  "-m pip "*" -r "*) echo "pip $(paste -sd ' ')" >>"$NOTES" ;;&
  "-m pip "*" -e "*) echo "pip ${*:6}" >>"$NOTES" ;;&
  "-m pip "*) sleep "${PIP_SECONDS:-0}"; [ -z "${PIP_FAILS:-}" ] || exit 1; : >"$0.$(<"$0.mode")" ;;
  "- "*) cat >/dev/null; echo $# >"$0.mode"
    [ -e "$0.$#" ] || printf '%s' "${MISSING:-}"; exit "${CHECK_FAILS:-0}" ;;
  *) echo "$0 $* in $PWD" >>"$NOTES"; echo "${GOMP_SPINCOUNT:-unset}" ${!RANK*} ${!MASTER_*} ;;
esac
"""
TOOLS = "bash cat cp dirname mkdir paste readlink rm sleep"


class Project:
    """A copy of the script beside the files that it reads, with only the stand-in to run."""

    def __init__(self, folder: Path):
        self.folder = folder / "my project"
        (self.folder / "tests").mkdir(parents=True)
        self.script = shutil.copy(SCRIPT, self.folder)
        self.notes = folder / "notes.txt"
        self.venv = self.folder / ".venv"
        tools = folder / "tools"
        tools.mkdir()
        for name in TOOLS.split():
            (tools / name).symlink_to(shutil.which(name))
        self.python = self.add_python(tools / "python3.12")
        self.environment = {"PATH": str(tools), "NOTES": str(self.notes), "MISSING": "torch"}

    @staticmethod
    def add_python(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN)
        path.chmod(0o755)
        return path

    def run(self, *arguments, cwd=None, **changes):
        """Start the script; return its result and what was asked of Python since the last start."""
        self.notes.write_text("")
        options = {"env": self.environment | changes, "cwd": cwd}
        options |= {"capture_output": True, "text": True}
        result = subprocess.run(["bash", self.script, *arguments], **options)
        return result, self.notes.read_text().splitlines()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_the_first_start_makes_an_environment_and_the_second_asks_for_nothing(project, tmp_path):
    options = ["--from", "06", "-p", "NAME", "an  urn", "--data", ""]
    result, asked = project.run(*options, cwd=tmp_path, WITHOUT_PROJECT="1")
    assert result.returncode == 0, result.stderr
    started = f"{project.venv}/bin/python -P -m imet_tools.pipeline {' '.join(options)}"
    project_too = f"pip --no-deps -e {project.folder}"
    assert asked == ["venv", "pip torch", project_too, f"{started} in {tmp_path}"]
    path = f"{project.venv}/bin:{project.environment['PATH']}"
    for environment in ({}, {"VIRTUAL_ENV": str(project.venv), "PATH": path}):
        result, asked = project.run(*options, cwd=tmp_path, **environment)
        assert asked == [f"{started} in {tmp_path}"]
        assert result.stderr == ""


def test_links_start_it_from_anywhere_and_a_cdpath_does_not_mislead(project, tmp_path):
    project.run("setup")
    (tmp_path / "relative").symlink_to("my project/run_all.sh")
    (tmp_path / "link").symlink_to(tmp_path / "relative")
    project.script = "link"
    result, asked = project.run(cwd=tmp_path, CDPATH=f".:{tmp_path}")
    assert asked == [f"{project.venv}/bin/python -P -m imet_tools.pipeline in {tmp_path}"]
    assert result.stderr == ""


def test_tests_bring_their_packages_and_run_in_the_project(project, tmp_path):
    project.run("setup")
    start = f"{project.venv}/bin/python -m"
    _, (packages, tests) = project.run("test", "-k", "hog", cwd=tmp_path)
    assert packages == "pip torch"
    assert re.fullmatch(rf"{start} pytest .* -k hog in {project.folder}", tests)
    _, asked = project.run("lint", cwd=tmp_path)
    checks = ["ruff check", "ruff format --check", "nbstripout --keep-id --verify", "mypy"]
    for line, check in zip(asked, checks, strict=True):
        assert line.startswith(f"{start} {check}")


@pytest.mark.parametrize(
    ("variables", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "unset")],
)
def test_jupyterlab_opens_on_the_notebooks_with_the_environment_of_a_run(project, variables, spins):
    (project.folder / "notebooks").mkdir()
    project.run("setup")
    launcher = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    variables = variables | dict.fromkeys(launcher, "0")  # its kernels are no ranks
    result, asked = project.run("lab", "--port", "8889", **variables)
    started = f"{project.venv}/bin/python -P -m jupyterlab --port 8889"
    assert asked == [f"{started} in {project.folder}/notebooks"]
    assert result.stdout.split() == [spins]


def test_a_failed_installation_is_told_and_the_environment_that_is_there_is_completed(project):
    result, asked = project.run(PIP_FAILS="1")
    assert "the installation failed" in result.stderr
    assert (result.returncode, len(asked)) == (2, 2)  # nothing ran after pip
    (project.venv / "kept").touch()
    asked = project.run("setup", WITHOUT_PROJECT="1")[1]
    assert asked == ["pip torch", f"pip --no-deps -e {project.folder}"]
    assert (project.venv / "kept").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_set_up_is_redone(project, number):
    project.notes.touch()
    process = subprocess.Popen(
        ["bash", project.script, "setup"],
        env=project.environment | {"PIP_SECONDS": "20"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while "pip" not in project.notes.read_text():
        assert process.poll() is None
    result, asked = project.run("setup")
    assert (result.returncode, asked) == (2, [])
    assert f"another set-up is at work (process {process.pid})" in result.stderr
    os.killpg(process.pid, number)  # as Ctrl-C does: the script and pip
    assert process.wait(timeout=10) != 0
    (project.venv / "half").touch()
    assert project.run("setup")[1][0] == "venv"
    assert not (project.venv / "half").exists()
    assert project.run("setup")[1] == []


def test_an_environment_whose_python_cannot_be_run_is_refused_and_not_deleted(project):
    """Such as that of another user."""
    project.add_python(project.venv / "bin/python").chmod(0o644)
    result, asked = project.run()
    assert (result.returncode, asked) == (2, [])
    assert "no Python 3.11 or later that you may run" in result.stderr
    assert (project.venv / "bin/python").exists()


@pytest.mark.parametrize("variables", [("VIRTUAL_ENV",), ("CONDA_PREFIX", "CONDA_DEFAULT_ENV")])
def test_into_an_active_environment_only_what_is_missing_is_installed(project, tmp_path, variables):
    python = project.add_python(tmp_path / "active/bin/python3")
    active = dict.fromkeys(variables, str(tmp_path / "active"))
    _, asked = project.run(**active, cwd=tmp_path, MISSING="torch>=2\ntqdm")
    started = f"{python} -P -m imet_tools.pipeline in {tmp_path}"
    assert asked == ["pip torch>=2 tqdm", started]
    assert not project.venv.exists()
    result, asked = project.run(**active, MISSING="", CHECK_FAILS="1")
    assert (result.returncode, asked) == (2, [])
    assert "could not say which packages it has" in result.stderr
    # whatever pip's own settings say, and a project that cannot be installed is used from here
    user = {"PIP_USER": "1", "PIP_TARGET": "/", "WITHOUT_PROJECT": "1", "PIP_FAILS": "1"}
    _, asked = project.run(**active, **user, cwd=tmp_path)
    assert asked == [f"pip --no-deps -e {project.folder}", started]


def test_a_python_with_every_package_is_used_and_conda_s_base_environment_is_not(project, tmp_path):
    python = project.add_python(project.python.with_name("python3"))
    _, asked = project.run(MISSING="", cwd=project.folder)
    assert asked == [f"{python} -P -m imet_tools.pipeline in {project.folder}"]
    assert not project.venv.exists()
    project.add_python(tmp_path / "conda/bin/python3")
    base = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "base"}
    # that a check fails is no sign that no package is missing
    assert project.run("setup", MISSING="", CHECK_FAILS="1", **base)[1][0] == "venv"


@pytest.mark.parametrize("folder", ["active", "nowhere"])
def test_an_old_python_is_refused(project, tmp_path, folder):
    project.add_python(tmp_path / "active/bin/python3")
    result, asked = project.run(VIRTUAL_ENV=str(tmp_path / folder), TOO_OLD="1")
    assert (result.returncode, asked) == (2, [])
    told = {"active": "has a Python before 3.11", "nowhere": "Python 3.11 or later is needed"}
    assert told[folder] in result.stderr
    assert not project.venv.exists()


def test_help_needs_no_set_up_and_other_commands_start_where_ctrl_c_is_handled(project):
    _, asked = project.run("--help", cwd=project.folder)
    assert asked == [f"{project.python} -m imet_tools.pipeline --help in {project.folder}"]
    project.run("setup")
    modules = {"label": "labelling label", "collect": "museums", "kaggle": "kaggle"}
    for command, module in modules.items():
        (started,) = project.run(command, "a.jpg")[1]
        wanted = f"-P -m imet_tools.command imet_tools.{module} a.jpg in "
        assert started.startswith(f"{project.venv}/bin/python {wanted}")
    (project.venv / "bin/python").write_text(STAND_IN.replace('in $PWD" >>"$NOTES"', '"; exit 7'))
    assert project.run("--from", "06")[0].returncode == 7


@pytest.mark.slow
def test_a_real_python_finds_what_is_missing_and_refuses_a_parameter(project, tmp_path):
    """In an active environment of this very Python, in which pip only notes what it is asked."""
    pip = f'[ "$2" != pip ] || {{ cat >>{tmp_path}/pip.txt; exit; }}'
    python = project.add_python(tmp_path / "active/bin/python3")
    python.write_text(f'#!/bin/bash\n{pip}\nexec {sys.executable} "$@"\n')
    (tmp_path / "damaged-1.0.dist-info").mkdir()  # without the file of its version
    active = {"VIRTUAL_ENV": str(tmp_path / "active"), "PATH": os.environ["PATH"]}
    active["PYTHONPATH"] = str(tmp_path)
    required = "pytest>=8\nPyTest<8\nno-such-package==1.0\n\nnumpy\ndamaged>=1\n"
    (project.folder / "requirements.txt").write_text(required)
    (project.folder / "tests/requirements.txt").write_text("ruff\nno-such-tool\n")
    for mode in ("run", "dev"):
        assert project.run("setup", mode, **active)[0].returncode == 0
    wanted = "PyTest<8\nno-such-package==1.0\ndamaged>=1\n"
    assert (tmp_path / "pip.txt").read_text() == wanted + wanted + "no-such-tool\n"
    project.script = SCRIPT
    result, _ = project.run("-p", "EPOCH", "3", cwd=tmp_path, **active)
    assert result.returncode == 2
    assert "No notebook declares EPOCH. Did you mean EPOCHS" in result.stderr
    result, _ = project.run("lab", "--version", **active)
    assert result.stdout == version("jupyterlab") + "\n", result.stderr
