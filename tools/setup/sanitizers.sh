#!/usr/bin/env bash
# Every C++ test under the address and undefined-behaviour sanitizers, then the simulator's own tests under the thread
# sanitizer with four host threads. Arguments: path of nvcc, number of parallel jobs, which (both where none is named):
# sanitize, threads. Builds into build-sanitize/ and build-threads/.
set -euo pipefail
cd "$(dirname "$0")/../.."
nvcc=$1
jobs=$2
shift 2
bin=$PWD/.venv/bin

# The driver's functions are C's: programs may pass any number as an enumerator, so loads of such are no errors.
# Leaks are not looked for: the simulator's singletons outlive main on purpose.
export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1

# configure PRESET, build its TARGET, run its tests (the rest are ctest's options)
run() {
  local preset=$1 target=$2
  shift 2
  [ -f "build-$preset/build.ninja" ] ||
    "$bin/cmake" --preset "$preset" -DB12X_NVCC="$nvcc" -DCMAKE_CXX_COMPILER="$CXX" ${CMAKE_FLAGS:-} >/dev/null
  "$bin/ninja" -C "build-$preset" -j "$jobs" --quiet "$target"
  "$bin/ctest" --test-dir "build-$preset" --parallel "$jobs" --output-on-failure --no-tests=error \
    --label-exclude long "$@"
}

for which in "${@:-sanitize threads}"; do
  for preset in $which; do
    case $preset in
      # Not the mutants: a sanitizer's stop would count as found by a checker.
      sanitize) run sanitize all --exclude-regex '^mutation_' ;;
      threads) B12X_SIM_THREADS=4 run threads simulator/all --tests-regex '^sim_' ;;
      *) echo "sanitizers: '$preset' is neither sanitize nor threads" >&2; exit 1 ;;
    esac
  done
done
