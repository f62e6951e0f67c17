#!/usr/bin/env bash
# Sets up what is needed, once, and then runs all notebooks. ./run_all.sh --help tells the rest.
#
# Python and packages come from, in this order: the active virtual environment or conda
# environment (what is missing is installed into it), Kaggle's or Colab's own Python (likewise), a
# python3 that has every package, or else a .venv beside this file, made here.
set -euo pipefail

unset CDPATH # with which cd prints where it goes
# An outer launcher's (torchrun, a pod): every process here is one of its own.
unset RANK WORLD_SIZE LOCAL_RANK MASTER_ADDR MASTER_PORT

script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do # such as a link in ~/bin
  link=$(readlink "$script")
  case $link in /*) script=$link ;; *) script=$(dirname "$script")/$link ;; esac
done
here=$(cd -- "$(dirname -- "$script")" && pwd -P)
venv=$here/.venv
unfinished=$venv/.unfinished # while it is being made: by which process
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}" # see imet_utils
[ -t 1 ] || export TQDM_MININTERVAL="${TQDM_MININTERVAL:-10}" # seconds: a log shows every line

say() { printf 'run_all.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local name
  for name in python3.12 python3.11 python3.13 python3.14 python3 python; do
    if command -v "$name" >/dev/null && is_recent "$name"; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 or later is needed, and none is on the PATH. python.org, your package manager" \
    "or conda has it; start run_all.sh again after that."
}

# Prints the lines of requirements files that the Python $1 lacks; of tests, too, if $2 is dev.
missing_packages() {
  local files=("$here/requirements.txt")
  [ "$2" = run ] || files+=("$here/tests/requirements.txt")
  "$1" - "${files[@]}" <<'EOF'
import sys
from importlib.metadata import version
from pathlib import Path

for line in "\n".join(Path(name).read_text() for name in sys.argv[1:]).split():
    try:
        from packaging.requirements import Requirement

        wanted = Requirement(line)
        there = wanted.specifier.contains(version(wanted.name), prereleases=True)
    except Exception:  # the package is not there or damaged, or not even packaging is there
        there = False
    if not there:
        print(line)
EOF
}

# Installs into the environment of the Python $1, whatever pip's own settings say.
pip_install() (
  unset PIP_TARGET PIP_PREFIX PIP_ROOT
  PIP_USER=0 "$1" -m pip install -qq --disable-pip-version-check "${@:2}"
)

# Installs what the Python $1 lacks for mode $2 into its own environment, and this project there,
# so that notebooks which are not started from here find it.
complete() {
  local packages
  packages=$(missing_packages "$1" "$2") ||
    die "$1 could not say which packages it has; its message is above."
  if [ -n "$packages" ]; then
    say "installing into the environment of $1: ${packages//$'\n'/ }"
    if ! pip_install "$1" -r /dev/stdin <<<"$packages"; then
      say "the installation failed; pip's message is above. Is there a network?"
      return 2
    fi
  fi
  if ! PYTHONPATH='' "$1" -P -c 'import imet_utils' 2>/dev/null; then
    say "installing this project into the environment of $1"
    pip_install "$1" --no-deps -e "$here" ||
      say "only notebooks started by run_all.sh will find imet_utils; pip's message is above."
  fi
}

# Makes .venv where there is none, and brings it up to date for mode $1. Only one of ours whose first
# set-up was interrupted is removed.
make_venv() {
  local process='' base code=0
  if [ -e "$unfinished" ]; then read -r process <"$unfinished" || :; fi
  if [ -n "$process" ] && [ "$process" != $$ ] && kill -0 "$process" 2>/dev/null; then
    die "another set-up is at work (process $process); start again when it is done."
  elif [ -O "$unfinished" ]; then
    say "removing a .venv whose set-up was interrupted"
    rm -rf "$venv"
  elif [ -e "$venv" ] && { [ -e "$unfinished" ] || ! is_recent "$venv/bin/python"; }; then
    die "$venv has no Python 3.11 or later that you may run. If nobody needs it, delete it."
  fi
  if [ ! -e "$venv" ]; then
    say "installing the packages into .venv; this takes some minutes the first time"
    base=$(find_python)
    mkdir "$venv"
    echo $$ >"$unfinished"
    "$base" -m venv "$venv" ||
      die "$base could not make a virtual environment (on Debian: apt install python3-venv)."
  fi
  complete "$venv/bin/python" "$1" || code=$?
  rm -f "$unfinished" # pip ended by itself, so what it installed is whole, also where it failed
  return $code
}

# Sets $python to an interpreter that has the packages for mode $1 (run or dev).
set_up() {
  local active=${VIRTUAL_ENV:-} missing
  trap 'say "interrupted; start again to finish the set-up"; exit 130' INT TERM # pip would hide it
  if [ -z "$active" ] && [ "${CONDA_DEFAULT_ENV:-base}" != base ]; then
    active=${CONDA_PREFIX:-}
  elif [ -z "$active" ] && { [ -d /kaggle/working ] || [ -n "${COLAB_RELEASE_TAG:-}" ]; }; then
    active=$(python3 -c 'import sys; print(sys.prefix)')
  fi
  if [ -n "$active" ] && ! [ "$active" -ef "$venv" ] && [ -x "$active/bin/python3" ]; then
    python=$active/bin/python3
    is_recent "$python" || die "the active environment $active has a Python before 3.11."
    complete "$python" "$1"
  elif [ ! -e "$venv" ] && command -v python3 >/dev/null && is_recent python3 &&
    missing=$(missing_packages python3 "$1") && [ -z "$missing" ]; then
    python=$(command -v python3)
  else
    make_venv "$1"
    python=$venv/bin/python
    export VIRTUAL_ENV=$venv PATH="$venv/bin:$PATH"
  fi
  trap - INT TERM
  export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"
}

# Starts a module of imet_tools with arguments; Ctrl-C is handled while it imports packages, too.
start() {
  set_up run
  exec "$python" -P -m imet_tools.command "imet_tools.$1" "${@:2}"
}

case ${1:-} in
  test)
    set_up dev
    cd "$here"
    exec "$python" -m pytest -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder \
      "${@:2}"
    ;;
  lint)
    set_up dev
    cd "$here"
    "$python" -m ruff check
    "$python" -m ruff format --check
    "$python" -m nbstripout --keep-id --verify notebooks/*.ipynb
    exec "$python" -m mypy
    ;;
  lab)
    set_up run
    export JUPYTER_PREFER_ENV_PATH="${JUPYTER_PREFER_ENV_PATH:-1}" # else a user's python3 kernel wins
    cd "$here/notebooks"
    exec "$python" -P -m jupyterlab "${@:2}"
    ;;
  collect) start museums "${@:2}" ;;
  label | ensemble | export | correct | add) start labelling "$@" ;;
  kaggle) start kaggle "${@:2}" ;;
  gallery) start pipeline.gallery "${@:2}" ;;
  setup)
    case ${2:-run} in run | dev) set_up "${2:-run}" ;; *) die "setup takes nothing or dev." ;; esac
    say "ready: $python"
    ;;
  -h | --help) # needs no package, so no set-up
    python=$(find_python)
    PYTHONPATH=$here exec "$python" -m imet_tools.pipeline --help
    ;;
  *)
    set_up run
    exec "$python" -P -m imet_tools.pipeline "$@"
    ;;
esac
