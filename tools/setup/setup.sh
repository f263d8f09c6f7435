#!/usr/bin/env bash
# Makes the two tool folders that every build uses, from nothing but g++, make and Python:
#   .venv   Python environment with the pinned tools of requirements.txt
#   .cuda   NVIDIA's compiler and headers of requirements-cuda.txt, in .cuda/nvidia/cu13
# Each folder ends with a stamp that holds the checksum of what it was made from; a folder without its stamp is
# unfinished and is made again. A second run compares checksums only.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly kMinGxx=12
readonly kCudaFolder=.cuda/nvidia/cu13

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

PYTHON=${PYTHON:-python3}
CXX=${CXX:-g++}

check_compiler() {
  command -v "$CXX" >/dev/null || fail "no C++ compiler: '$CXX' was not found; install g++ $kMinGxx or newer (Debian, Ubuntu: apt-get install g++) or set CXX."
  local major
  major=$("$CXX" -dumpversion) || fail "'$CXX -dumpversion' does not run; b12x needs g++ $kMinGxx or newer."
  major=${major%%.*}
  [ "$major" -ge "$kMinGxx" ] || fail "'$CXX' is version $major, b12x needs g++ $kMinGxx or newer; set CXX to a newer one."
}

check_python() {
  command -v "$PYTHON" >/dev/null || fail "no Python: '$PYTHON' was not found; install Python 3.10 or newer or set PYTHON."
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "'$PYTHON' is $("$PYTHON" -V 2>&1), b12x needs Python 3.10 or newer; set PYTHON to a newer one."
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "'$PYTHON' lacks the venv module; install it (Debian, Ubuntu: apt-get install python3-venv)."
}

# doctest is one header, packaged by Debian only: taken with apt-get where this user may, named where not.
check_doctest() {
  echo '#include <doctest/doctest.h>' | "$CXX" -x c++ -E - >/dev/null 2>&1 && return
  say "doctest (header of the C++ tests) is missing: apt-get install doctest-dev"
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get install -y -qq doctest-dev || { apt-get update -qq && apt-get install -y -qq doctest-dev; }; } >/dev/null 2>&1 || true
  fi
  echo '#include <doctest/doctest.h>' | "$CXX" -x c++ -E - >/dev/null 2>&1 ||
    fail "the header doctest/doctest.h is missing and could not be installed; run 'sudo apt-get install doctest-dev'."
}

# One line per package and every error; pip's remarks on where it looked are dropped.
pip_install() {
  .venv/bin/python -m pip install --progress-bar off --disable-pip-version-check "$@" 2>&1 |
    awk '/^(Collecting|Processing) /{sub(".*/", "", $2); printf "setup:     %s\n", $2; fflush()} /^ERROR|^error|^  *(error|Error)/{print; fflush()}'
}

checksum() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

make_venv() {
  local want
  want=$(checksum tools/setup/requirements.txt)-$("$PYTHON" -c 'import sys; print(sys.implementation.cache_tag)')
  is_current .venv/.stamp-tools "$want" && return
  say "[1/2] Python tools -> .venv"
  rm -f .venv/.stamp-tools
  local same_python='import sys, pip; sys.exit(sys.implementation.cache_tag != sys.argv[1])'
  if ! .venv/bin/python -c "$same_python" "${want#*-}" 2>/dev/null; then
    "$PYTHON" -m venv --clear .venv
  fi
  pip_install --no-deps -r tools/setup/requirements.txt ||
    fail "pip could not install tools/setup/requirements.txt (see above); run 'make setup' again once that is solved."
  # Where the only torch 2.13.0 to be had is a CUDA build, it does not import without its CUDA packages.
  if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    say "this torch is a CUDA build: installing the packages that it needs (several GB)"
    pip_install torch==2.13.0 || fail "pip could not install torch's own requirements."
    .venv/bin/python -c 'import torch' || fail "torch 2.13.0 was installed and does not import (see above)."
  fi
  echo "$want" > .venv/.stamp-tools
}

make_cuda() {
  local want
  want=$(checksum tools/setup/requirements-cuda.txt)
  is_current .cuda/.stamp-cuda "$want" && return
  say "[2/2] NVIDIA compiler -> .cuda"
  rm -rf .cuda.partial
  pip_install --no-deps --target .cuda.partial -r tools/setup/requirements-cuda.txt ||
    fail "pip could not install tools/setup/requirements-cuda.txt (see above); run 'make setup' again once that is solved."
  # Some installers drop the execute bit of files that are not console scripts.
  chmod +x .cuda.partial/nvidia/cu13/bin/* .cuda.partial/nvidia/cu13/nvvm/bin/* 2>/dev/null || true
  .cuda.partial/nvidia/cu13/bin/nvcc --version >/dev/null || fail "the installed nvcc does not run on this machine (x86-64 Linux is needed)."
  rm -rf .cuda
  mv .cuda.partial .cuda
  [ -f "$kCudaFolder/include/cuda.h" ] || fail "$kCudaFolder/include/cuda.h is missing after the install; the pinned packages have changed their layout."
  echo "$want" > .cuda/.stamp-cuda
}

# Two makes at once (an editor's and a terminal's) take turns.
if command -v flock >/dev/null; then
  exec 9>.setup.lock
  flock 9
fi
start=$SECONDS
check_compiler
check_python
check_doctest
make_venv
make_cuda
say "ready ($((SECONDS - start)) s)"
