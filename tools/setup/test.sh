#!/usr/bin/env bash
# Runs every test of a finished build: C++ (ctest) first, then Python, whose closing line ends the output.
# Argument: number of parallel jobs. B12X_LONG_TESTS=1 adds the tests that take minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$PWD/.venv/bin

skip=(--label-exclude long)
marks="not long"
[ "${B12X_LONG_TESTS:-}" = 1 ] && skip=() marks=""
"$bin/ctest" --test-dir build --parallel "$1" --output-on-failure --no-tests=error "${skip[@]}"
"$bin/python" -m pytest -m "$marks"
