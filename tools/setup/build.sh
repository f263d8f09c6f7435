#!/usr/bin/env bash
# Configures (first time only) and builds into build/, then installs the Python package in place.
# Arguments: path of nvcc, number of parallel jobs, targets (none means everything).
set -euo pipefail
cd "$(dirname "$0")/../.."
nvcc=$1
jobs=$2
shift 2
bin=$PWD/.venv/bin

[ -x "$nvcc" ] || { echo "build: error: B12X_NVCC is '$nvcc', which is no executable file; unset it for the pinned nvcc." >&2; exit 1; }

# CMake remembers its settings; it is asked again only when one of ours has changed.
want="$nvcc $CXX"
if [ ! -f build/build.ninja ] || [ "$(cat build/.settings 2>/dev/null)" != "$want" ]; then
  rm -f build/.settings
  "$bin/cmake" --preset default -DB12X_NVCC="$nvcc" -DCMAKE_CXX_COMPILER="$CXX"
  echo "$want" > build/.settings
fi
"$bin/ninja" -C build -j "$jobs" "$@"

# In place: Python imports python/b12x itself, so this is repeated only when the package's description changes.
if [ pyproject.toml -nt .venv/.stamp-package ] || [ ! -f .venv/.stamp-package ]; then
  "$bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps -e .
  touch .venv/.stamp-package
fi
