#!/usr/bin/env bash
# Builds the fuzz targets of simulator/fuzz with clang and runs each for some seconds, starting from the PTX, fatbins and tensor
# maps that the tests use. Arguments: number of parallel jobs, seconds for each target.
set -euo pipefail
cd "$(dirname "$0")/../.."
jobs=$1
seconds=$2

# clang has libFuzzer, g++ has not: taken with apt-get where this user may, named where not.
if ! command -v clang++ >/dev/null; then
  echo "fuzz: clang is missing: apt-get install clang"
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get install -y -qq clang || { apt-get update -qq && apt-get install -y -qq clang; }; } >/dev/null 2>&1 || true
  fi
  command -v clang++ >/dev/null || { echo "fuzz: error: clang++ could not be installed; run 'sudo apt-get install clang'." >&2; exit 1; }
fi

[ -f build-fuzz/build.ninja ] || .venv/bin/cmake --preset fuzz >/dev/null
.venv/bin/ninja -C build-fuzz -j "$jobs" --quiet
.venv/bin/python simulator/fuzz/corpus.py build-fuzz/corpus
for target in ptx fatbin tensor_map; do
  log=build-fuzz/$target.log
  if ! (cd build-fuzz && simulator/fuzz/fuzz_$target -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=20000 \
      -artifact_prefix="$PWD/$target-" "corpus/$target") >"$log" 2>&1; then
    tail -40 "$log"
    echo "fuzz: error: $target failed; the input is build-fuzz/$target-*" >&2
    exit 1
  fi
  echo "fuzz: $target: $(grep -c . <(ls "build-fuzz/corpus/$target")) inputs, $(grep -o 'Done [0-9]* runs in [0-9]* second' "$log" || tail -1 "$log")"
done
