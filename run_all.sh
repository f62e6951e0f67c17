#!/usr/bin/env bash
# Sets up what is needed, once, and then runs all notebooks. ./run_all.sh --help tells the rest.
#
# Python and packages come from, in this order: the active virtual environment or conda
# environment (what is missing is installed into it), Kaggle's or Colab's own Python (likewise), a
# python3 that has every package, or else a .venv beside this file, made here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
venv=$here/.venv
unfinished=$venv/.setting-up

say() { printf 'run_all.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local name
  for name in python3.12 python3.11 python3.13 python3.14 python3 python; do
    if command -v "$name" >/dev/null 2>&1 && is_recent "$name"; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 or later is needed, and none is on the PATH. python.org, your package manager" \
    "or conda has it; start run_all.sh again after that."
}

# Prints the requirements that the Python $1 lacks, one a line; with those for tests if $2 is dev.
missing_packages() {
  "$1" - "$here" "$2" <<'EOF'
import sys, tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

folder, mode = Path(sys.argv[1]), sys.argv[2]
lines = [line.split("#")[0].strip() for line in (folder / "requirements.txt").open()]
if mode == "dev":
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    lines += project["optional-dependencies"]["dev"]
try:
    from packaging.requirements import Requirement
except ImportError:  # nothing of ours can be there either
    sys.exit(print("\n".join(filter(None, lines))))
for requirement in map(Requirement, filter(None, lines)):
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        found = None
    if found is None or not requirement.specifier.contains(found, prereleases=True):
        print(requirement)
EOF
}

# Installs what the Python $1 lacks for mode $2 into its own environment.
complete() {
  local line list packages=()
  list=$(missing_packages "$1" "$2")
  [ -n "$list" ] || return 0
  while IFS= read -r line; do packages+=("$line"); done <<<"$list"
  say "installing into the active environment: ${packages[*]}"
  pip_install "$1" "${packages[@]}"
}

pip_install() {
  if ! "$1" -m pip install -qq --disable-pip-version-check "${@:2}"; then
    rm -f "$unfinished" # pip ended by itself, so what it installed is whole
    die "the installation failed; pip's message is above. Is there a network?"
  fi
}

# Makes .venv, or brings it up to date, unless a stamp says that it is as the files want it.
make_venv() {
  local mode=$1 hash
  hash=$( { cat "$here/requirements.txt" "$here/pyproject.toml"; printf %s "$here"; } | cksum)
  hash=${hash%% *}
  if [ -e "$unfinished" ] && kill -0 "$(cat "$unfinished")" 2>/dev/null; then
    die "another set-up is at work (process $(cat "$unfinished")); start again when it is done."
  elif [ -e "$unfinished" ] || ! is_recent "$venv/bin/python"; then
    new_venv
  elif [ -e "$venv/.ready-dev-$hash" ] || [ -e "$venv/.ready-$mode-$hash" ]; then
    return 0
  fi
  say "installing the packages into .venv; this takes some minutes the first time"
  trap 'say "interrupted; the next start sets up anew"; exit 130' INT TERM # pip would hide it
  echo $$ >"$unfinished"
  if [ "$mode" = dev ]; then
    pip_install "$venv/bin/python" -e "${here}[dev]"
  else
    pip_install "$venv/bin/python" -e "$here"
  fi
  rm -f "$unfinished" "$venv"/.ready-*
  : >"$venv/.ready-$mode-$hash"
  trap - INT TERM
}

# Makes an empty .venv, in the place of one that was made here and is unfinished or broken.
new_venv() {
  local base stamps
  base=$(find_python)
  if [ -e "$venv" ]; then
    stamps=$(find "$venv" -maxdepth 1 \( -name '.ready-*' -o -name .setting-up \))
    [ -n "$stamps" ] || die "$venv has no Python 3.11 or later; delete it and start again."
    say "removing a .venv whose set-up was interrupted or whose Python is gone"
    rm -rf "$venv"
  fi
  say "making .venv with $base"
  mkdir "$venv"
  echo $$ >"$unfinished"
  "$base" -m venv "$venv" ||
    die "$base could not make a virtual environment (on Debian: apt install python3-venv)."
}

# Sets $python to an interpreter that has the packages for mode $1 (run or dev).
set_up() {
  local active=${VIRTUAL_ENV:-}
  if [ -z "$active" ] && [ "${CONDA_DEFAULT_ENV:-base}" != base ]; then
    active=${CONDA_PREFIX:-}
  fi
  if [ -z "$active" ] && { [ -d /kaggle/working ] || [ -n "${COLAB_RELEASE_TAG:-}" ]; }; then
    active=$(python3 -c 'import sys; print(sys.prefix)')
  fi
  if [ -n "$active" ] && ! [ "$active" -ef "$venv" ] && [ -x "$active/bin/python3" ]; then
    python=$active/bin/python3
    is_recent "$python" || die "the active environment $active has a Python before 3.11."
    complete "$python" "$1"
  elif [ ! -e "$venv" ] && command -v python3 >/dev/null && is_recent python3 &&
    [ -z "$(missing_packages python3 "$1")" ]; then
    python=$(command -v python3)
  else
    make_venv "$1"
    python=$venv/bin/python
    export VIRTUAL_ENV=$venv PATH="$venv/bin:$PATH"
  fi
  export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"
}

case ${1:-} in
  test)
    shift
    set_up dev
    cd "$here"
    exec "$python" -m pytest "$@"
    ;;
  lint)
    set_up dev
    cd "$here"
    "$python" -m ruff check
    "$python" -m ruff format --check
    exec "$python" -m nbstripout --keep-id --verify notebooks/*.ipynb
    ;;
  setup)
    case ${2:-run} in run | dev) set_up "${2:-run}" ;; *) die "setup takes nothing or dev." ;; esac
    say "ready: $python"
    ;;
  -h | --help)  # needs no package, so no set-up
    python=$(find_python)
    PYTHONPATH=$here exec "$python" -m imet_utils.pipeline --help
    ;;
  *)
    set_up run
    exec "$python" -P -m imet_utils.pipeline "$@"
    ;;
esac
